"""The newest Workflows of a namespace, without holding all of them: Kubernetes lists by name, people by time."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from typing import Any

from jupyter_mlops.cluster.base import WORKFLOWS, Cluster
from jupyter_mlops.engine.decode import PIPELINE, created_at

PAGE = 50
"""Workflows read in one request."""


def newest(
    cluster: Cluster, namespace: str, labels: str, limit: int, before: float | None
) -> tuple[list[Mapping[str, Any]], set[str]]:
    """The newest ``limit`` Workflows that are older than ``before``, newest first, and the names of all there are.

    Only ``limit`` and one page of documents are in memory at a time.
    """
    kept: list[tuple[float, str, Mapping[str, Any]]] = []
    names: set[str] = set()
    more = ""
    while True:
        page = cluster.list(WORKFLOWS, namespace, labels=labels, limit=PAGE, more=more)
        for document in page.items:
            metadata = document.get("metadata") or {}
            name, created = str(metadata.get("name") or ""), created_at(document) or 0.0
            names.add(name)
            if metadata.get("deletionTimestamp") or (before is not None and created >= before):
                continue
            heapq.heappush(kept, (created, name, document))
            if len(kept) > limit:
                heapq.heappop(kept)
        more = page.more
        if not more:
            return [document for _, _, document in sorted(kept, key=lambda one: (-one[0], one[1]))], names


def selector(managed: str, pipeline: str | None) -> str:
    """Labels of our runs, or of those of one pipeline."""
    return managed if pipeline is None else f"{managed},{PIPELINE}={pipeline}"

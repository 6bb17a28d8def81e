"""What a cluster can do, asked with nobody's rights but the caller's own.

Versions are told from the fields that the cluster's schema knows, since the ConfigMap that names them may mostly not be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from jupyter_mlops.cluster.base import INFERENCE_SERVICES, NODES, Cluster
from jupyter_mlops.errors import NotAllowed, PlatformError
from jupyter_mlops.serving.kserve.modes import Facts
from jupyter_mlops.serving.kserve.predictor import REFUSED

GROUP = "serving.kserve.io"
FEATURES = (("spec.tracing", (0, 21)), ("spec.canary", (0, 20)))
"""Field → the version of KServe that brought it, the newest first."""

OLDEST = (0, 15)
"""Stands for a KServe that has a schema and none of those fields."""


def check_kserve(cluster: Cluster) -> None:
    """KServe is there.

    Raises:
        PlatformError: code ``no-kserve``, with what to install.
    """
    if INFERENCE_SERVICES.plural not in cluster.kinds(GROUP):
        raise PlatformError(
            f"the cluster '{cluster.context}' has no KServe",
            code="no-kserve",
            fix="Ask its administrator to install KServe 0.18 or newer in Standard mode (it needs no Knative and no Istio), "
            "or deploy on this machine.",
        )


def kserve_version(cluster: Cluster) -> tuple[int, int] | None:
    """At least this version of KServe; None where the cluster keeps no schema of it."""
    for path, version in FEATURES:
        known = cluster.has_field(INFERENCE_SERVICES, path)
        if known is None:
            return None
        if known:
            return version
    return OLDEST


def node_runtimes(cluster: Cluster) -> tuple[str, ...] | None:
    """The container runtime of each Linux node that takes pods; None where nodes may not be listed."""
    try:
        nodes = cluster.list(NODES).items
    except NotAllowed:
        return None
    usable = [node for node in nodes if not (node.get("spec") or {}).get("unschedulable")]
    infos = [(node.get("status") or {}).get("nodeInfo") or {} for node in usable or nodes]
    found = tuple(
        str(info["containerRuntimeVersion"])
        for info in infos
        if info.get("containerRuntimeVersion") and info.get("operatingSystem", "linux") == "linux"
    )
    return found or None


def refused_modes(documents: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Modes that services of this namespace tried in vain."""
    notes = [(document.get("metadata") or {}).get("annotations") or {} for document in documents]
    return frozenset(str(each[REFUSED]) for each in notes if each.get(REFUSED))


def facts(
    cluster: Cluster, documents: Iterable[Mapping[str, Any]], *, registry: str, shell: bool = False, puller: bool = True
) -> Facts:
    """All that ``modes.choose`` wants to know."""
    return Facts(
        kubernetes=cluster.version(),
        kserve=kserve_version(cluster),
        nodes=node_runtimes(cluster),
        plain_http=registry.startswith("http://"),
        shell=shell,
        puller=puller,
        refused=refused_modes(documents),
    )

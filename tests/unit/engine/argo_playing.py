"""Plays Argo's controller and the kubelet on a cluster in memory: statuses, pods and logs as the real ones write them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from jupyter_mlops.cluster.base import PODS, WORKFLOWS
from jupyter_mlops.engine.local.status import fnv32a
from jupyter_mlops.oci.artifact import push_artifact
from jupyter_mlops.oci.canonical import canonical
from jupyter_mlops.oci.descriptor import to_dict
from jupyter_mlops.oci.names import BUNDLE, BUNDLE_CODE, BUNDLE_CONFIG, REPORT, REPORT_CONFIG, REPORT_OUTPUTS
from jupyter_mlops.oci.store import Descriptor, Store
from jupyter_mlops.registry.bundles import _tar_gzip
from jupyter_mlops.testing.cluster import FakeCluster

START, END = "2026-01-01T00:00:00Z", "2026-01-01T00:00:09Z"
PHASES = {"Pending": "Pending", "Running": "Running", "Succeeded": "Succeeded", "Failed": "Failed", "Error": "Failed"}


class Argo:
    """The controller of a cluster in memory."""

    def __init__(self, cluster: FakeCluster) -> None:
        self.cluster = cluster

    def phase(self, run: str, phase: str, message: str = "", **more: Any) -> None:
        """Set the phase of a run."""
        over = {"finishedAt": END} if phase in {"Succeeded", "Failed", "Error"} else {}
        status = {"phase": phase, "startedAt": START, "message": message or None, **over, **more}
        root = {"id": run, "name": run, "displayName": run, "type": "DAG", "phase": phase}
        self.cluster.put(WORKFLOWS, {"metadata": {"name": run}, "status": {**status, "nodes": {run: root}}})

    def node(self, run: str, step: str, phase: str, message: str = "", **more: Any) -> str:
        """Set the node of a step; gives its id."""
        full = f"{run}.{step}"
        key = f"{run}-{fnv32a(full)}"
        node = {
            "id": key, "name": full, "displayName": step, "templateName": step, "type": "Pod", "phase": phase, "message": message,
            "boundaryID": run, "startedAt": START, "progress": "0/1", **more,
        }  # fmt: skip
        if phase in {"Succeeded", "Failed", "Error"}:
            node.setdefault("finishedAt", END)
        self.cluster.put(WORKFLOWS, {"metadata": {"name": run}, "status": {"nodes": {key: node}}})
        return key

    def pod(self, run: str, step: str, state: Mapping[str, Any], *, phase: str = "Running", node: str = "", **more: Any) -> str:
        """Set the pod of a step; ``state`` is that of ``main``. Gives its name."""
        key = node or f"{run}-{fnv32a(f'{run}.{step}')}"
        name = f"{run}-{step}-{key.rpartition('-')[2]}"
        document = {
            "metadata": {
                "name": name,
                "labels": {"workflows.argoproj.io/workflow": run},
                "annotations": {"workflows.argoproj.io/node-id": key, "workflows.argoproj.io/node-name": f"{run}.{step}"},
            },
            "spec": {"containers": [{"name": "main"}], "initContainers": [{"name": "init"}]},
            "status": {"phase": phase, "containerStatuses": [{"name": "main", "state": dict(state)}], **more},
        }
        self.cluster.put(PODS, document)
        return name

    def starts(self, run: str, step: str, *lines: str) -> str:
        """A step runs and has written these lines."""
        self.phase(run, "Running")
        self.node(run, step, "Running")
        pod = self.pod(run, step, RUNNING)
        self.cluster.write_log(pod, "main", *lines)
        return pod

    def ends(self, run: str, step: str, phase: str = "Succeeded", message: str = "", code: int = 0, **more: Any) -> None:
        """A step is over."""
        self.node(run, step, phase, message, **more)
        pod = self.pod(run, step, terminated(code), phase="Succeeded" if code == 0 else "Failed")
        self.cluster.end_log(pod, "main")


RUNNING = {"running": {"startedAt": START}}


def terminated(code: int = 0, reason: str = "", message: str = "") -> dict[str, Any]:
    """State of a container that ended."""
    ended = {"exitCode": code, "reason": reason or ("Error" if code else "Completed"), "startedAt": START, "finishedAt": END}
    return {"running": None, "terminated": {**ended, "containerID": "containerd://1", **({"message": message} if message else {})}}


def event(kind: str, **fields: Any) -> str:
    """A structured line."""
    return "@mlops " + json.dumps({"event": kind, **fields})


def push_report(
    store: Store,
    repository: str,
    run: str,
    step: str,
    *,
    log: str = "",
    cells: Mapping[int, Sequence[Any]] | None = None,
    **config: Any,
) -> str:
    """What a step pushes at its end; gives the digest."""
    outputs = {str(cell): {"execution_count": 1, "outputs": list(found)} for cell, found in (cells or {}).items()}
    layers = [store.put_blob(repository, canonical(outputs), REPORT_OUTPUTS)]
    if log:
        found = store.put_blob(repository, log.encode(), "text/plain")
        layers.append(Descriptor(found.media_type, found.digest, found.size, {"org.opencontainers.image.title": "log"}))
    whole = {"version": 1, "step": step, "phase": "succeeded", "cells": [], "metrics": {}, "models": [], "failure": None, **config}
    made = push_artifact(store, repository, REPORT, whole, layers, config_type=REPORT_CONFIG, tags=[f"report.{run}.{step}"])
    return made.descriptor.digest


def push_notebook(store: Store, repository: str, *sources: str) -> str:
    """A bundle with a notebook of these cells; gives its reference."""
    cells = [{"cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": None} for source in sources]
    document = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
    layer = store.put_blob(repository, _tar_gzip({"notebook.ipynb": canonical(document)}), BUNDLE_CODE)
    made = push_artifact(store, repository, BUNDLE, {"version": 1}, [layer], config_type=BUNDLE_CONFIG, tags=["bundle-1"])
    assert to_dict(layer)["digest"] == layer.digest
    return f"{repository}@{made.descriptor.digest}"

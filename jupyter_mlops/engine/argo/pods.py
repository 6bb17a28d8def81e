"""The pods of a run: which node and step each belongs to, and how far its containers are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyter_mlops.engine.decode import step_nodes
from jupyter_mlops.engine.times import moment

RUN = "workflows.argoproj.io/workflow"
"""Label of a pod: the Workflow that it belongs to."""

NODE = "workflows.argoproj.io/node-id"
"""Annotation of a pod: the node that it is."""

MAIN = "main"
"""The container of the step; the others are Argo's."""

Pod = Mapping[str, Any]


def pod_name(pod: Pod) -> str:
    """Its name."""
    return str((pod.get("metadata") or {}).get("name") or "")


def run_of_pod(pod: Pod) -> str:
    """The run that a pod belongs to; '' for others."""
    return str(((pod.get("metadata") or {}).get("labels") or {}).get(RUN) or "")


def node_of_pod(pod: Pod) -> str:
    """The node that a pod is."""
    return str(((pod.get("metadata") or {}).get("annotations") or {}).get(NODE) or "")


def container_state(pod: Pod, container: str = MAIN) -> Mapping[str, Any]:
    """``state`` of a container, ``{}`` where there is none yet."""
    status = pod.get("status") or {}
    for group in ("containerStatuses", "initContainerStatuses"):
        for found in status.get(group) or ():
            if found.get("name") == container:
                state: Mapping[str, Any] = found.get("state") or {}
                return state
    return {}


def started(pod: Pod, container: str = MAIN) -> float | None:
    """When a container began; None while it has not."""
    state = container_state(pod, container)
    return moment((state.get("running") or state.get("terminated") or {}).get("startedAt"))


def ended(pod: Pod, container: str = MAIN) -> float | None:
    """When a container ended; None while it has not."""
    return moment((container_state(pod, container).get("terminated") or {}).get("finishedAt"))


def has_log(pod: Pod, container: str = MAIN) -> bool:
    """Whether a container has begun to write."""
    state = container_state(pod, container)
    return "running" in state or bool((state.get("terminated") or {}).get("containerID"))


def failed(pod: Pod, container: str) -> bool:
    """Whether a container ended with an error."""
    return int((container_state(pod, container).get("terminated") or {}).get("exitCode") or 0) != 0


def init_containers(pod: Pod) -> list[str]:
    """Names of the init containers."""
    return [str(found.get("name")) for found in (pod.get("status") or {}).get("initContainerStatuses") or ()]


def steps_of_nodes(workflow: Mapping[str, Any]) -> dict[str, str]:
    """Node id → step, attempts included."""
    nodes = (workflow.get("status") or {}).get("nodes") or {}
    found: dict[str, str] = {}
    for step, node in step_nodes(workflow).items():
        found[str(node.get("id"))] = step
        for child in node.get("children") or ():
            if ((nodes.get(child) or {}).get("nodeFlag") or {}).get("retried"):
                found[str(child)] = step
    return found

"""What people see of a service on a cluster: phase, sentence, fix and the cluster's own words. Pure.

Ready is believed only when the Deployment has replaced every earlier pod: KServe says Ready while the version asked for last
is still crashing beside the one before it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from jupyter_mlops.diagnose.cause import Cause
from jupyter_mlops.serving.base import Service
from jupyter_mlops.serving.decode import service_of
from jupyter_mlops.serving.kserve.predictor import CONTAINER
from jupyter_mlops.serving.kserve.scene import Scene, note, pod_ready
from jupyter_mlops.serving.manifest import MANAGED, OURS, STOP

LOG_HEAD = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ ")
"""How our server begins a line of its log; a sentence that quotes one does without."""

EARLIER = "the earlier version goes on answering"


def seen_service(scene: Scene, cause: Cause | None, target: str) -> Service:
    """The service as it is now.

    Args:
        scene: what there is of it.
        cause: why it waits or failed, if it does.
        target: name of the target.
    """
    base = service_of(scene.document)
    phase = _phase(scene, base, cause)
    ready = phase == "Ready"
    url = address(scene.document) if ready else ""
    seen = replace(base, phase=phase, ready=ready, url=url, target=target, ours=is_ours(scene.document))
    if scene.document["metadata"].get("deletionTimestamp"):
        return replace(seen, message="it is being deleted", fix="")
    if phase in {"Ready", "Stopped"}:
        return replace(seen, message="" if phase == "Ready" else "stopped")
    if cause is None or _only_loading(scene, cause):
        said = _progress(scene) + (f"; {EARLIER}" if scene.earlier else "")
        return replace(seen, message=said, fix="")
    said = LOG_HEAD.sub("", cause.message) + (f"; {EARLIER}" if scene.earlier else "")
    return replace(seen, message=said, fix=cause.fix, blame=cause.blame, facts=cause.facts, code=cause.code)


def _phase(scene: Scene, base: Service, cause: Cause | None) -> str:
    if note(scene.document, STOP) == "true" or scene.document["metadata"].get("deletionTimestamp"):
        return "Stopped"  # what was asked for counts: the condition follows seconds later, in both directions
    if _serves(scene, base):
        return "Ready"
    if base.phase == "Failed" and cause is None and not scene.deployment:
        return "Failed"
    if cause is not None and cause.final:
        return "Failed"
    return "Loading" if any(_working(pod) for pod in scene.pods) else "Pending"


def _serves(scene: Scene, base: Service) -> bool:
    """Ready, and of the document as it is now: by the Deployment, else the pods, else KServe's word, as far as one may look."""
    if not any(condition.type == "Ready" and condition.status == "True" for condition in base.conditions):
        return False
    if scene.deployment is not None:
        return scene.rolled_out
    if scene.pods or scene.earlier:
        return any(pod_ready(pod) for pod in scene.pods) and not scene.earlier
    return not scene.outdated


def _only_loading(scene: Scene, cause: Cause) -> bool:
    """Whether the cause is no more than that our server loads the model: it answers 503, or nothing yet, until it has."""
    started = any(_working(pod) for pod in scene.pods) and is_ours(scene.document)
    return cause.code == "not-ready" and started and any("statuscode: 503" in each or "refused" in each for each in cause.facts)


def _working(pod: Mapping[str, Any]) -> bool:
    """Whether a container of a pod runs: it fetches or loads the model."""
    status = pod.get("status") or {}
    every = (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))
    return any("running" in (each.get("state") or {}) for each in every)


def _progress(scene: Scene) -> str:
    """What it is doing, in words."""
    if scene.deployment is None:
        return "KServe is preparing it"
    if not scene.taken:
        return "KServe is taking over what was asked for"
    if not scene.pods:
        return "its pod is being made"
    status = scene.pods[0].get("status") or {}
    for each in status.get("initContainerStatuses") or ():
        if "running" in (each.get("state") or {}):
            return "the model is being fetched"
    for each in status.get("containerStatuses") or ():
        if each.get("name") == CONTAINER and "running" in (each.get("state") or {}):
            return "the model is being loaded"
    return "its pod is starting"


def is_ours(document: Mapping[str, Any]) -> bool:
    """Whether we made it: what others made is looked at and called, and never changed."""
    return ((document.get("metadata") or {}).get("labels") or {}).get(MANAGED) == OURS


def address(document: Mapping[str, Any]) -> str:
    """The base address in the cluster; the one outside is often a placeholder that leads nowhere."""
    status = document.get("status") or {}
    metadata = document["metadata"]
    inside = str((status.get("address") or {}).get("url") or "")
    return inside or f"http://{metadata['name']}-predictor.{metadata['namespace']}.svc.cluster.local"

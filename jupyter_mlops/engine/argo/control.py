"""What a person can do to a run on a cluster, as changes of its Workflow object.

The controller changes the same object all the time, so whoever changes its status says which version was read, and reads
again where another was faster.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from jupyter_mlops.cluster.base import WORKFLOWS, Cluster
from jupyter_mlops.engine.argo.nodes import pack, unpack
from jupyter_mlops.engine.times import rfc3339
from jupyter_mlops.errors import Conflict, NotFound, Unavailable

ATTEMPTS = 10
GONE = 20.0
"""Seconds that a deletion may take; Argo's own clean-up (a finalizer) can hold it up."""

OURS_TO_DROP = "workflows.argoproj.io/artifact-gc"
"""Finalizer by which Argo deletes artifacts; runs of ours have none, so one that hangs is let go."""


def stop(cluster: Cluster, namespace: str, name: str) -> Mapping[str, Any]:
    """No step starts any more, and what runs is asked to end. A paused run must go on to be stopped."""
    return cluster.patch(WORKFLOWS, name, {"spec": {"shutdown": "Stop", "suspend": None}}, namespace)


def pause(cluster: Cluster, namespace: str, name: str, *, paused: bool) -> Mapping[str, Any]:
    """No further step starts, or steps start again."""
    return cluster.patch(WORKFLOWS, name, {"spec": {"suspend": True if paused else None}}, namespace)


def approve(cluster: Cluster, namespace: str, name: str, now: Callable[[], float] = time.time) -> Mapping[str, Any]:
    """Let all steps go on that wait for a person.

    Raises:
        Conflict: no step waits (``nothing-waits``), one wants values that nobody gave (``values-needed``), or the run changes too
            fast.
        NotFound: there is no such run.
    """
    for attempt in range(ATTEMPTS):
        stored = cluster.get(WORKFLOWS, name, namespace)
        workflow, problem = unpack(stored)
        if problem:
            raise Conflict(problem.message, code=problem.code, fix=problem.fix)
        nodes: Mapping[str, Mapping[str, Any]] = (workflow.get("status") or {}).get("nodes") or {}
        changes = {key: _approved(node, now()) for key, node in nodes.items() if _waits(node)}
        if not changes:
            raise Conflict(f"no step of {name} waits for an approval", code="nothing-waits")
        try:
            return cluster.patch(WORKFLOWS, name, _status_patch(stored, nodes, changes), namespace)
        except Conflict:
            if attempt + 1 == ATTEMPTS:
                raise
    raise AssertionError  # the last attempt returns or raises


def delete(cluster: Cluster, namespace: str, name: str, uid: str) -> None:
    """Delete the Workflow, its pods with it, and wait until it is gone.

    Raises:
        Unavailable: it is still there after a while: something holds it.
    """
    with suppress(NotFound):
        cluster.delete(WORKFLOWS, name, namespace, uid=uid)
        with suppress(StopIteration):
            _wait_until_gone(cluster, namespace, name, uid)


def _wait_until_gone(cluster: Cluster, namespace: str, name: str, uid: str) -> None:
    end = time.monotonic() + GONE
    changes = cluster.watch(WORKFLOWS, namespace, fields=f"metadata.name={name}", timeout=GONE)
    try:
        for change in changes:
            metadata = (change.items[0].get("metadata") or {}) if change.items else {}
            if change.type == "DELETED" or not change.items or metadata.get("uid") != uid:
                return
            if OURS_TO_DROP in (metadata.get("finalizers") or ()):
                left = [one for one in metadata["finalizers"] if one != OURS_TO_DROP]
                with suppress(Conflict):
                    cluster.patch(WORKFLOWS, name, {"metadata": {"finalizers": left or None}}, namespace)
            if time.monotonic() > end:
                break
    finally:
        close = getattr(changes, "close", None)
        if close is not None:
            close()
    raise Unavailable(
        f"{name} is being deleted, but something holds it",
        code="deletion-hangs",
        fix="Look at its finalizers with kubectl.",
    )


def _waits(node: Mapping[str, Any]) -> bool:
    return node.get("type") == "Suspend" and node.get("phase") == "Running"


def _approved(node: Mapping[str, Any], now: float) -> dict[str, Any]:
    """A suspend node as Argo leaves it when it goes on; values that were to be supplied are their defaults."""
    ended = rfc3339(now).partition(".")[0] + "Z"
    changed: dict[str, Any] = {"phase": "Succeeded", "finishedAt": ended, "message": "approved"}
    parameters = (node.get("outputs") or {}).get("parameters") or []
    if any("supplied" in (one.get("valueFrom") or {}) for one in parameters):
        given = []
        for one in parameters:
            default = (one.get("valueFrom") or {}).get("default")
            if "supplied" in (one.get("valueFrom") or {}) and "value" not in one and default is None:
                raise Conflict(
                    f"step {node.get('displayName')!r} waits for a value of {one.get('name')!r}",
                    code="values-needed",
                    fix="Give it with `argo node set`, or in Argo's own pages.",
                )
            given.append({**{key: value for key, value in one.items() if key != "valueFrom"}, "value": one.get("value", default)})
        changed["outputs"] = {"parameters": given}
    return changed


def _status_patch(stored: Mapping[str, Any], nodes: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch of a status, in the form in which it is stored; refused if it is not the version that was read."""
    version = {"resourceVersion": (stored.get("metadata") or {}).get("resourceVersion")}
    if (stored.get("status") or {}).get("compressedNodes"):
        merged = {key: {**node, **changes.get(key, {})} for key, node in nodes.items()}
        return {"metadata": version, "status": {"compressedNodes": pack(merged)}}
    return {"metadata": version, "status": {"nodes": dict(changes)}}

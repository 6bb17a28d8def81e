"""Documents for the tests of causes, as small as they can be, and what holds of every sentence."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from jupyter_mlops.diagnose.cause import Cause
from jupyter_mlops.diagnose.documents import FACT, FACTS, SENTENCE

Document = dict[str, Any]
START = "2026-01-01T00:00:00Z"
BEGAN = 1767225600.0
"""``START`` as seconds since the epoch."""


def step_pod(**status: Any) -> Document:
    """The pod of step ``train`` of run ``churn`` in namespace ``ml``."""
    return {
        "metadata": {
            "name": "churn-train", "namespace": "ml", "uid": "u1", "labels": {"workflows.argoproj.io/workflow": "churn"},
            "annotations": {"workflows.argoproj.io/node-id": "churn-1", "workflows.argoproj.io/node-name": "churn.train"},
        },
        "spec": {"nodeName": "node", "containers": [{"name": "main", "image": "ghcr.io/me/train:1"}, {"name": "wait", "image": "argoexec"}]},
        "status": {"phase": "Pending", **status},
    }  # fmt: skip


def service_pod(name: str = "churn-predictor-1", **status: Any) -> Document:
    """A pod of service ``churn`` in namespace ``ml``."""
    return {
        "metadata": {"name": name, "namespace": "ml", "uid": name, "labels": {"serving.kserve.io/inferenceservice": "churn"}},
        "spec": {"nodeName": "node", "containers": [{"name": "kserve-container", "image": "ghcr.io/me/serve:1"}]},
        "status": {"phase": "Running", **status},
    }


def waiting(reason: str, message: str = "", name: str = "main", **fields: Any) -> Document:
    return {"name": name, "state": {"waiting": {"reason": reason, "message": message}}, "ready": False, **fields}


def ended(code: int, reason: str = "Error", message: str = "", name: str = "main", **fields: Any) -> Document:
    return {"name": name, "state": {"terminated": {"exitCode": code, "reason": reason, "message": message}}, **fields}


def crashed(code: int, reason: str = "Error", message: str = "", name: str = "kserve-container") -> Document:
    """A container that waits to be started again."""
    before = {"terminated": {"exitCode": code, "reason": reason, "message": message}}
    return {
        "name": name,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
        "lastState": before,
        "ready": False,
    }


def running(name: str = "main", *, ready: bool = True) -> Document:
    return {"name": name, "state": {"running": {"startedAt": START}}, "ready": ready}


def event(reason: str, message: str, name: str = "churn-train", kind: str = "Pod", at: int = 0, **fields: Any) -> Document:
    about = {"kind": kind, "name": name, **fields}
    return {
        "type": "Warning",
        "reason": reason,
        "message": message,
        "lastTimestamp": f"2026-01-01T00:00:{at:02}Z",
        "involvedObject": about,
    }


def node(name: str, phase: str, message: str = "", kind: str = "Pod", **fields: Any) -> Document:
    return {
        "id": f"churn-{name}",
        "name": f"churn.{name}",
        "displayName": name,
        "type": kind,
        "phase": phase,
        "message": message,
        **fields,
    }


def run(*nodes: Document, phase: str = "Running", message: str = "", **fields: Any) -> Document:
    """A Workflow ``churn`` in namespace ``ml``."""
    status = {"phase": phase, "message": message, "startedAt": START, "nodes": {one["id"]: one for one in nodes}}
    metadata = {"name": "churn", "namespace": "ml", "creationTimestamp": START}
    return {"kind": "Workflow", "metadata": metadata, "spec": dict(fields), "status": status if phase else {}}


def isvc(
    *conditions: Mapping[str, str], predictor: Document | None = None, annotations: Document | None = None, **status: Any
) -> Document:
    """An InferenceService ``churn`` in namespace ``ml``."""
    metadata = {"name": "churn", "namespace": "ml", "uid": "i1", "creationTimestamp": START, "annotations": annotations or {}}
    return {
        "kind": "InferenceService",
        "metadata": metadata,
        "spec": {"predictor": predictor or {}},
        "status": {"conditions": list(conditions), **status},
    }


def condition(kind: str, status: str, reason: str = "", message: str = "") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def says(cause: Cause | None, code: str, parts: Sequence[str] = (), blame: str = "") -> Cause:
    """The cause, which is this one and is well said."""
    assert cause is not None, f"nothing is said instead of {code}"
    assert cause.code == code, cause
    assert not blame or cause.blame == blame, cause
    for part in parts:
        assert part in f"{cause.message}\n{cause.fix}", cause
    well_said(cause)
    return cause


def well_said(cause: Cause) -> None:
    """What holds of every cause, whatever the documents hold."""
    assert cause.code
    assert cause.blame in {"user", "platform", "us"}
    for sentence in (cause.message, cause.fix):
        assert 0 < len(sentence) <= SENTENCE, cause
        assert not any(unicodedata.category(c) in {"Cc", "Cf", "Cs"} for c in sentence), cause
        assert "<" not in sentence, cause
    assert not cause.message.endswith("."), cause
    assert cause.fix[0].islower() or cause.fix.endswith((".", "…", "`")), cause  # small: what a step said itself
    assert len(cause.facts) <= FACTS
    for fact in cause.facts:
        assert 0 < len(fact) <= FACT
        assert not any(unicodedata.category(c) in {"Cc", "Cf", "Cs"} and c not in "\n\t" for c in fact), cause

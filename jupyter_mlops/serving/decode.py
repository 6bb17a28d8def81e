"""What people see of an InferenceService: one decoder for the status that KServe writes and the one that is written here.

``status`` is KServe's contract: ``conditions`` say whether it serves, ``modelStatus`` how far the model is. The sentence and
the fix come from ``diagnose``, since KServe itself gives only the end of a log.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from jupyter_mlops.errors import WrongUsage
from jupyter_mlops.serving.base import Condition, Service
from jupyter_mlops.serving.diagnose import diagnose
from jupyter_mlops.serving.manifest import KIND, MODEL_REF, MODEL_TAG, STOP

BLOCKED = frozenset({"BlockedByFailedLoad", "InvalidSpec"})


def service_of(document: Mapping[str, Any]) -> Service:
    """Decode a document with or without a status. Raises WrongUsage if it is no InferenceService."""
    metadata, status = document.get("metadata"), document.get("status") or {}
    if document.get("kind") != KIND or not isinstance(metadata, Mapping) or not metadata.get("name"):
        raise WrongUsage(f"not an {KIND}: {document.get('kind')!r}", fix=f"Give a document of kind {KIND} with a name.")
    conditions = tuple(_condition(item) for item in status.get("conditions") or ())
    phase = _phase(document, status, {condition.type: condition for condition in conditions})
    message, fix = _words(phase, status, conditions)
    return Service(
        name=str(metadata["name"]),
        namespace=str(metadata.get("namespace") or "default"),
        phase=phase,
        ready=phase == "Ready",
        url=str(status.get("url") or "") if phase == "Ready" else "",
        model=model_of(document),
        created=seconds(metadata.get("creationTimestamp")) or 0.0,
        conditions=conditions,
        message=message,
        fix=fix,
        document=document,
    )


def model_of(document: Mapping[str, Any]) -> str:
    """``churn:v3``, or ``churn@sha256:…`` where no tag is known, or the storage URI of a service that is not ours."""
    annotations = (document.get("metadata") or {}).get("annotations") or {}
    reference = str(annotations.get(MODEL_REF, "")).removeprefix("models/")
    if reference:
        tag = annotations.get(MODEL_TAG)
        return f"{reference.partition('@')[0]}:{tag}" if tag else reference
    predictor = (document.get("spec") or {}).get("predictor") or {}
    return str((predictor.get("model") or {}).get("storageUri") or "")


def model_reference(document: Mapping[str, Any]) -> str:
    """``churn@sha256:…``: what the registry is asked for; '' for a service that is not ours."""
    annotations = (document.get("metadata") or {}).get("annotations") or {}
    return str(annotations.get(MODEL_REF, "")).removeprefix("models/")


def _phase(document: Mapping[str, Any], status: Mapping[str, Any], conditions: Mapping[str, Condition]) -> str:
    annotations = (document.get("metadata") or {}).get("annotations") or {}
    if annotations.get(STOP) == "true" or _is(conditions, "Stopped", "True"):
        return "Stopped"
    model = status.get("modelStatus") or {}
    if model.get("transitionStatus") in BLOCKED:
        return "Failed"
    if _is(conditions, "Ready", "True"):
        return "Ready"
    return "Loading" if (model.get("states") or {}).get("targetModelState") == "Loading" else "Pending"


def _is(conditions: Mapping[str, Condition], kind: str, value: str) -> bool:
    return kind in conditions and conditions[kind].status == value


def _words(phase: str, status: Mapping[str, Any], conditions: tuple[Condition, ...]) -> tuple[str, str]:
    """Sentence and fix for a phase; a Ready service may have a remark."""
    if phase == "Failed":
        failure = (status.get("modelStatus") or {}).get("lastFailureInfo") or {}
        cause = diagnose(str(failure.get("message", "")), failure.get("exitCode"))
        return cause.message, cause.fix
    if phase == "Stopped":
        return "stopped", "Start it to use it again."
    predictor = next((condition for condition in conditions if condition.type == "PredictorReady"), None)
    return (predictor.message if predictor else ""), ""


def _condition(item: Mapping[str, Any]) -> Condition:
    return Condition(
        str(item.get("type", "")),
        str(item.get("status", "Unknown")),
        str(item.get("reason") or ""),
        str(item.get("message") or ""),
        seconds(item.get("lastTransitionTime")),
    )


def seconds(stamp: object) -> float | None:
    """Seconds since the epoch of an RFC 3339 time; None where there is none."""
    if not isinstance(stamp, str) or not stamp:
        return None
    try:
        return datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return None


def stamp(moment: float) -> str:
    """RFC 3339 in UTC, to the second, as Kubernetes writes it."""
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

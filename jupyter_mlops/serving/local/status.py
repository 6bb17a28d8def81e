"""The ``status`` of a service at each turn of its life, as KServe would write it. Pure: a document in, a status out.

Conditions: Ready is PredictorReady and IngressReady. ``modelStatus`` goes Pending → Loading → Loaded, or FailedToLoad with
``lastFailureInfo``. A condition keeps its time of transition while its value stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jupyter_mlops.serving.decode import stamp

GONE = "the process that kept this service running is gone (killed, or the machine was restarted)"
LOG_LINES = 20
"""Lines of the log that a failure carries, as KServe's controller takes them from a container."""


def pending(document: Mapping[str, Any], now: float) -> dict[str, Any]:
    """It was asked for."""
    return _status(document, now, "Unknown", "Pending", "", _model("InProgress", "Pending"))


def loading(document: Mapping[str, Any], now: float, message: str = "the model is being loaded") -> dict[str, Any]:
    """The server listens and loads the model; what failed before stays visible."""
    return _status(document, now, "False", "ModelLoading", message, _model("InProgress", "Loading", _failure(document)))


def ready(document: Mapping[str, Any], now: float, port: int, warnings: Sequence[str]) -> dict[str, Any]:
    """It answers. Warnings (version drift, another interpreter) are the condition's message."""
    url = f"http://127.0.0.1:{port}"
    status = _status(document, now, "True", "", "; ".join(warnings), _model("UpToDate", "Loaded", active="Loaded"))
    return status | {"url": url, "address": {"url": url}}


def failed(document: Mapping[str, Any], now: float, lines: Sequence[str], exit_code: int | None, wait: float) -> dict[str, Any]:
    """The server ended before the model was loaded; it is tried again after ``wait`` seconds."""
    info = _info("ModelLoadFailed", now, lines, exit_code)
    message = f"back-off {wait:g}s restarting failed server" + ("" if exit_code is None else f"; exit code {exit_code}")
    model = _model("BlockedByFailedLoad", "FailedToLoad", info)
    return _status(document, now, "False", "CrashLoopBackOff", message, model)


def crashed(document: Mapping[str, Any], now: float, lines: Sequence[str], exit_code: int | None) -> dict[str, Any]:
    """A server that had served ended; it is started again at once."""
    info = _info("RuntimeUnhealthy", now, lines, exit_code)
    message = f"the model server ended (exit code {exit_code}) and is being started again"
    return _status(document, now, "False", "MinimumReplicasUnavailable", message, _model("InProgress", "Loading", info))


def gone(document: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Nobody looks after it any more."""
    model = _model("BlockedByFailedLoad", "FailedToLoad", _info("RuntimeUnhealthy", now, [GONE], None))
    return _status(document, now, "False", "SupervisorGone", GONE, model)


def stopped(document: Mapping[str, Any], now: float) -> dict[str, Any]:
    """A person stopped it."""
    status = _status(document, now, "False", "Stopped", "stopped", _model("UpToDate", "Standby"))
    status["conditions"] = _conditions(document, now, {**_plain(status), "Stopped": ("True", "Stopped", "")})
    return status


def _status(
    document: Mapping[str, Any], now: float, predictor: str, reason: str, message: str, model: Mapping[str, Any]
) -> dict[str, Any]:
    ingress = ("True", "", "") if predictor == "True" else (predictor, "PredictorNotReady", "")
    wanted = {
        "IngressReady": ingress,
        "PredictorReady": (predictor, reason, message),
        "Ready": (predictor, reason, message),
        "Stopped": ("False", "", ""),
    }
    return {
        "observedGeneration": document["metadata"].get("generation", 1),
        "conditions": _conditions(document, now, wanted),
        "modelStatus": dict(model),
    }


def _plain(status: Mapping[str, Any]) -> dict[str, tuple[str, str, str]]:
    return {item["type"]: (item["status"], item.get("reason", ""), item.get("message", "")) for item in status["conditions"]}


def _conditions(document: Mapping[str, Any], now: float, wanted: Mapping[str, tuple[str, str, str]]) -> list[dict[str, Any]]:
    before = {item["type"]: item for item in (document.get("status") or {}).get("conditions") or ()}
    conditions = []
    for kind, (value, reason, message) in wanted.items():
        old = before.get(kind)
        same = old is not None and old.get("status") == value
        moment = old["lastTransitionTime"] if old is not None and same and "lastTransitionTime" in old else stamp(now)
        condition = {"type": kind, "status": value, "lastTransitionTime": moment}
        conditions.append(condition | ({"reason": reason} if reason else {}) | ({"message": message} if message else {}))
    return conditions


def _model(transition: str, target: str, failure: Mapping[str, Any] | None = None, *, active: str = "") -> dict[str, Any]:
    copies = {"failedCopies": int(target == "FailedToLoad"), "totalCopies": int(active == "Loaded")}
    model: dict[str, Any] = {
        "transitionStatus": transition,
        "states": {"activeModelState": active, "targetModelState": target},
        "copies": copies,
    }
    return model | ({"lastFailureInfo": dict(failure)} if failure else {})


def _info(reason: str, now: float, lines: Sequence[str], exit_code: int | None) -> dict[str, Any]:
    info = {"reason": reason, "message": "\n".join(lines[-LOG_LINES:]), "time": stamp(now)}
    return info if exit_code is None else {**info, "exitCode": exit_code}


def _failure(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return ((document.get("status") or {}).get("modelStatus") or {}).get("lastFailureInfo")

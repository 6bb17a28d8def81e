"""How values look to people and scripts: the one place where runs, pipelines and services become JSON or words.

REST, ``--json`` and text show the same things under the same names, so they are spelled here once: the shapes are those of
``server/api.yaml``. Everything in it is a plain ``dict`` of JSON values; nothing here does I/O.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from jupyter_mlops.pipeline.contract import to_json

if TYPE_CHECKING:
    from jupyter_mlops.engine.base import Failure, LogLine, Run, StepRun
    from jupyter_mlops.pipeline.pipeline import Pipeline
    from jupyter_mlops.serving.base import Service

JSON = dict[str, Any]


def conversion_view(pipeline: Pipeline, source_digest: str) -> JSON:
    """What ``convert`` shows."""
    return {**to_json(pipeline), "source_digest": source_digest}


def run_view(run: Run) -> JSON:
    """A run with everything but its Workflow; paths are left as the engine has them."""
    return {
        "name": run.name,
        "pipeline": run.pipeline,
        "phase": run.phase,
        "steps": [_step(step) for step in run.steps],
        "created": run.created,
        "started": run.started,
        "finished": run.finished,
        "parameters": dict(run.parameters),
        "failure": None if run.failure is None else failure_view(run.failure),
        "notebook": run.notebook,
        "executed": run.executed,
        "models": [{key: model[key] for key in ("name", "tag", "digest")} for model in run.models],
        "metrics": finite(run.metrics),
        "source_digest": run.source_digest,
        "revision": run.revision,
        "target": run.target,
        "resumed": run.resumed,
        "paused": run.paused,
    }


def failure_view(failure: Failure) -> JSON:
    """Why a run failed."""
    return {**asdict(failure), "traceback": list(failure.traceback), "facts": list(failure.facts)}


def log_view(line: LogLine) -> JSON:
    """A line of a step's log, in words where the line was a structured one."""
    return {"step": line.step, "text": line.text, "time": line.time}


def service_view(service: Service) -> JSON:
    """A service with everything but its document."""
    return {
        "name": service.name,
        "namespace": service.namespace,
        "phase": service.phase,
        "ready": service.ready,
        "url": service.url,
        "model": service.model,
        "created": service.created,
        "conditions": [asdict(condition) for condition in service.conditions],
        "message": service.message,
        "fix": service.fix,
        "blame": service.blame,
        "facts": list(service.facts),
        "target": service.target,
    }


def finite(metrics: Mapping[str, float]) -> dict[str, float]:
    """Metrics that JSON can say: a loss that became NaN has no JSON number, and a missing one reads better than null."""
    return {name: value for name, value in metrics.items() if math.isfinite(value)}


def seconds(started: float | None, finished: float | None, now: float | None = None) -> float | None:
    """How long it took, or has taken until ``now``; None if it never started."""
    if started is None:
        return None
    end = finished if finished is not None else now
    return None if end is None else max(0.0, end - started)


def _step(step: StepRun) -> JSON:
    return {
        "name": step.name,
        "phase": step.phase,
        "cells": list(step.cells),
        "needs": list(step.needs),
        "started": step.started,
        "finished": step.finished,
        "progress": None if step.progress is None else list(step.progress),
        "message": step.message,
        "cached": step.cached,
        "cause": None if step.cause is None else failure_view(step.cause),
        "failing": step.failing,
    }

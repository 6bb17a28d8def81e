"""A run as its record in the registry holds it, and a record as the run that it was.

The record is the run's fields by their names, as the REST interface shows them; the Workflow is a file of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from jupyter_mlops.engine.base import Failure, Run, StepRun

_RUN = frozenset(field.name for field in fields(Run)) - {"workflow", "steps", "failure"}
_STEP = frozenset(field.name for field in fields(StepRun)) - {"cause"}
_FAILURE = frozenset(field.name for field in fields(Failure))


def run_record(run: Run) -> dict[str, Any]:
    """The fields of a run, as JSON has them."""
    record = asdict(replace(run, workflow={}))
    del record["workflow"]
    return record


def run_of_record(record: Mapping[str, Any], workflow: Mapping[str, Any] | None = None) -> Run:
    """The run that a record tells of. Fields of a later version are left out.

    Raises:
        KeyError, TypeError, ValueError: it is no record of a run.
    """
    steps = tuple(_step(step) for step in record.get("steps") or ())
    known = {key: record[key] for key in _RUN & record.keys()}
    known["models"] = tuple(known.get("models") or ())
    return Run(**known, steps=steps, failure=_failure(record.get("failure")), workflow=workflow or {})


def _step(record: Mapping[str, Any]) -> StepRun:
    known = {key: record[key] for key in _STEP & record.keys()}
    for key in ("cells", "needs"):
        known[key] = tuple(known.get(key) or ())
    progress = known.get("progress")
    known["progress"] = (int(progress[0]), int(progress[1])) if progress else None
    return StepRun(**known, cause=_failure(record.get("cause")))


def _failure(record: Mapping[str, Any] | None) -> Failure | None:
    if not record:
        return None
    known = {key: record[key] for key in _FAILURE & record.keys()}
    for key in ("traceback", "facts"):
        known[key] = tuple(known.get(key) or ())
    return Failure(**known)

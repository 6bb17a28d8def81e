"""A run as it is now, from everything that is known of it: Workflow, pods, events, what the steps told, their reports.

Pure. The Workflow's own status decides phases and times; the notebook's own words (termination message, report) come before
ours about why a step failed, unless the platform ended it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from jupyter_mlops.diagnose.cause import Cause
from jupyter_mlops.diagnose.workflow import causes
from jupyter_mlops.engine.argo.nodes import unpack
from jupyter_mlops.engine.argo.pods import Pod, node_of_pod
from jupyter_mlops.engine.argo.reports import Report
from jupyter_mlops.engine.base import DONE, Failure, Run, StepRun
from jupyter_mlops.engine.decode import FAILURE, METRICS, MODELS, PROGRESS, run_of, step_nodes
from jupyter_mlops.engine.failures import failure_of_cause, failure_of_message, failure_of_object, told_failure
from jupyter_mlops.engine.told import Told

_GENERIC = frozenset({"step-failed", "exit-code", "run-failed"})
"""Codes that only say that the step's own program failed: its own report says more."""


@dataclass(slots=True)
class Scene:
    """What is known of a run. ``told`` is by node, ``reports`` by step."""

    workflow: Mapping[str, Any]
    pods: Sequence[Pod] = ()
    events: Sequence[Mapping[str, Any]] = ()
    told: Mapping[str, Told] = field(default_factory=dict)
    reports: Mapping[str, Report] = field(default_factory=dict)
    controller_seen: float | None = None
    now: float = 0.0


def view(scene: Scene, *, target: str, notebook: str | None = None, executed: str | None = None) -> Run:
    """The run of a scene."""
    workflow, unreadable = unpack(scene.workflow)
    run = replace(run_of(workflow, {"notebook": notebook, "executed": executed}), target=target)
    annotations = (workflow.get("metadata") or {}).get("annotations") or {}
    nodes = step_nodes(workflow)
    found = causes(workflow, scene.pods, scene.events, controller_seen=scene.controller_seen, now=scene.now)
    last = {name: _attempt(node, scene) for name, node in nodes.items()}
    noted = PROGRESS in annotations
    steps = tuple(
        replace(step, cause=unreadable)
        if unreadable and not nodes
        else _step(step, nodes.get(step.name), found, last.get(step.name), scene.reports.get(step.name), noted=noted)
        for step in run.steps
    )
    run = replace(run, steps=steps)
    if FAILURE in annotations and run.failure is not None:
        steps = tuple(replace(one, cause=run.failure) if one.name == run.failure.step else one for one in steps)
        run = replace(run, steps=steps)
    if MODELS not in annotations or METRICS not in annotations:
        run = _with_results(run, scene, last)
    if run.phase in {"Failed", "Error"} and FAILURE not in annotations:
        run = replace(run, failure=_failure(run, nodes, found.get("")))
    elif run.phase not in DONE and "" in found:
        run = _waiting(run, found[""])
    return replace(run, revision=max([run.revision, *(_version(pod) for pod in scene.pods)]))


def _attempt(node: Mapping[str, Any], scene: Scene) -> tuple[str, Told | None]:
    """The node of a step's last attempt, and what it told."""
    attempts = [child for child in node.get("children") or () if isinstance(child, str)] if node.get("type") == "Retry" else []
    for key in (*reversed(attempts), str(node.get("id") or "")):
        if key in scene.told:
            return key, scene.told[key]
    return (attempts[-1] if attempts else str(node.get("id") or "")), None


def _step(
    step: StepRun,
    node: Mapping[str, Any] | None,
    found: Mapping[str, Cause],
    last: tuple[str, Told | None] | None,
    report: Report | None,
    *,
    noted: bool,
) -> StepRun:
    """A step with its progress and why it failed or waits; ``noted``: its progress was kept when the run was recorded."""
    if node is None or last is None:
        return step
    told = last[1]
    cause = found.get(str(node.get("id"))) or found.get(last[0])
    progress = told.progress if told and told.progress else step.progress or _reported_progress(report, step)
    if step.phase == "Succeeded" and progress and not noted and (told is None or told.progress is None):
        progress = (progress[1], progress[1])
    step = replace(step, progress=progress)
    if step.phase in {"Failed", "Error"}:
        failure = _step_failure(step.name, str(node.get("message") or ""), cause, report, told)
        return replace(step, cause=failure, message=failure.message if failure else step.message)
    if step.phase not in DONE and cause:
        return replace(step, cause=failure_of_cause(cause, step.name), message=cause.message, failing=cause.ended)
    return step


def _step_failure(step: str, message: str, cause: Cause | None, report: Report | None, told: Told | None) -> Failure | None:
    """Why a step failed: the notebook's own exception with its cell, unless the platform ended the step."""
    if said := told_failure(message, step):
        return said
    cell = told.running_cell if told else None
    if cause and cause.code not in _GENERIC:
        return failure_of_cause(cause, step, cell)
    if report and isinstance(report.config.get("failure"), Mapping):
        return failure_of_object(report.config["failure"], step)
    if cause:
        return failure_of_cause(cause, step, cell)
    return failure_of_message(message, step)


def _reported_progress(report: Report | None, step: StepRun) -> tuple[int, int] | None:
    """Cells done as a report has them."""
    cells = report.config.get("cells") if report else None
    if not isinstance(cells, list) or not step.cells:
        return None
    done = sum(1 for cell in cells if isinstance(cell, Mapping) and cell.get("phase") == "succeeded")
    return min(done, len(step.cells)), len(step.cells)


def _with_results(run: Run, scene: Scene, last: Mapping[str, tuple[str, Told | None]]) -> Run:
    """With the models and metrics of all steps, in the steps' order."""
    whole = Told()
    for step in run.steps:
        if (told := last.get(step.name, ("", None))[1]) is not None:
            whole.take_report({"metrics": dict(told.metrics), "models": list(told.models)})
        if report := scene.reports.get(step.name):
            whole.take_report(report.config)
    return replace(run, metrics={**run.metrics, **whole.metrics}, models=run.models or tuple(whole.models))


def _failure(run: Run, nodes: Mapping[str, Mapping[str, Any]], whole: Cause | None) -> Failure | None:
    """The run's: that of the step that failed first, else what is said of the run as a whole."""
    failed = [step for step in run.steps if step.phase in {"Failed", "Error"} and step.cause]
    if failed:
        return min(failed, key=lambda step: str(nodes.get(step.name, {}).get("finishedAt") or "9")).cause
    return failure_of_cause(whole, None) if whole else run.failure


def _waiting(run: Run, cause: Cause) -> Run:
    """A run that waits as a whole: its first step that has not begun says why."""
    if any(step.cause for step in run.steps):
        return run
    waiting = next((index for index, step in enumerate(run.steps) if step.phase == "Pending"), None)
    if waiting is None:
        return run
    step = run.steps[waiting]
    told = replace(step, cause=failure_of_cause(cause, step.name), message=cause.message)
    return replace(run, steps=(*run.steps[:waiting], told, *run.steps[waiting + 1 :]))


def _version(pod: Pod) -> int:
    """A pod's version: objects of one cluster share one counter, so that news of a pod is news of its run."""
    text = str((pod.get("metadata") or {}).get("resourceVersion") or "")
    return int(text) if text.isdecimal() else 0


def told_of_pods(pods: Sequence[Pod], told: Mapping[str, Told]) -> dict[str, Told]:
    """What pods told (by the uid of a pod) by node."""
    return {node_of_pod(pod): told[uid] for pod in pods if (uid := str((pod.get("metadata") or {}).get("uid") or "")) in told}

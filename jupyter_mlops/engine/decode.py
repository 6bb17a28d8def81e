"""One decoder of a Workflow with its status into a ``Run``, for every engine.

What Argo's controller writes is all that is needed: the plan in an annotation says which cells a step has and what it needs,
nodes say how far each is, a failed node's message carries the termination message that the step left. What an engine found
out beside that (models, metrics, why a pod never started) is kept in annotations of the same document.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jupyter_mlops.engine.base import DONE, Failure, Phase, Run, StepRun
from jupyter_mlops.engine.branches import branch_of, group_of
from jupyter_mlops.engine.failures import failure_of_message, failure_of_object, told_failure
from jupyter_mlops.engine.times import moment
from jupyter_mlops.oci.names import LABEL

FAILURE, MODELS, METRICS, PROGRESS = LABEL + "failure", LABEL + "models", LABEL + "metrics", LABEL + "progress"
"""Annotations in which an engine keeps what the status has no field for."""

RESUME = "mlops-resume"
"""Workflow parameter that names the run whose finished steps are taken over."""

SUBMITTED = LABEL + "submitted"
"""Annotation: when the run was submitted, to the microsecond; Kubernetes keeps the second only, too little to page by."""

PLAN, SOURCE, PIPELINE = LABEL + "plan", LABEL + "source-digest", LABEL + "pipeline"
_PHASES: Mapping[str, Phase] = {
    "": "Pending", "Pending": "Pending", "Running": "Running", "Succeeded": "Succeeded", "Failed": "Failed", "Error": "Error",
    "Skipped": "Skipped", "Omitted": "Skipped", "Daemoned": "Running",
}  # fmt: skip
_STOPPED = re.compile(
    r"shutdown with strategy|^(main: )?(Error|OOMKilled) \(exit code (137|143)\)|^terminated$|^Stopped with strategy|^pod deleted$"
)
"""What nodes say that were asked to end; Argo 3.7 deletes a pod that does not end at once."""
STOPPED = "stopped"
"""Code of a step that was asked to end (``runner/main.py``)."""

_PROGRESS = re.compile(r"^([0-9]{1,9})/([0-9]{1,9})$")


def run_of(workflow: Mapping[str, Any], request: Mapping[str, Any] | None = None) -> Run:
    """The run that a Workflow with its status describes. Never fails on a document that Kubernetes would hold.

    Args:
        workflow: the document; kept as ``Run.workflow``.
        request: what only this machine knows of it: ``notebook`` and ``executed``, paths or None.
    """
    metadata, spec, status = (_mapping(workflow.get(key)) for key in ("metadata", "spec", "status"))
    annotations, labels = _mapping(metadata.get("annotations")), _mapping(metadata.get("labels"))
    known = _mapping(request)
    name = str(metadata.get("name") or metadata.get("generateName") or "")
    phase = _PHASES.get(str(status.get("phase") or ""), "Running")
    if phase in {"Failed", "Error"} and spec.get("shutdown") in {"Stop", "Terminate"}:
        phase = "Stopped"
    nodes = step_nodes(workflow)
    steps = tuple(_steps(workflow, annotations, phase, nodes))
    started, created = moment(status.get("startedAt")), created_at(workflow)
    return Run(
        name=name,
        pipeline=str(labels.get(PIPELINE) or str(metadata.get("generateName") or name).rstrip("-")),
        phase=phase,
        steps=steps,
        created=created if created is not None else started or 0.0,
        started=started,
        finished=moment(status.get("finishedAt")),
        parameters=_parameters(spec),
        failure=_failure(status, annotations, steps, nodes) if phase in {"Failed", "Error"} else None,
        notebook=known.get("notebook"),
        executed=known.get("executed"),
        models=tuple(_objects(_json(annotations.get(MODELS), list))),
        metrics={str(k): v for k, v in _json(annotations.get(METRICS), dict).items() if isinstance(v, int | float)},
        source_digest=str(annotations.get(SOURCE) or ""),
        revision=_revision(metadata.get("resourceVersion")),
        resumed=_argument(spec, RESUME) or None,
        paused=bool(spec.get("suspend")) and phase not in DONE,
        workflow=workflow,
    )


def created_at(workflow: Mapping[str, Any]) -> float | None:
    """When a Workflow was made, fine enough that no two runs share a time.

    What the submitter noted counts where its clock agrees with the API server's; else the second is the server's, and its
    fraction only keeps the order of runs definite.
    """
    metadata = _mapping(workflow.get("metadata"))
    created = moment(metadata.get("creationTimestamp"))
    if created is None or created % 1:
        return created
    noted = moment(_mapping(metadata.get("annotations")).get(SUBMITTED))
    if noted is None:
        uid = metadata.get("uid")
        return created + zlib.crc32(uid.encode()) % 1_000_000 / 1e6 if isinstance(uid, str) else created
    return noted if -_SKEW < noted - created < 1 + _SKEW else created + noted % 1


_SKEW = 2.0
"""Seconds by which two clocks may differ and still count as one."""


def _steps(
    workflow: Mapping[str, Any], annotations: Mapping[str, Any], phase: Phase, nodes: Mapping[str, Mapping[str, Any]]
) -> Iterator[StepRun]:
    """Steps in the plan's order, else the DAG's, each with the state of its node."""
    told = _json(annotations.get(PROGRESS), dict)
    for name, cells, needs in _planned(workflow, annotations):
        node = nodes.get(name)
        if node is None:
            yield StepRun(name, "Skipped" if phase in DONE else "Pending", cells, needs)
            continue
        yield _step(name, cells, needs, node, phase, told)
        for branch in sorted((one for one in nodes if group_of(one) == name), key=lambda one: branch_of(one) or 0):
            yield _step(branch, cells, needs, nodes[branch], phase, told)


def _step(
    name: str, cells: tuple[int, ...], needs: tuple[str, ...], node: Mapping[str, Any], phase: Phase, told: Mapping[str, Any]
) -> StepRun:
    """One step, or one branch of a step that fans out."""
    message = str(node.get("message") or "")
    own = _PHASES.get(str(node.get("phase") or ""), "Running")
    if phase == "Stopped" and own in {"Failed", "Error"} and _was_stopped(message):
        own = "Stopped"
    if own in {"Failed", "Error"} and (found := failure_of_message(message, name)):
        message = found.message
    begun, ended = (None, None) if own == "Skipped" else (moment(node.get("startedAt")), moment(node.get("finishedAt")))
    cached = _output(node, "cached") == "true"
    progress = None if node.get("type") == GROUP else _progress(told.get(name) or node.get("progress"), len(cells))
    return StepRun(name, own, cells, needs, begun, ended, progress, message, cached)


def _was_stopped(message: str) -> bool:
    """Whether a node ended because it was asked to: in Argo's words, or in those that our runner left when it had the time."""
    told = told_failure(message, None)
    return told.code == STOPPED if told else bool(_STOPPED.search(message))


GROUP = "TaskGroup"
"""Type of the node above the branches of a step that fans out."""


def _planned(workflow: Mapping[str, Any], annotations: Mapping[str, Any]) -> list[tuple[str, tuple[int, ...], tuple[str, ...]]]:
    """(step, cells, needs) in order."""
    plan = _json(annotations.get(PLAN), dict).get("steps")
    if isinstance(plan, list):
        return [
            (
                str(step.get("name")),
                tuple(c for c in _list(step.get("cells")) if isinstance(c, int)),
                tuple(_texts(step.get("needs"))),
            )
            for step in _objects(plan)
        ]
    spec = _mapping(workflow.get("spec"))
    entry = next((t for t in _objects(spec.get("templates")) if t.get("name") == spec.get("entrypoint")), {})
    tasks = _mapping(entry.get("dag")).get("tasks")
    if not isinstance(tasks, list):
        return [(str(spec["entrypoint"]), (), ())] if spec.get("entrypoint") else []
    names = [str(task.get("name")) for task in _objects(tasks)]
    return [(str(task.get("name")), (), _needs(task, names)) for task in _objects(tasks)]


def _needs(task: Mapping[str, Any], names: Sequence[str]) -> tuple[str, ...]:
    """Tasks that a task names in ``depends`` or ``dependencies``."""
    if isinstance(task.get("dependencies"), list):
        return tuple(str(name) for name in task["dependencies"])
    words = re.findall(r"[a-zA-Z0-9][-a-zA-Z0-9]*", str(task.get("depends") or ""))
    return tuple(name for name in dict.fromkeys(words) if name in names)


def step_nodes(workflow: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Node of each step; the last attempt lends a Retry node the progress, message and outputs that Argo writes only there."""
    metadata, status = _mapping(workflow.get("metadata")), _mapping(workflow.get("status"))
    nodes = {str(key): node for key, node in _mapping(status.get("nodes")).items() if isinstance(node, dict)}
    found: dict[str, Mapping[str, Any]] = {}
    for node in nodes.values():
        if node.get("type") in {"DAG", "Steps", "StepGroup"} or _is_attempt(node):
            continue
        attempts = [nodes[child] for child in _texts(node.get("children")) if _is_attempt(nodes.get(child, {}))]
        if node.get("type") == "Retry" and attempts:
            last = max(attempts, key=lambda attempt: str(attempt.get("startedAt") or ""))
            message = last.get("message") or node.get("message")  # the node's own is "No more retries left"
            outputs = last.get("outputs") or node.get("outputs")
            node = {**node, "progress": last.get("progress"), "message": message, "outputs": outputs}  # noqa: PLW2901
        name = str(node.get("displayName") or "")
        if group_of(name):
            name = f"{group_of(name)}({branch_of(name)})"
        single = node.get("name") == metadata.get("name")
        found[str(node.get("templateName")) if single else name] = node
    return found


def _output(node: Mapping[str, Any], name: str) -> str:
    """Value of an output parameter; '' where there is none yet."""
    found = _objects(_mapping(node.get("outputs")).get("parameters"))
    return next((str(parameter.get("value") or "") for parameter in found if parameter.get("name") == name), "")


def _is_attempt(node: Mapping[str, Any]) -> bool:
    return bool(_mapping(node.get("nodeFlag")).get("retried"))


def _failure(
    status: Mapping[str, Any],
    annotations: Mapping[str, Any],
    steps: Sequence[StepRun],
    nodes: Mapping[str, Mapping[str, Any]],
) -> Failure:
    """The root cause: what the engine found out, else the first step that failed, else what the run itself says."""
    if own := _json(annotations.get(FAILURE), dict):
        return failure_of_object(own, None)
    for name, node in sorted(nodes.items(), key=lambda item: str(item[1].get("finishedAt") or "9")):
        if node.get("phase") not in {"Failed", "Error"}:
            continue
        step = name if any(step.name == name for step in steps) else str(node.get("templateName") or "") or None
        if found := failure_of_message(str(node.get("message") or ""), step):
            return found
    message = str(status.get("message") or "") or "the run failed without saying why"
    return failure_of_message(message, None) or Failure("run-failed", message, blame="platform")


def _argument(spec: Mapping[str, Any], name: str) -> str:
    """Value of a workflow parameter; '' where there is none."""
    found = _objects(_mapping(spec.get("arguments")).get("parameters"))
    return next((str(parameter.get("value") or "") for parameter in found if parameter.get("name") == name), "")


def _parameters(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The notebook's parameters; those of the platform hold a '-', which no Python name does."""
    found: dict[str, Any] = {}
    for parameter in _objects(_mapping(spec.get("arguments")).get("parameters")):
        name, value = str(parameter.get("name")), parameter.get("value")
        if "-" in name:
            continue
        try:
            found[name] = json.loads(value) if isinstance(value, str) else value
        except ValueError:
            found[name] = value
    return found


def _progress(text: Any, cells: int) -> tuple[int, int] | None:
    """Cells done of cells. Argo gives every pod ``0/1`` until it says something else: that is no count of several cells."""
    match = _PROGRESS.match(text) if isinstance(text, str) else None
    found = (int(match.group(1)), int(match.group(2))) if match else None
    return None if found and found[1] == 1 != cells else found


def _revision(text: Any) -> int:
    return int(text) if isinstance(text, str | int) and str(text).isdecimal() else 0


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in _list(value) if isinstance(item, Mapping)]


def _texts(value: Any) -> list[str]:
    return [item for item in _list(value) if isinstance(item, str)]


def _json(text: Any, kind: type[Any]) -> Any:
    """A JSON annotation if it is of the kind expected, else an empty one of it."""
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        found = None
    return found if isinstance(found, kind) else kind()

"""Reads a Workflow document as Argo would, within the subset that one machine can run honestly.

What comes out is a ``Program``: tasks in document order with what each needs, and their templates with defaults filled in.
It knows nothing of how pipelines are compiled: any Workflow of plain containers and one DAG is taken, whoever wrote it, and
everything else is refused with the path of the field (see ``fields``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from jupyter_mlops.engine.local.depends import needs_of
from jupyter_mlops.engine.local.fields import check, listed, refusal
from jupyter_mlops.engine.local.quantities import seconds
from jupyter_mlops.engine.local.template_text import tags

_NAME = re.compile(r"^[a-zA-Z0-9][-a-zA-Z0-9]{0,127}$")
_POLICIES = ("OnFailure", "Always", "OnError")


@dataclass(frozen=True, slots=True)
class Output:
    """An output parameter: the file it is read from, and its value where there is no such file."""

    name: str
    path: str
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """A container template; ``inputs`` maps each parameter to its default, None where there is none."""

    name: str
    container: Mapping[str, Any]
    inputs: Mapping[str, str | None] = field(default_factory=dict)
    outputs: tuple[Output, ...] = ()
    retries: int = 0
    retry_policy: str = "OnFailure"
    timeout: float | None = None
    """Seconds an attempt may take; on one machine nothing waits for a node, so ``timeout`` and the pod's deadline are one."""

    volumes: tuple[str, ...] = ()
    """Names of the volumes that its mounts may use."""

    claims: Mapping[str, str] = field(default_factory=dict)
    """Those of them that outlive the run, each with the name of its PersistentVolumeClaim: folders on this machine."""


@dataclass(frozen=True, slots=True)
class Task:
    """One task of the DAG."""

    name: str
    template: Template
    needs: tuple[str, ...] = ()
    arguments: Mapping[str, str] = field(default_factory=dict)
    skippable: frozenset[str] = frozenset()
    """Those of ``needs`` that may have been skipped."""

    when: str = ""
    """Condition of the form ``A == B``; '' for none."""

    items: str = ""
    """``withParam``: a JSON list, or the tag of one; '' where the task runs once."""

    node: str = ""
    """Name of its node, where that is another than its own: a branch is called after its item in Argo."""

    group: str = ""
    """The task that it is a branch of."""

    last: bool = False
    """Whether it belongs to the exit handler."""


@dataclass(frozen=True, slots=True)
class Program:
    """All that the supervisor runs."""

    entrypoint: str
    tasks: tuple[Task, ...]
    parameters: Mapping[str, str]
    dag: bool = True
    """Whether the entrypoint is a DAG; else it is one container, and the run's only task."""

    deadline: float | None = None
    parallelism: int | None = None
    fail_fast: bool = True
    last: tuple[Task, ...] = ()
    """Tasks of the exit handler."""

    exit: str = ""
    """Template of the exit handler; '' for none."""


def read_program(workflow: Mapping[str, Any]) -> Program:
    """The program of a Workflow. Raises Refused, with the field, for what one machine does not run."""
    if workflow.get("kind") != "Workflow" or workflow.get("apiVersion") != "argoproj.io/v1alpha1":
        raise refusal("kind", "it is not an argoproj.io/v1alpha1 Workflow")
    spec = check("spec", workflow.get("spec"), "spec")
    parameters = _values(check("arguments", spec.get("arguments") or {}, "spec.arguments"), "spec.arguments", required=True)
    volumes = _empty_dirs(spec, "spec")
    documents: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for index, raw in enumerate(listed(spec, "templates", "spec")):
        path = f"spec.templates[{index}]"
        document = check("template", raw, path)
        documents[_name(document, path)] = (path, document)
    entrypoint = spec.get("entrypoint")
    if entrypoint not in documents:
        raise refusal("spec.entrypoint", f"there is no template named {entrypoint!r}")
    path, entry = documents[entrypoint]
    fail_fast = True
    templates = {
        name: _template(document, place, volumes)
        for name, (place, document) in documents.items()
        if document.get("container") and (entry.get("dag") or spec.get("onExit"))
    }
    if entry.get("dag"):
        dag = check("dag", entry["dag"], f"{path}.dag")
        fail_fast = dag.get("failFast") is not False
        tasks = _tasks(dag, f"{path}.dag", templates)
    elif entry.get("steps"):
        raise refusal(f"{path}.steps", "steps in place of a DAG, but at a run's end, are not supported on this machine")
    elif entry.get("suspend"):
        _check_pause(entry["suspend"], f"{path}.suspend")
        tasks = ()
    else:
        tasks = (Task(entrypoint, _template(entry, path, volumes)),)
    last = _exit(spec, documents, templates)
    for task in tasks:
        _check_tags(task, parameters, {t.name: t for t in tasks})
    for task in last:
        _check_tags(task, parameters, {t.name: t for t in last}, frozenset({"workflow.status"}))
    deadline = _time(spec, "activeDeadlineSeconds", "spec")
    return Program(
        entrypoint, tasks, parameters, bool(entry.get("dag")), deadline, _parallelism(spec), fail_fast, last,
        str(spec.get("onExit") or ""),
    )  # fmt: skip


def _exit(
    spec: Mapping[str, Any], documents: Mapping[str, tuple[str, Mapping[str, Any]]], templates: Mapping[str, Template]
) -> tuple[Task, ...]:
    """Tasks of the exit handler: those of a DAG, or steps, of which each group waits for the one before."""
    name = spec.get("onExit")
    if not name:
        return ()
    if name not in documents:
        raise refusal("spec.onExit", f"there is no template named {name!r}")
    path, document = documents[name]
    if document.get("steps"):
        tasks = _tasks({"tasks": _steps(document, path)}, f"{path}.steps", templates)
    elif document.get("dag"):
        tasks = _tasks(check("dag", document["dag"], f"{path}.dag"), f"{path}.dag", templates)
    else:
        raise refusal("spec.onExit", f"the template {name!r} has neither steps nor a DAG")
    if any(task.when or task.items for task in tasks):
        raise refusal("spec.onExit", "an exit handler that fans out or has conditions")
    return tuple(replace(task, last=True) for task in tasks)


def _steps(document: Mapping[str, Any], path: str) -> list[dict[str, Any]]:
    """Groups of steps as the tasks of a DAG."""
    found: list[dict[str, Any]] = []
    before: list[Any] = []
    for number, group in enumerate(listed(document, "steps", path)):
        place = f"{path}.steps[{number}]"
        if not isinstance(group, list):
            raise refusal(place, f"{place} is not a list")
        steps = [check("task", raw, place) for raw in group]
        if any(step.get("depends") or step.get("dependencies") for step in steps):
            raise refusal(place, f"a step of {place} depends on others, as only tasks do")
        found += [{**step, "dependencies": before} for step in steps]
        before = [step.get("name") for step in steps]
    return found


def _template(document: Mapping[str, Any], path: str, shared: Sequence[str]) -> Template:
    """A container template; other kinds of template have been refused as unknown fields."""
    if not document.get("container"):
        raise refusal(path, f"{path} has no container")
    container = check("container", document["container"], f"{path}.container")
    if not listed(container, "command", f"{path}.container"):
        raise refusal(f"{path}.container.command", "a container without a command needs its image, which only a cluster has")
    volumes = (*shared, *_empty_dirs(document, path))
    for index, raw in enumerate(listed(container, "volumeMounts", f"{path}.container")):
        place = f"{path}.container.volumeMounts[{index}]"
        mount = check("mount", raw, place)
        if mount.get("name") not in volumes or not str(mount.get("mountPath", "")).startswith("/"):
            raise refusal(place, f"{place} mounts {mount.get('name')!r}, which is no emptyDir volume of the Workflow")
    for index, raw in enumerate(listed(container, "env", f"{path}.container")):
        _check_env(check("env", raw, f"{path}.container.env[{index}]"), f"{path}.container.env[{index}]")
    inputs = _values(check("arguments", document.get("inputs") or {}, f"{path}.inputs"), f"{path}.inputs")
    retry = check("retryStrategy", document.get("retryStrategy") or {}, f"{path}.retryStrategy")
    policy = str(retry.get("retryPolicy") or "OnFailure")
    if policy not in _POLICIES:
        raise refusal(f"{path}.retryStrategy.retryPolicy", f"the retry policy {policy!r} is not supported on this machine")
    limits = [t for t in (_time(document, "timeout", path), _time(document, "activeDeadlineSeconds", path)) if t is not None]
    return Template(
        _name(document, path), container, inputs, _outputs(document, path), _count(retry, f"{path}.retryStrategy"), policy,
        min(limits, default=None), tuple(volumes), _claims(document),
    )  # fmt: skip


def _tasks(dag: Mapping[str, Any], path: str, templates: Mapping[str, Template]) -> tuple[Task, ...]:
    """Tasks in document order; every name that they need exists and nothing goes round in a circle."""
    tasks: list[Task] = []
    for index, raw in enumerate(listed(dag, "tasks", path)):
        place = f"{path}.tasks[{index}]"
        document = check("task", raw, place)
        template = templates.get(str(document.get("template")))
        if template is None:
            raise refusal(f"{place}.template", f"there is no container template named {document.get('template')!r}")
        if document.get("depends"):
            needs = needs_of(str(document["depends"]))
            if needs is None:
                raise refusal(f"{place}.depends", f"{document['depends']!r} says more than that steps have succeeded")
        else:
            needs = {str(name): True for name in listed(document, "dependencies", place)}
        arguments = _values(check("arguments", document.get("arguments") or {}, f"{place}.arguments"), f"{place}.arguments")
        given = {name: value for name, value in arguments.items() if value is not None}
        for name, default in template.inputs.items():
            if default is None and name not in given:
                raise refusal(f"{place}.arguments", f"inputs.parameters.{name} of template {template.name!r} was not supplied")
        skippable = frozenset(name for name, allowed in needs.items() if allowed)
        when, items = str(document.get("when") or ""), str(document.get("withParam") or "")
        if when and condition(when) is None:
            raise refusal(f"{place}.when", f"{when!r} is more than a comparison with ==")
        tasks.append(Task(_name(document, place), template, tuple(needs), given, skippable, when, items))
    if not tasks:
        raise refusal(f"{path}.tasks", "there is no task to run")
    _check_order(tasks, path)
    return tuple(tasks)


def _check_order(tasks: Sequence[Task], path: str) -> None:
    """Unique names, known needs, no circle."""
    needs = {task.name: task.needs for task in tasks}
    if len(needs) < len(tasks):
        raise refusal(f"{path}.tasks", "two tasks have the same name")
    done: set[str] = set()
    while len(done) < len(needs):
        free = [name for name, wants in needs.items() if name not in done and done.issuperset(wants)]
        if not free:
            stuck = sorted(set(needs) - done)
            raise refusal(f"{path}.tasks", f"{', '.join(stuck)} wait for each other or for a task that does not exist")
        done.update(free)


def condition(text: str) -> tuple[str, str] | None:
    """Both sides of ``A == B``, without quotes; None for anything else."""
    left, equals, right = text.partition("==")
    if not equals or re.search(r"[=!<>&|]", left + right):
        return None
    return left.strip().strip("'\""), right.strip().strip("'\"")


def _check_tags(task: Task, parameters: Mapping[str, str], tasks: Mapping[str, Task], more: frozenset[str] = frozenset()) -> None:
    """Every tag of a task and its template can be resolved when the task starts."""
    common = {f"workflow.parameters.{name}" for name in parameters} | {"workflow.name", "workflow.namespace", "workflow.uid"}
    common |= more
    before = _before(task, tasks)
    sure = {name for name in before if not (tasks[name].when or tasks[name].items)}
    earlier = {f"tasks.{name}.outputs.parameters.{output.name}" for name in sure for output in tasks[name].template.outputs}
    earlier |= {f"tasks.{name}.status" for name in before if not tasks[name].items}  # Argo tells none of a group
    item = {"item"} if task.items else set[str]()
    own = {f"inputs.parameters.{name}" for name in task.template.inputs} | {"pod.name", "retries"}
    for where, value, known in (
        (f"tasks.{task.name}.arguments", dict(task.arguments), common | earlier | item),
        (f"tasks.{task.name}.withParam", task.items, common | earlier),
        (f"tasks.{task.name}.when", task.when, common | earlier | item),
        (f"templates.{task.template.name}.container", task.template.container, common | own),
        (f"templates.{task.template.name}.outputs", [output.path for output in task.template.outputs], common | own),
    ):
        for tag in tags(value):
            if tag not in known:
                raise refusal(where, f"{{{{{tag}}}}} in {where} cannot be resolved")


def _before(task: Task, tasks: Mapping[str, Task]) -> set[str]:
    """Every task that has surely ended when this one starts."""
    found: set[str] = set()
    waiting = list(task.needs)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += tasks[name].needs
    return found


def _check_pause(suspend: Any, path: str) -> None:
    """A pause of no time is a workflow that does nothing; one that waits for a person is not for this machine."""
    if not isinstance(suspend, Mapping) or set(suspend) != {"duration"} or seconds(suspend["duration"]) != 0:
        raise refusal(path, "a Workflow that waits to be resumed is not supported on this machine")


def _outputs(document: Mapping[str, Any], path: str) -> tuple[Output, ...]:
    found = []
    parameters = listed(check("arguments", document.get("outputs") or {}, f"{path}.outputs"), "parameters", f"{path}.outputs")
    for index, raw in enumerate(parameters):
        place = f"{path}.outputs.parameters[{index}]"
        parameter = check("parameter", raw, place)
        source = parameter.get("valueFrom")
        if not isinstance(source, Mapping) or not source.get("path") or set(source) - {"path", "default"}:
            raise refusal(f"{place}.valueFrom", "an output parameter is read from a file, and from nothing else, on this machine")
        default = source.get("default")
        found.append(Output(str(parameter.get("name")), str(source["path"]), None if default is None else str(default)))
    return tuple(found)


def _values(document: Mapping[str, Any], path: str, *, required: bool = False) -> dict[str, Any]:
    """Parameters and their values as text, None where a value is left to others."""
    found: dict[str, Any] = {}
    for index, raw in enumerate(listed(document, "parameters", path)):
        place = f"{path}.parameters[{index}]"
        parameter = check("parameter", raw, place)
        if parameter.get("valueFrom"):
            raise refusal(f"{place}.valueFrom", "a parameter from elsewhere is not supported on this machine")
        value = parameter.get("value", parameter.get("default"))
        if value is not None and parameter.get("enum") and _text(value) not in map(_text, parameter["enum"]):
            allowed = ", ".join(map(_text, parameter["enum"]))
            raise refusal(f"{place}.value", f"the parameter {parameter.get('name')!r} is {_text(value)}; it takes {allowed}")
        if value is None and required:
            raise refusal(f"{place}.value", f"the parameter {parameter.get('name')!r} has no value")
        found[str(parameter.get("name"))] = None if value is None else _text(value)
    return found


def _text(value: Any) -> str:
    """Numbers and booleans that YAML made of a value become the text that Argo reads (its ``AnyString``)."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _check_env(variable: Mapping[str, Any], path: str) -> None:
    source = variable.get("valueFrom")
    if source and (not isinstance(source, Mapping) or set(source) != {"secretKeyRef"}):
        raise refusal(f"{path}.valueFrom", "on this machine a variable is a value or the key of a Secret")


def _empty_dirs(document: Mapping[str, Any], path: str) -> list[str]:
    """Names of volumes. A template's claim is a folder here, an optional Secret or ConfigMap an empty one; others cannot be had."""
    names = []
    for index, volume in enumerate(listed(document, "volumes", path)):
        if not isinstance(volume, Mapping):
            raise refusal(f"{path}.volumes[{index}]", f"{path}.volumes[{index}] is not an object")
        optional = any(isinstance(volume.get(kind), Mapping) and volume[kind].get("optional") for kind in ("secret", "configMap"))
        claim = path != "spec" and isinstance(volume.get("persistentVolumeClaim"), Mapping)
        if "emptyDir" not in volume and not optional and not claim:
            raise refusal(
                f"{path}.volumes[{index}]", f"the volume {volume.get('name')!r} is neither an emptyDir nor a step's claim"
            )
        names.append(str(volume.get("name")))
    return names


def _claims(document: Mapping[str, Any]) -> dict[str, str]:
    """Volume → claim, of a template whose volumes have been checked."""
    found = {str(volume.get("name")): volume.get("persistentVolumeClaim") for volume in document.get("volumes") or ()}
    return {name: str(claim.get("claimName")) for name, claim in found.items() if isinstance(claim, Mapping)}


def _name(document: Mapping[str, Any], path: str) -> str:
    name = document.get("name")
    if not isinstance(name, str) or not _NAME.match(name):
        raise refusal(f"{path}.name", f"{name!r} is not a name (letters, digits and '-', at most 128)")
    return name


def _count(retry: Mapping[str, Any], path: str) -> int:
    try:
        return max(0, int(retry.get("limit") or 0))
    except (TypeError, ValueError):
        raise refusal(f"{path}.limit", f"{retry['limit']!r} is not a number of retries") from None


def _parallelism(spec: Mapping[str, Any]) -> int | None:
    value = spec.get("parallelism")
    return value if isinstance(value, int) and value > 0 else None


def _time(document: Mapping[str, Any], name: str, path: str) -> float | None:
    if document.get(name) in (None, ""):
        return None
    found = seconds(document[name])
    if found is None:
        raise refusal(f"{path}.{name}", f"{document[name]!r} is not a duration")
    return found or None

"""What a cluster would refuse, found before it is asked: each check a small function, all findings at once.

Offline: names, sizes, references and the limits that Argo's definitions hold. It takes any Workflow document, ours or somebody
else's, and never raises for what stands in one. The limits are those of ``spec`` fields in Argo 3.6 to 4.1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

from jupyter_mlops.errors import Diagnostic
from jupyter_mlops.workflow.limits import (
    GENERATED,
    MAX_ANNOTATIONS,
    MAX_ARGUMENT,
    MAX_BYTES,
    MAX_PARAMETERS,
    MAX_TASKS,
    MAX_TEMPLATES,
    NAME_LENGTH,
)

NAME = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]{0,127}")
PARAMETER = re.compile(r"[-a-zA-Z0-9_]{1,128}")
OBJECT = re.compile(r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?")
LABEL_KEY = re.compile(r"(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?")
LABEL_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?)?")
TAG = re.compile(r"\{\{\s*(.*?)\s*\}\}", re.DOTALL)
OUTCOME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9]*)(?:\.[A-Za-z]+)?")
GLOBALS = ("workflow.", "pod.", "node.", "retries", "lastRetry.", "item", "steps.")
KINDS = ("container", "script", "dag", "steps", "suspend", "resource", "http", "plugin", "containerSet", "data")

Finding = tuple[str, str]
"""(message, fix)."""

Check = Callable[["Document"], Iterator[Finding]]
CHECKS: dict[str, list[Check]] = {}
"""Code → checks."""


@dataclass(frozen=True, slots=True)
class Document:
    """A Workflow as the checks read it: what is not of its type counts as absent, and a check of the shape says so."""

    raw: Mapping[str, Any]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    spec: Mapping[str, Any] = field(default_factory=dict)
    templates: tuple[Mapping[str, Any], ...] = ()

    @property
    def arguments(self) -> set[str]:
        """Names of the Workflow's parameters."""
        return set(named(mapping(self.spec.get("arguments")).get("parameters")))


def lint(workflow: Mapping[str, Any]) -> tuple[Diagnostic, ...]:
    """Everything found, as errors; empty for a document that a cluster takes."""
    spec = mapping(workflow.get("spec"))
    document = Document(workflow, mapping(workflow.get("metadata")), spec, tuple(objects(spec.get("templates"))))
    return tuple(
        Diagnostic(code, "error", message, fix=fix)
        for code, checks in CHECKS.items()
        for check in checks
        for message, fix in check(document)
    )


def mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is an object."""
    return value if isinstance(value, Mapping) else {}


def listed(value: Any) -> list[Any]:
    """The value if it is a list."""
    return list(value) if isinstance(value, (list, tuple)) else []


def objects(value: Any) -> list[Mapping[str, Any]]:
    """The objects in a list."""
    return [item for item in listed(value) if isinstance(item, Mapping)]


def named(items: Any) -> list[str]:
    """Names of the objects in a list."""
    return [str(item.get("name")) for item in objects(items)]


def check(code: str) -> Callable[[Check], Check]:
    """Register a check under the code of its findings."""

    def register(function: Check) -> Check:
        CHECKS.setdefault(code, []).append(function)
        return function

    return register


def tasks(template: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Tasks of a DAG template, or the steps of one that has steps."""
    return [
        *objects(mapping(template.get("dag")).get("tasks")),
        *(step for group in listed(template.get("steps")) for step in objects(group)),
    ]


@check("workflow-shape")
def shape(document: Document) -> Iterator[Finding]:
    """It is a Workflow with templates, each of exactly one kind."""
    if document.raw.get("kind") != "Workflow" or document.raw.get("apiVersion") != "argoproj.io/v1alpha1":
        yield "the document is no argoproj.io/v1alpha1 Workflow", "Set apiVersion and kind."
    if not document.templates and not document.spec.get("workflowTemplateRef"):
        yield "the Workflow has no templates", "Add at least the entrypoint."
    for template in document.templates:
        kinds = [kind for kind in KINDS if template.get(kind) or (kind == "suspend" and template.get(kind) == {})]
        if len(kinds) != 1:
            found = f"is {' and '.join(kinds)}" if kinds else "does nothing"
            yield f"template {template.get('name')} {found}", f"Give it one of {', '.join(KINDS)}."


@check("workflow-name")
def names(document: Document) -> Iterator[Finding]:
    """Names that Kubernetes and Argo take."""
    name, prefix = document.metadata.get("name"), document.metadata.get("generateName")
    longest = NAME_LENGTH if name else NAME_LENGTH - GENERATED
    text = str(name or prefix or "")
    if not OBJECT.fullmatch(text.rstrip("-") if not name else text) or len(text) > longest:
        yield f"the Workflow's name {text!r} is not valid", f"At most {longest} lower-case letters, digits and dashes."
    for template in document.templates:
        if not NAME.fullmatch(str(template.get("name", ""))):
            yield f"the template's name {template.get('name')!r} is not valid", "Letters, digits and dashes, at most 128."
        for task in tasks(template):
            if not NAME.fullmatch(str(task.get("name", ""))):
                yield f"the task's name {task.get('name')!r} is not valid", "Letters, digits and dashes, at most 128."
            elif task.get("depends") and str(task["name"])[0].isdigit():
                yield f"the task {task['name']} begins with a digit and has depends, which Argo refuses", "Begin with a letter."
    for parameter in document.arguments:
        if not PARAMETER.fullmatch(parameter):
            yield f"the parameter's name {parameter!r} is not valid", "Letters, digits, dashes and underscores."


@check("workflow-name")
def labels(document: Document) -> Iterator[Finding]:
    """Labels and annotations within Kubernetes' rules."""
    for key, value in mapping(document.metadata.get("labels")).items():
        if not LABEL_KEY.fullmatch(str(key)) or not isinstance(value, str) or not LABEL_VALUE.fullmatch(value):
            yield f"the label {key}={value!r} is not valid", "A value has at most 63 letters, digits, dashes, dots, underscores."
    annotations = mapping(document.metadata.get("annotations"))
    for key, value in annotations.items():
        if not LABEL_KEY.fullmatch(str(key)) or not isinstance(value, str):
            yield f"the annotation {key} is not valid", "Names as for labels; values are text."
    if sum(len(str(k)) + len(str(v).encode()) for k, v in annotations.items()) > MAX_ANNOTATIONS:
        yield f"the annotations take more than {MAX_ANNOTATIONS} bytes", "Shorten them."


@check("workflow-name")
def pods(document: Document) -> Iterator[Finding]:
    """Labels of pods, and names of the objects that pods ask for."""
    for place in (mapping(document.spec.get("podMetadata")), *(mapping(x.get("metadata")) for x in document.templates)):
        for key, value in mapping(place.get("labels")).items():
            if not LABEL_KEY.fullmatch(str(key)) or not isinstance(value, str) or not LABEL_VALUE.fullmatch(value):
                yield f"the pods' label {key}={value!r} is not valid", "A value has at most 63 letters, digits, dashes, dots."
    asked = [("service account", document.spec.get("serviceAccountName"))]
    asked += [("pull secret", name) for name in named(document.spec.get("imagePullSecrets"))]
    asked += [("namespace", document.metadata.get("namespace"))]
    for volume in objects(document.spec.get("volumes")):
        asked += [
            ("Secret", mapping(volume.get("secret")).get("secretName")),
            ("ConfigMap", mapping(volume.get("configMap")).get("name")),
        ]
    for what, name in asked:
        if name is not None and not (isinstance(name, str) and OBJECT.fullmatch(name)):
            yield f"{name!r} is no name of a {what}", "Lower-case letters, digits, dashes and dots."


@check("workflow-duplicate")
def duplicates(document: Document) -> Iterator[Finding]:
    """Names that stand for two things."""
    lists = [("template", named(document.templates))]
    lists += [("task", named(tasks(template))) for template in document.templates]
    lists.append(("parameter", named(mapping(document.spec.get("arguments")).get("parameters"))))
    for what, found in lists:
        for name in sorted({name for name in found if found.count(name) > 1}):
            yield f"two {what}s have the name {name}", "Rename one."


@check("workflow-size")
def sizes(document: Document) -> Iterator[Finding]:
    """Limits of the definitions and of etcd."""
    size = len(json.dumps(document.raw, ensure_ascii=False, default=str).encode())
    if size > MAX_BYTES:
        yield f"the Workflow has {size} bytes; {MAX_BYTES} are the limit", "Move what is large into an artifact."
    if len(document.templates) > MAX_TEMPLATES:
        yield f"the Workflow has {len(document.templates)} templates; {MAX_TEMPLATES} are the limit", "Let steps share templates."
    if len(document.arguments) > MAX_PARAMETERS:
        yield f"the Workflow has {len(document.arguments)} parameters; {MAX_PARAMETERS} are the limit", "Group them in a dict."
    for template in document.templates:
        count = len(tasks(template))
        if count > MAX_TASKS:
            yield f"template {template.get('name')} has {count} tasks; {MAX_TASKS} are the limit", "Join steps."
        if template.get("dag") and not count:
            yield f"template {template.get('name')} is a DAG without tasks", "Use suspend with duration 0 for nothing to do."
        container = mapping(template.get("container"))
        for text in [*listed(container.get("command")), *listed(container.get("args"))]:
            if len(str(text).encode()) > MAX_ARGUMENT:
                yield f"template {template.get('name')} has an argument of more than {MAX_ARGUMENT} bytes", "Ship it as a bundle."


@check("workflow-reference")
def references(document: Document) -> Iterator[Finding]:
    """Templates and tasks that are named exist."""
    known = set(named(document.templates))
    entrypoint = document.spec.get("entrypoint")
    if str(entrypoint) not in known and document.templates:
        yield f"the entrypoint {entrypoint!r} is no template", f"There are {', '.join(sorted(known))}."
    for template in document.templates:
        siblings = set(named(tasks(template)))
        for task in tasks(template):
            if not (str(task.get("template")) in known or task.get("templateRef") or task.get("inline")):
                yield (
                    f"task {task.get('name')} uses the template {task.get('template')!r}, which does not exist",
                    "Correct the name.",
                )
            for needed in sorted(_needs(task) - siblings):
                yield f"task {task.get('name')} depends on {needed}, which does not exist", "Correct the name."
            if task.get("depends") and task.get("dependencies"):
                yield f"task {task.get('name')} has depends and dependencies", "Keep depends."


@check("workflow-reference")
def volumes(document: Document) -> Iterator[Finding]:
    """Volumes that are mounted exist."""
    shared = set(named(document.spec.get("volumes")))
    shared |= {str(mapping(claim.get("metadata")).get("name")) for claim in objects(document.spec.get("volumeClaimTemplates"))}
    for template in document.templates:
        there = shared | set(named(template.get("volumes")))
        for mount in objects(mapping(template.get("container")).get("volumeMounts")):
            if str(mount.get("name")) not in there:
                yield f"template {template.get('name')} mounts {mount.get('name')}, which is no volume", "Add it to volumes."


@check("workflow-cycle")
def cycles(document: Document) -> Iterator[Finding]:
    """No task waits for itself."""
    for template in document.templates:
        graph = {str(task.get("name")): _needs(task) for task in tasks(template)}
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            yield f"tasks wait for each other: {' → '.join(error.args[1])}", "Remove one of the dependencies."


def _needs(task: Mapping[str, Any]) -> set[str]:
    """Names of the tasks that a task waits for."""
    depends = task.get("depends")
    needed = {match[1] for match in OUTCOME.finditer(depends)} if isinstance(depends, str) else set()
    return needed | {str(name) for name in listed(task.get("dependencies"))}


@check("workflow-tag")
def tags(document: Document) -> Iterator[Finding]:
    """``{{…}}`` that can be resolved: parameters of the Workflow, inputs of the template, outputs of tasks before."""
    for template in document.templates:
        inputs = {f"inputs.parameters.{name}" for name in named(mapping(template.get("inputs")).get("parameters"))}
        siblings = set(named(tasks(template)))
        own = {key: value for key, value in template.items() if key != "outputs"}
        for tag in sorted(set(TAG.findall(json.dumps(own, ensure_ascii=False, default=str)))):
            if not _resolves(tag, document.arguments, inputs, siblings):
                yield f"template {template.get('name')} holds {{{{{tag[:60]}}}}}, which nothing resolves", "Correct the name."


def _resolves(tag: str, arguments: set[str], inputs: set[str], siblings: set[str]) -> bool:
    if tag.startswith("="):  # an expression
        return True
    if tag.startswith("workflow.parameters."):
        return tag.removeprefix("workflow.parameters.") in arguments
    if tag.startswith("inputs."):
        return tag in inputs or tag.startswith("inputs.artifacts.")
    if tag.startswith("tasks."):
        return tag.split(".")[1] in siblings
    return tag.startswith(GLOBALS)

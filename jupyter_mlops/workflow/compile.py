"""A pipeline becomes one plain Argo Workflow: the same bytes for the same pipeline, only fields that Argo 3.6 to 4.1 share.

No source of the notebook stands in the manifest: a container gets a bootstrap, and the bundle's digest. A DAG in document
order hands one parameter from task to task, the digest of the session state. Steps that ask for the same share a container
template, because a Workflow may hold 200 templates at most and people read it. See ``docs/formats.md``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from jupyter_mlops.errors import Diagnostic, Refused, Where
from jupyter_mlops.oci.names import LABEL
from jupyter_mlops.pipeline.options import set_options
from jupyter_mlops.pipeline.pipeline import Parameter, Pipeline, Step
from jupyter_mlops.settings import DEFAULT_IMAGE, Target
from jupyter_mlops.workflow.bootstrap import bootstrap_text
from jupyter_mlops.workflow.container import container_template, template_key
from jupyter_mlops.workflow.limits import MAX_TASKS, PLAN_BYTES
from jupyter_mlops.workflow.place import NOWHERE, labels_of, spec_of, volumes_of
from jupyter_mlops.workflow.tasks import EXIT, Turn, task, turns, wanted_parameters

DAYS = 86_400
KEEP_FINISHED = 7 * DAYS
"""Seconds that a cluster keeps a finished Workflow object; runs are recorded in the registry before."""

KEEP_PODS = "600s"
"""How long pods of a successful run stay for whoever reads their logs in the cluster; those of a failed one stay with it."""

NO_SIDECAR: Mapping[str, str] = {"sidecar.istio.io/inject": "false"}
"""Istio's proxy would outlive the step. Newer versions read the label, older ones the annotation."""

USER = 1000
"""User and group of every container. Not root: namespaces that enforce PodSecurity ``restricted`` take nothing else."""


def compile_workflow(
    pipeline: Pipeline,
    *,
    bundle: str,
    source_digest: str,
    registry: str = "",
    image: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    target: Target | None = None,
    resume: str | None = None,
    creator: str = "",
) -> dict[str, Any]:
    """The Workflow of a pipeline.

    Args:
        pipeline: What to run.
        bundle: ``<repository>@sha256:…`` of the code bundle.
        source_digest: Digest of the notebook's sources, by which a run knows that the notebook has changed since.
        registry: Address of the registry; '' is the target's.
        image: Step image of steps that name none; by default the target's, else Python's own of the pipeline's minor version.
        parameters: Values of a run, already checked (``check_parameters``); defaults stand for the rest.
        target: Where it runs; None writes nothing of any place (``place.py``).
        resume: An earlier run whose finished steps are taken over; None or '': none.
        creator: Who submits, as a label's value; '' leaves the label out.

    Raises:
        Refused: more steps than a Workflow holds.
    """
    _check_size(pipeline)
    place = target or NOWHERE
    given = {
        "mlops-registry": registry or place.registry,
        "mlops-bundle": bundle,
        "mlops-image": place.mirrored(image or place.image or DEFAULT_IMAGE.format(minor=pipeline.python or "3")),
        "mlops-resume": resume or "",
    }
    templates, chosen = _templates(pipeline, place)
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": _metadata(pipeline, source_digest, place.namespace, creator),
        "spec": {
            **_start_of(pipeline),
            **spec_of(place),
            "arguments": {"parameters": _arguments(pipeline, given, parameters or {})},
            "podMetadata": {"annotations": dict(NO_SIDECAR), "labels": {**NO_SIDECAR, **labels_of(place)}},
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": USER,
                "runAsGroup": USER,
                "fsGroup": USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "archiveLogs": False,
            "ttlStrategy": {"secondsAfterCompletion": KEEP_FINISHED},
            "podGC": {"strategy": "OnWorkflowSuccess", "deleteDelayDuration": KEEP_PODS},
            "volumes": [{"name": "mlops", "emptyDir": {}}, {"name": "work", "emptyDir": {}}, *volumes_of(place)],
            "templates": [*_graphs(pipeline, chosen), *templates],
        },
    }


def _check_size(pipeline: Pipeline) -> None:
    """A Workflow that a cluster would refuse is refused here, with a way on."""
    if len(pipeline.steps) > MAX_TASKS:
        message = f"{pipeline.notebook} has {len(pipeline.steps)} steps; a Workflow holds {MAX_TASKS} at most"
        found = Diagnostic("too-many-steps", "error", message, fix="Give neighbouring cells the same step name.")
        raise Refused(message, found.code, found.fix, Where(pipeline.notebook), (found,))
    if len(plan_annotation(pipeline)) > PLAN_BYTES:
        message = f"the plan of {pipeline.notebook} is larger than {PLAN_BYTES} bytes"
        found = Diagnostic("too-many-cells", "error", message, fix="Split the notebook.")
        raise Refused(message, found.code, found.fix, Where(pipeline.notebook), (found,))


def _start_of(pipeline: Pipeline) -> dict[str, str]:
    """Which template runs, and which at the end whatever happened."""
    last = any(step.options.final is not None for step in pipeline.steps)
    return {"entrypoint": "pipeline", **({"onExit": EXIT} if last else {})}


def _metadata(pipeline: Pipeline, source_digest: str, namespace: str, creator: str) -> dict[str, Any]:
    labels = {"app.kubernetes.io/managed-by": "jupyter-mlops", f"{LABEL}pipeline": pipeline.name}
    return {
        "generateName": f"{pipeline.name}-",
        **({"namespace": namespace} if namespace else {}),
        "labels": labels | ({f"{LABEL}creator": creator} if creator else {}),
        "annotations": {
            "workflows.argoproj.io/title": pipeline.notebook,
            f"{LABEL}notebook": pipeline.notebook,
            f"{LABEL}source-digest": source_digest,
            f"{LABEL}plan": plan_annotation(pipeline),
        },
    }


def plan_annotation(pipeline: Pipeline) -> str:
    """The steps with their cells and needs as compact JSON: what a run shows without the bundle.

    ``early``: the step acts on nothing outside, so that an engine may try it before its turn; not beside those of ``after``.
    """
    met = {step.name: [first for first, second in pipeline.met if second == step.name] for step in pipeline.steps}
    steps = [
        {
            "name": step.name,
            "cells": list(step.cells),
            "needs": list(step.needs),
            **({"early": True} if step.name in pipeline.early else {}),
            **({"after": met[step.name]} if step.name in pipeline.early and met[step.name] else {}),
            **control_of(step),
        }
        for step in pipeline.steps
    ]
    return json.dumps({"steps": steps}, separators=(",", ":"))


def control_of(step: Step) -> dict[str, Any]:
    """What a step asks of the flow, as its metadata says it; nothing for most."""
    return {key: value for key, value in set_options(step.options).items() if key in {"each", "when", "finally"}}


def _arguments(pipeline: Pipeline, given: Mapping[str, str], values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Arguments of the Workflow: ours, then the notebook's parameters as JSON text, those of a ``Literal`` with their choices."""
    own = {parameter.name: json_argument(values.get(parameter.name, parameter.default)) for parameter in pipeline.parameters}
    choices = {parameter.name: _choices(parameter) for parameter in pipeline.parameters if parameter.choices}
    return [
        {"name": name, "value": value, **({"enum": choices[name]} if name in choices else {})}
        for name, value in {**given, **own}.items()
    ]


def _choices(parameter: Parameter) -> list[str]:
    """The values that a parameter takes; None among them where that is the default."""
    values = [*parameter.choices, *([None] if parameter.default is None else [])]
    return list(dict.fromkeys(json_argument(value) for value in values))


def json_argument(value: Any) -> str:
    """JSON text that Argo hands on as it is.

    Argo replaces ``{{…}}`` wherever it stands, in a parameter's value too. Two braces can only meet inside a JSON string, where
    an escape means the same character.
    """
    return json.dumps(value, ensure_ascii=False).replace("{{", "{\\u007b")


def _templates(pipeline: Pipeline, target: Target) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Container templates, each named for the first step that needs it, and step → template."""
    templates: list[dict[str, Any]] = []
    names: dict[str, str] = {}
    chosen: dict[str, str] = {}
    for turn in turns(pipeline):
        step, shape, wanted = turn.step, turn.shape, wanted_parameters(pipeline, turn)
        key = template_key(step.options, wanted, shape)
        if key not in names:
            names[key] = f"run-{step.name}"
            templates.append(container_template(names[key], step.options, wanted, bootstrap_text(), target, shape))
        chosen[step.name] = names[key]
    return templates, chosen


def _graphs(pipeline: Pipeline, chosen: Mapping[str, str]) -> list[dict[str, Any]]:
    """The DAG in document order, and what runs at the end.

    The end is no DAG: of a run that is stopped, Argo gives the tasks of a DAG up when their pods begin, and lets steps finish.
    """
    found = list(turns(pipeline))
    main = _dag("pipeline", [turn for turn in found if turn.step.options.final is None], chosen)
    last = [[task(turn, chosen[turn.step.name])] for turn in found if turn.step.options.final is not None]
    return [main, {"name": EXIT, "steps": last}] if last else [main]


def _dag(name: str, found: Sequence[Turn], chosen: Mapping[str, str]) -> dict[str, Any]:
    """A DAG; without tasks one that is done at once, since Argo takes no empty one."""
    if not found:
        return {"name": name, "suspend": {"duration": "0"}}
    return {"name": name, "dag": {"tasks": [task(turn, chosen[turn.step.name]) for turn in found]}}

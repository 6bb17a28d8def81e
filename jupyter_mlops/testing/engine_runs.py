"""Runs of the engines' conformance suite: plain Workflows of a few lines of Python, and a table of those it waits for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from jupyter_mlops.oci.names import LABEL

Step = tuple[str, str]
"""A step of a test: its name and its Python source."""


def workflow(
    *steps: Step,
    name: str = "conformance",
    parameters: Mapping[str, Any] | None = None,
    chain: bool = True,
    template: Mapping[str, Any] | None = None,
    container: Mapping[str, Any] | None = None,
    tasks: Mapping[str, Mapping[str, Any]] | None = None,
    last: Step | None = None,
    image: str = "docker.io/library/python:3.11-slim",
) -> dict[str, Any]:
    """A Workflow whose steps run Python source, one after the other, or beside each other if not ``chain``.

    Args:
        steps: (name, source). A source reads ``sys.argv[1:]``: the parameters' values as JSON texts, then the output of the
            step before it; what it writes to the file ``/mlops/out/state`` is its own output.
        name: the pipeline.
        parameters: values of the run.
        chain: whether each step needs the one before it.
        template: further fields of every container template.
        container: further fields of every container.
        tasks: by step, further fields of its task; ``state`` among them is what it is given instead.
        last: a step that runs at the end whatever happened (``onExit``); it is given the phase of the run.
        image: image of every step.
    """
    given = {key: json.dumps(value) for key, value in (parameters or {}).items()}
    arguments = [*(f"{{{{workflow.parameters.{key}}}}}" for key in given), "{{inputs.parameters.state}}", "/mlops/out"]
    listed: list[dict[str, Any]] = []
    templates: list[dict[str, Any]] = []
    previous = ""
    for step, source in steps:
        listed.append(_task(step, previous if chain else "", (tasks or {}).get(step, {})))
        command = {"image": image, "command": ["python3", "-c", _PRELUDE + source], "args": arguments}
        templates.append(_template(step, {**command, **(container or {})}, template or {}))
        previous = step
    if last:
        command = {"image": image, "command": ["python3", "-c", _PRELUDE + last[1]], "args": arguments}
        templates += _at_the_end(last[0], _template(last[0], {**command, **(container or {})}, template or {}))
    planned = _planned([name for name, _ in steps], last[0] if last else "", chain=chain)
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {
            "generateName": f"{name}-",
            "labels": {"app.kubernetes.io/managed-by": "jupyter-mlops", f"{LABEL}pipeline": name},
            "annotations": {f"{LABEL}plan": json.dumps({"steps": planned}), f"{LABEL}source-digest": "sha256:" + "0" * 64},
        },
        "spec": {
            "entrypoint": "pipeline",
            **({"onExit": "last"} if last else {}),
            "arguments": {"parameters": [{"name": key, "value": value} for key, value in given.items()]},
            "volumes": [{"name": "mlops", "emptyDir": {}}],
            "templates": [{"name": "pipeline", "dag": {"tasks": listed}}, *templates],
        },
    }


def _task(step: str, previous: str, own: Mapping[str, Any]) -> dict[str, Any]:
    """A task after another one, with further fields; ``state`` among these is what it is given."""
    state = own.get("state", f"{{{{tasks.{previous}.outputs.parameters.state}}}}" if previous else "")
    task = {"name": step, "template": step, "arguments": {"parameters": [{"name": "state", "value": state}]}}
    depends = {"depends": f"{previous}.Succeeded"} if previous else {}
    return task | depends | {key: value for key, value in own.items() if key != "state"}


def _planned(steps: Sequence[str], last: str, *, chain: bool) -> list[dict[str, Any]]:
    """The plan of these steps, as the annotation has it."""
    found: list[dict[str, Any]] = [
        {"name": step, "cells": [index], "needs": list(steps[:index][-1:]) if chain else []} for index, step in enumerate(steps)
    ]
    return found + ([{"name": last, "cells": [len(steps)], "needs": []}] if last else [])


def _at_the_end(step: str, template: dict[str, Any]) -> list[dict[str, Any]]:
    """The templates of an exit handler of one step."""
    ended = {"parameters": [{"name": "state", "value": "{{workflow.status}}"}]}
    return [template, {"name": "last", "steps": [[{"name": step, "template": step, "arguments": ended}]]}]


def _template(step: str, container: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """A container template with the state of the step before as input, and its own as output."""
    mounts = {"volumeMounts": [{"name": "mlops", "mountPath": "/mlops"}]}
    return {
        "name": step,
        "inputs": {"parameters": [{"name": "state"}]},
        "container": {**mounts, **container},
        "outputs": {"parameters": [{"name": "state", "valueFrom": {"path": "/mlops/out/state", "default": ""}}]},
        **more,
    }


_PRELUDE = """
import json, os, pathlib, sys, time
out = pathlib.Path(sys.argv[-1])
given = sys.argv[-2]
def hand_on(text):
    out.mkdir(parents=True, exist_ok=True)
    (out / "state").write_text(text)
def say(**event):
    print("@mlops " + json.dumps(event), flush=True)
def fail(**message):
    path = os.environ.get("MLOPS_TERMINATION", "/dev/termination-log")
    pathlib.Path(path).write_text(json.dumps(message))
    raise SystemExit(1)
"""
"""What every step of the suite begins with: the contract between a step and its engine, in a few lines of its own."""


DIGEST = "sha256:" + "1" * 64
TEXT = "a {} \\\\ \\' \u00fc"
"""As it stands in a Python source between single quotes."""

VALUES = {"lr": 0.5, "name": "a b'\"{x}", "flag": True, "many": [1, None]}
_CHECK = "assert [json.loads(v) for v in sys.argv[1:5]] == " + repr(list(VALUES.values()))
_EVENTS = f"""
say(event='cell', phase='succeeded', cell=1, k=2, n=3)
say(event='metric', name='acc', value=0.5)
say(event='model', name='m', tag='v1', digest='{DIGEST}')
"""
TOLD = {"code": "step-failed", "blame": "user", "message": "ValueError: no", "cell": 3, "line": 2, "step": "train", "fix": "f"}

_EACH = {"withParam": "{{tasks.list.outputs.parameters.state}}", "state": "{{item}}"}
_WHEN = {"when": "{{tasks.say.outputs.parameters.state}} == true"}
_AFTER = {"depends": "(each.Succeeded || each.Skipped)", "state": "{{tasks.each.status}}"}
_AFTER_EACH = {**_AFTER, "state": "{{tasks.list.outputs.parameters.state}}"}
"""A task that fans out or has a condition, and the one after it; of a fan-out Argo tells no status."""

RUNS: Mapping[str, tuple[Sequence[Step], Mapping[str, Any]]] = {
    "simple": ((("load", "time.sleep(0.3)"), ("train", "pass")), {}),
    "output": ((("first", f"hand_on('{TEXT}' + chr(10))"), ("second", f"assert given == '{TEXT}', given")), {}),
    "default": ((("first", "pass"), ("second", "assert given == '', given")), {}),
    "parameters": ((("one", _CHECK), ("two", _CHECK)), {"parameters": VALUES}),
    "beside": ((("a", "pass"), ("b", "pass"), ("c", "pass")), {"chain": False}),
    "failure": ((("load", "pass"), ("train", f"fail(**{TOLD!r}, traceback=['t'])"), ("test", "pass")), {}),
    "silent": ((("only", "raise SystemExit(7)"),), {}),
    "retried": (
        (("flaky", "sys.exit(1 if '{{retries}}' == '0' else 0)"),),
        {"template": {"retryStrategy": {"limit": "2"}}},
    ),
    "late": ((("slow", "time.sleep(600)"),), {"template": {"timeout": "1s"}}),
    "logs": (
        (
            ("a", "print('one'); print('zwei ü'); say(event='metric', name='x', value=1)"),
            ("b", "print('three', end='')"),
        ),
        {},
    ),
    "events": ((("a", _EVENTS),), {}),
    "branches": (
        (
            ("list", 'hand_on(\'["0:a=22","1:0.5"]\')'),
            ("each", "print(given); hand_on(given)"),
            ("all", "assert len(json.loads(given)) == 2"),
        ),
        {"tasks": {"each": _EACH, "all": _AFTER_EACH}},
    ),
    "no branches": (
        (("list", "hand_on('[]')"), ("each", "pass"), ("all", "assert given == '[]', given")),
        {"tasks": {"each": _EACH, "all": _AFTER_EACH}},
    ),
    "a branch fails": (
        (("list", 'hand_on(\'["0:a","1:b"]\')'), ("each", "sys.exit(3 if given == '1:b' else 0)"), ("all", "pass")),
        {"tasks": {"each": _EACH, "all": _AFTER_EACH}},
    ),
    "condition": (
        (("say", "hand_on('true')"), ("each", "pass"), ("all", "assert given == 'Succeeded', given")),
        {"tasks": {"each": _WHEN, "all": _AFTER}},
    ),
    "condition not met": (
        (("say", "hand_on('false')"), ("each", "sys.exit(9)"), ("all", "assert given == 'Skipped', given")),
        {"tasks": {"each": _WHEN, "all": _AFTER}},
    ),
    "end": ((("a", "pass"),), {"last": ("end", "print(given)")}),
    "end of a failure": ((("a", "sys.exit(4)"), ("b", "pass")), {"last": ("end", "print(given)")}),
    "end that fails": ((("a", "pass"),), {"last": ("end", "sys.exit(5)")}),
}
"""Runs that a test only looks at when they are over: steps and options."""

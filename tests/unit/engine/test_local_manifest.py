"""What of a Workflow this machine runs, and that everything else is refused with its field."""

from __future__ import annotations

import copy
from contextlib import suppress
from typing import Any

import pytest

from jupyter_mlops.engine.local.manifest import read_program
from jupyter_mlops.errors import Refused
from jupyter_mlops.testing.engine import workflow

BASE = workflow(("a", "pass"), ("b", "pass"), parameters={"lr": 1})
T1 = ("spec", "templates", 1)
C1 = (*T1, "container")
TASK = ("spec", "templates", 0, "dag", "tasks", 1)


def changed(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    document = copy.deepcopy(BASE)
    target: Any = document
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return document


def test_a_chain_becomes_a_program() -> None:
    program = read_program(BASE)
    assert [(task.name, task.needs) for task in program.tasks] == [("a", ()), ("b", ("a",))]
    assert program.parameters == {"lr": "1"}
    assert program.dag
    template = program.tasks[0].template
    assert template.inputs == {"state": None}
    assert [(o.name, o.path, o.default) for o in template.outputs] == [("state", "/mlops/out/state", "")]


def ending(*groups: list[dict[str, Any]]) -> dict[str, Any]:
    """A Workflow that ends with these groups of steps."""
    document = changed(("spec", "onExit"), "end")
    document["spec"]["templates"].append({"name": "end", "steps": list(groups)})
    return document


STEP = {"template": "a", "arguments": {"parameters": [{"name": "state", "value": "{{workflow.status}}"}]}}


def test_steps_of_an_exit_handler_wait_for_the_group_before() -> None:
    program = read_program(ending([{"name": "x", **STEP}, {"name": "y", **STEP}], [{"name": "z", **STEP}]))
    assert [(task.name, task.needs, task.last) for task in program.last] == [
        ("x", (), True),
        ("y", (), True),
        ("z", ("x", "y"), True),
    ]


@pytest.mark.parametrize(
    ("groups", "field"),
    [
        ([{"name": "x"}], "spec.templates[3].steps[0]"),
        ([[]], "spec.templates[3].steps.tasks"),
        ([["x"]], "spec.templates[3].steps[0]"),
        ([[{"name": "x", **STEP, "depends": "y"}]], "spec.templates[3].steps[0]"),
        ([[{"name": "x", **STEP, "withItems": [1]}]], "spec.templates[3].steps[0].withItems"),
        ([[{"name": "x", **STEP, "when": "true == true"}]], "spec.onExit"),
        ([[{"name": "x", **STEP, "template": "nowhere"}]], "spec.templates[3].steps.tasks[0].template"),
    ],
)
def test_steps_that_are_none_are_refused_with_their_field(groups: list[Any], field: str) -> None:
    with pytest.raises(Refused) as caught:
        read_program(ending(*groups))
    assert caught.value.where is not None
    assert caught.value.where.field == field


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (("kind",), "CronWorkflow", "kind"),
        (("apiVersion",), "v1", "kind"),
        (("spec",), [], "spec"),
        (("spec", "entrypoint"), "x", "spec.entrypoint"),
        (("spec", "onExit"), "x", "spec.onExit"),
        (("spec", "onExit"), "a", "spec.onExit"),
        ((*TASK, "when"), "1 < 2", "spec.templates[0].dag.tasks[1].when"),
        ((*TASK, "when"), "a == b && c == d", "spec.templates[0].dag.tasks[1].when"),
        ((*TASK, "when"), "{{tasks.nobody.outputs.parameters.go}} == true", "tasks.b.when"),
        ((*TASK, "withParam"), "{{tasks.b.outputs.parameters.items}}", "tasks.b.withParam"),
        (("spec", "arguments", "parameters", 0, "enum"), ["2", "3"], "spec.arguments.parameters[0].value"),
        (("spec", "hooks"), {"exit": {}}, "spec.hooks"),
        (("spec", "workflowTemplateRef"), {"name": "x"}, "spec.workflowTemplateRef"),
        (("spec", "volumeClaimTemplates"), [{}], "spec.volumeClaimTemplates"),
        (("spec", "volumes"), [{"name": "v", "persistentVolumeClaim": {}}], "spec.volumes[0]"),
        (("spec", "volumes"), {}, "spec.volumes"),
        (("spec", "activeDeadlineSeconds"), "soon", "spec.activeDeadlineSeconds"),
        (("spec", "arguments", "parameters"), [{"name": "x"}], "spec.arguments.parameters[0].value"),
        (("spec", "arguments", "artifacts"), [{"name": "x"}], "spec.arguments.artifacts"),
        ((*T1, "script"), {"source": "x"}, "spec.templates[1].script"),
        ((*T1, "initContainers"), [{"name": "x"}], "spec.templates[1].initContainers"),
        ((*T1, "sidecars"), [{"name": "x"}], "spec.templates[1].sidecars"),
        ((*T1, "memoize"), {"key": "x"}, "spec.templates[1].memoize"),
        ((*T1, "podSpecPatch"), "{}", "spec.templates[1].podSpecPatch"),
        ((*T1, "timeout"), "soon", "spec.templates[1].timeout"),
        ((*T1, "name"), "a b", "spec.templates[1].name"),
        ((*T1, "retryStrategy"), {"limit": "many"}, "spec.templates[1].retryStrategy.limit"),
        ((*T1, "retryStrategy"), {"expression": "true"}, "spec.templates[1].retryStrategy.expression"),
        ((*T1, "retryStrategy"), {"retryPolicy": "OnTransientError"}, "spec.templates[1].retryStrategy.retryPolicy"),
        ((*T1, "outputs"), {"artifacts": [{"name": "x"}]}, "spec.templates[1].outputs.artifacts"),
        ((*T1, "outputs"), {"parameters": [{"name": "x", "valueFrom": {"expression": "1"}}]}, "spec.templates[1].outputs.parameters[0].valueFrom"),
        ((*C1, "command"), [], "spec.templates[1].container.command"),
        ((*C1, "envFrom"), [{"secretRef": {}}], "spec.templates[1].container.envFrom"),
        ((*C1, "env"), [{"name": "X", "valueFrom": {"fieldRef": {}}}], "spec.templates[1].container.env[0].valueFrom"),
        ((*C1, "volumeMounts"), [{"name": "nope", "mountPath": "/x"}], "spec.templates[1].container.volumeMounts[0]"),
        ((*C1, "volumeMounts"), [{"name": "mlops", "mountPath": "/x", "subPath": "y"}], "spec.templates[1].container.volumeMounts[0].subPath"),
        ((*C1, "args"), ["{{workflow.parameters.nope}}"], "templates.a.container"),
        ((*C1, "args"), ["{{=1 + 1}}"], "templates.a.container"),
        ((*C1, "args"), ["{{tasks.a.outputs.parameters.state}}"], "templates.a.container"),
        ((*TASK, "template"), "pipeline", "spec.templates[0].dag.tasks[1].template"),
        ((*TASK, "depends"), "a.Failed", "spec.templates[0].dag.tasks[1].depends"),
        ((*TASK, "depends"), "z", "spec.templates[0].dag.tasks"),
        ((*TASK, "depends"), "b", "spec.templates[0].dag.tasks"),
        ((*TASK, "name"), "a", "spec.templates[0].dag.tasks"),
        ((*TASK, "when"), "false", "spec.templates[0].dag.tasks[1].when"),
        ((*TASK, "withItems"), [1], "spec.templates[0].dag.tasks[1].withItems"),
        ((*TASK, "hooks"), {"exit": {}}, "spec.templates[0].dag.tasks[1].hooks"),
        ((*TASK, "arguments"), {}, "spec.templates[0].dag.tasks[1].arguments"),
        ((*TASK, "arguments"), {"parameters": [{"name": "state", "value": "{{tasks.b.outputs.parameters.state}}"}]}, "tasks.b.arguments"),
        (("spec", "templates", 0, "dag", "tasks"), [], "spec.templates[0].dag.tasks"),
        (("spec", "templates", 0, "dag", "target"), "a", "spec.templates[0].dag.target"),
        (("spec", "templates", 0), {"name": "pipeline", "steps": [[]]}, "spec.templates[0].steps"),
        (("spec", "templates", 0), {"name": "pipeline", "suspend": {}, "container": None}, "spec.templates[0]"),
        (("spec", "templates", 0), {"name": "pipeline", "suspend": {"duration": "5"}}, "spec.templates[0].suspend"),
    ],
)  # fmt: skip
def test_what_changes_the_result_is_refused_by_its_field(path: tuple[Any, ...], value: Any, field: str) -> None:
    with pytest.raises(Refused) as caught:
        read_program(changed(path, value))
    assert caught.value.where.field == field
    assert caught.value.fix


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "serviceAccountName"), "x"),
        (("spec", "ttlStrategy"), {"secondsAfterCompletion": 1}),
        (("spec", "podMetadata"), {"annotations": {}}),
        (("spec", "securityContext"), {"runAsNonRoot": True}),
        ((*T1, "tolerations"), [{"key": "gpu"}]),
        ((*T1, "nodeSelector"), {"a": "b"}),
        ((*C1, "securityContext"), {"capabilities": {}}),
        ((*C1, "workingDir"), "/mlops/work"),
        ((*T1, "hooks"), None),
        ((*TASK, "withItems"), []),
    ],
)
def test_what_only_a_cluster_needs_is_left_out(path: tuple[Any, ...], value: Any) -> None:
    assert [task.name for task in read_program(changed(path, value)).tasks] == ["a", "b"]


def test_values_are_read_as_argo_reads_them() -> None:
    document = changed(
        ("spec", "arguments", "parameters"),
        [{"name": "lr", "value": 0.5}, {"name": "flag", "value": True}, {"name": "d", "default": "x"}],
    )
    assert read_program(document).parameters == {"lr": "0.5", "flag": "true", "d": "x"}


def test_dependencies_say_the_same_as_depends() -> None:
    document = changed((*TASK, "dependencies"), ["a"])
    del document["spec"]["templates"][0]["dag"]["tasks"][1]["depends"]
    assert read_program(document).tasks[1].needs == ("a",)


def test_the_shortest_time_limit_counts_and_zero_is_none() -> None:
    document = changed((*T1, "timeout"), "1m")
    document["spec"]["templates"][1]["activeDeadlineSeconds"] = 30
    assert read_program(document).tasks[0].template.timeout == 30
    assert read_program(changed((*T1, "timeout"), "0")).tasks[0].template.timeout is None


def test_one_container_is_a_program_of_one() -> None:
    document = changed(("spec", "entrypoint"), "a")
    document["spec"]["templates"][1]["inputs"] = {"parameters": [{"name": "state", "value": ""}]}
    program = read_program(document)
    assert (program.dag, [task.name for task in program.tasks]) == (False, ["a"])


def test_a_pause_of_no_time_is_a_program_of_nothing() -> None:
    assert read_program(changed(("spec", "templates", 0), {"name": "pipeline", "suspend": {"duration": "0"}})).tasks == ()


@pytest.mark.parametrize("junk", [None, 1, "x", [], {"a": 1}, [1], [[]]])
@pytest.mark.parametrize(
    "path",
    [
        ("spec", "templates"),
        ("spec", "templates", 1),
        C1,
        (*C1, "env"),
        (*C1, "volumeMounts"),
        ("spec", "arguments"),
        (*T1, "inputs"),
        (*T1, "outputs"),
        TASK,
        (*T1, "retryStrategy"),
        ("spec", "volumes"),
    ],
)
def test_junk_is_refused_and_never_crashes(path: tuple[Any, ...], junk: Any) -> None:
    with suppress(Refused):  # some of it means the same as nothing
        read_program(changed(path, junk))

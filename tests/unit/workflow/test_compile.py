"""The Workflow: what the formats page says, nothing of the notebook's source, the same bytes each time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_mlops.errors import Refused
from jupyter_mlops.pipeline.pipeline import Options, Parameter, Pipeline, Step
from jupyter_mlops.pipeline.plan import plan
from jupyter_mlops.workflow.bootstrap import LIMIT, bootstrap_text
from jupyter_mlops.workflow.compile import compile_workflow, json_argument
from jupyter_mlops.workflow.lint import lint
from jupyter_mlops.workflow.yaml import dump, load
from tests.unit.laws import law
from tests.unit.notebook_building import Spec, notebook

BUNDLE = "runs/test@sha256:" + "0" * 64
EVERYTHING = Options(
    image="ghcr.io/me/train:1",
    cpu="500m",
    memory="2Gi",
    gpu=1,
    gpu_resource="amd.com/gpu",
    resources={"ephemeral-storage": "20Gi", "example.com/fpga": "1"},
    shm="8Gi",
    queue="team-a",
    node_selector={"zone": "a"},
    tolerations=({"key": "gpu", "operator": "Exists", "effect": "NoSchedule"},),
    env={"A": "1"},
    secrets=({"env": "TOKEN", "secret": "hub", "key": "token"},),
    retries=2,
    timeout=3600,
    outputs=("model:clf",),
)


def pipeline(*steps: Step, **fields: Any) -> Pipeline:
    return Pipeline(**({"name": "test", "notebook": "test.ipynb", "steps": steps} | fields))


def compiled(what: Pipeline, **options: Any) -> dict[str, Any]:
    return compile_workflow(what, bundle=BUNDLE, source_digest="sha256:1", **options)


def template(workflow: dict[str, Any], name: str) -> dict[str, Any]:
    return next(t for t in workflow["spec"]["templates"] if t["name"] == name)


def arguments(workflow: dict[str, Any]) -> dict[str, str]:
    return {p["name"]: p["value"] for p in workflow["spec"]["arguments"]["parameters"]}


def test_the_bootstrap_fits_into_a_manifest() -> None:
    assert len(bootstrap_text().encode()) <= LIMIT
    assert "{{" not in bootstrap_text(), "Argo would replace it"
    assert "noqa" not in bootstrap_text(), "people read manifests"
    compile(bootstrap_text(), "bootstrap", "exec")


def test_volumes_are_mounted_and_belong_to_their_step() -> None:
    volumes = ({"mount": "/data", "claim": "sets", "read_only": True}, {"mount": "/scratch", "size": "1Gi"}, {"mount": "/more"})
    workflow = compiled(pipeline(Step("a", (0,), options=Options(volumes=volumes, gpu=1)), Step("b", (1,))))
    found = template(workflow, "run-a")
    assert found["volumes"] == [
        {"name": "shm", "emptyDir": {"medium": "Memory"}},
        {"name": "volume-0", "persistentVolumeClaim": {"claimName": "sets", "readOnly": True}},
        {"name": "volume-1", "emptyDir": {"sizeLimit": "1Gi"}},
        {"name": "volume-2", "emptyDir": {}},
    ]
    assert found["container"]["volumeMounts"][-3:] == [
        {"name": "volume-0", "mountPath": "/data", "readOnly": True},
        {"name": "volume-1", "mountPath": "/scratch"},
        {"name": "volume-2", "mountPath": "/more"},
    ]
    assert "volumes" not in template(workflow, "run-b")
    assert not lint(workflow)


@pytest.mark.parametrize(
    ("default", "values"), [("a", ['"a"', '"{\\u007bb}}"', "1"]), (None, ['"a"', '"{\\u007bb}}"', "1", "null"])]
)
def test_a_literal_is_an_enum_of_the_workflow(default: Any, values: list[str]) -> None:
    asked = Parameter("kind", "enum", default, 0, 1, ("a", "{{b}}", 1))
    workflow = compiled(pipeline(Step("a", (0,)), parameters=(asked, Parameter("n", "int", -3, 0, 2))))
    found = {p["name"]: p for p in workflow["spec"]["arguments"]["parameters"]}
    assert found["kind"]["enum"] == values
    assert found["kind"]["value"] in values
    assert found["n"] == {"name": "n", "value": "-3"}


@pytest.mark.parametrize("options", [Options(cache="off"), Options(each="x in [1]"), Options(final="o")])
def test_what_a_container_need_not_know_makes_no_template_of_its_own(options: Options) -> None:
    workflow = compiled(pipeline(Step("a", (0,)), Step("b", (1,)), Step("c", (2,), options=options)))
    shared = [t["name"] for t in workflow["spec"]["templates"] if "container" in t]
    assert shared == (["run-a"] if options.cache == "off" else ["run-a", "run-c"])
    assert not lint(workflow)


def test_steps_follow_each_other_and_hand_on_the_state() -> None:
    workflow = compiled(pipeline(Step("load", (0,)), Step("fit", (1, 2), needs=("load",)), Step("test", (3,), needs=("load",))))
    tasks = template(workflow, "pipeline")["dag"]["tasks"]
    assert [(task["name"], task.get("depends")) for task in tasks] == [
        ("load", None), ("fit", "load.Succeeded"), ("test", "fit.Succeeded"),
    ]  # fmt: skip
    assert [{p["name"]: p["value"] for p in task["arguments"]["parameters"]} for task in tasks] == [
        {"step": "load", "state": ""},
        {"step": "fit", "state": "{{tasks.load.outputs.parameters.state}}"},
        {"step": "test", "state": "{{tasks.fit.outputs.parameters.state}}"},
    ]
    assert {task["template"] for task in tasks} == {"run-load"}, "equal steps share one template"
    assert workflow["spec"]["entrypoint"] == "pipeline"


def test_the_container_of_a_plain_step() -> None:
    container = template(compiled(pipeline(Step("a", (0,)))), "run-a")
    assert container["container"]["command"] == ["python3", "-c", bootstrap_text()]
    assert container["container"]["args"] == [
        "--registry", "{{workflow.parameters.mlops-registry}}", "--bundle", "{{workflow.parameters.mlops-bundle}}",
        "--run", "{{workflow.name}}", "--step", "{{inputs.parameters.step}}", "--state", "{{inputs.parameters.state}}",
        "--out", "/mlops/out", "--resume", "{{workflow.parameters.mlops-resume}}",
    ]  # fmt: skip
    assert container["container"]["image"] == "{{workflow.parameters.mlops-image}}"
    assert container["outputs"]["parameters"] == [
        {"name": "state", "valueFrom": {"path": "/mlops/out/state", "default": ""}},
        {"name": "cached", "valueFrom": {"path": "/mlops/out/cached", "default": "false"}},
    ]
    assert "resources" not in container["container"]


def test_what_a_step_asks_for_is_in_its_template() -> None:
    found = template(compiled(pipeline(Step("train", (0,), options=EVERYTHING))), "run-train")
    container = found["container"]
    assert container["image"] == "ghcr.io/me/train:1"
    assert container["resources"] == {
        "requests": {"cpu": "500m", "memory": "2Gi", "ephemeral-storage": "20Gi"},
        "limits": {"memory": "2Gi", "ephemeral-storage": "20Gi", "example.com/fpga": "1", "amd.com/gpu": "1"},
    }
    assert {"name": "A", "value": "1"} in container["env"]
    assert {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "token"}}} in container["env"]
    assert found["nodeSelector"] == {"zone": "a"}
    assert found["tolerations"] == [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert found["timeout"] == "3600s"
    assert found["retryStrategy"] == {"limit": "2", "retryPolicy": "Always"}
    assert found["volumes"] == [{"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "8Gi"}}]
    assert found["metadata"] == {"labels": {"kueue.x-k8s.io/queue-name": "team-a"}}
    assert {"name": "shm", "mountPath": "/dev/shm"} in container["volumeMounts"]


def test_a_step_may_set_its_own_home() -> None:
    env = template(compiled(pipeline(Step("a", (0,), options=Options(env={"HOME": "/data"})))), "run-a")["container"]["env"]
    image = "{{workflow.parameters.mlops-image}}"
    assert {one["name"]: one["value"] for one in env} == {"HOME": "/data", "MLOPS_IMAGE": image, "PYTHONHASHSEED": "0"}


SHARED_MEMORY = [
    (Options(), None),
    (Options(gpu=1), {"medium": "Memory"}),
    (Options(shm="1Gi"), {"medium": "Memory", "sizeLimit": "1Gi"}),
    (Options(gpu=2, shm="1Gi"), {"medium": "Memory", "sizeLimit": "1Gi"}),
]


@pytest.mark.parametrize(("options", "expected"), SHARED_MEMORY)
def test_shared_memory(options: Options, expected: dict[str, str] | None) -> None:
    found = template(compiled(pipeline(Step("a", (0,), options=options))), "run-a")
    mounted = [mount["mountPath"] for mount in found["container"]["volumeMounts"]]
    assert found.get("volumes") == (None if expected is None else [{"name": "shm", "emptyDir": expected}])
    assert ("/dev/shm" in mounted) == (expected is not None)


def test_no_step_waits_for_ever_and_the_run_has_no_deadline() -> None:
    workflow = compiled(pipeline(Step("a", (0,)), Step("b", (1,), options=Options(timeout=60))))
    assert [template(workflow, f"run-{name}")["timeout"] for name in "ab"] == ["604800s", "60s"]
    assert "activeDeadlineSeconds" not in workflow["spec"], "it would end long training"


def test_pods_have_no_sidecar_and_no_archived_logs() -> None:
    spec = compiled(pipeline(Step("a", (0,))))["spec"]
    assert spec["podMetadata"] == {kind: {"sidecar.istio.io/inject": "false"} for kind in ("annotations", "labels")}
    assert spec["archiveLogs"] is False


def test_pods_fit_a_restricted_namespace() -> None:
    workflow = compiled(pipeline(Step("a", (0,)), Step("b", (1,), options=EVERYTHING)))
    pod = workflow["spec"]["securityContext"]
    assert pod["runAsNonRoot"] is True
    assert pod["runAsUser"] > 0
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    for name in ("run-a", "run-b"):
        context = template(workflow, name)["container"]["securityContext"]
        assert context == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    kinds = {tuple(volume)[1] for part in (workflow["spec"], template(workflow, "run-b")) for volume in part["volumes"]}
    assert kinds == {"emptyDir"}


def test_only_steps_that_run_the_parameters_cell_get_parameters() -> None:
    parameters = (Parameter("lr", "float", 0.1, cell=0, line=1), Parameter("n", "int", 3, cell=2, line=1))
    workflow = compiled(pipeline(Step("a", (0, 1)), Step("b", (2,)), Step("c", (3,)), parameters=parameters))
    given = {name: template(workflow, f"run-{name}")["container"]["args"][14:] for name in "abc"}
    assert given == {
        "a": ["--param", "lr={{workflow.parameters.lr}}"],
        "b": ["--param", "n={{workflow.parameters.n}}"],
        "c": [],
    }


def test_arguments_are_json_and_runs_may_replace_them() -> None:
    parameters = (Parameter("s", "str", "it's", 0, 1), Parameter("d", "dict", {"ä": [None, True]}, 0, 2))
    plain = arguments(compiled(pipeline(Step("a", (0,)), parameters=parameters, python="3.12")))
    assert plain == {
        "mlops-registry": "",
        "mlops-bundle": BUNDLE,
        "mlops-image": "docker.io/library/python:3.12-slim",
        "mlops-resume": "",
        "s": '"it\'s"',
        "d": '{"ä": [null, true]}',
    }
    run = arguments(
        compiled(pipeline(Step("a", (0,)), parameters=parameters), parameters={"s": "x"}, registry="r:5000", image="me:1")
    )
    assert (run["s"], run["d"], run["mlops-registry"], run["mlops-image"]) == ('"x"', '{"ä": [null, true]}', "r:5000", "me:1")


@pytest.mark.slow
@law
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text("a{}\"\\'=", max_size=8),
        lambda x: st.lists(x) | st.dictionaries(st.text("{}a"), x),
    )
)
def test_no_value_is_a_template_for_argo(value: Any) -> None:
    text = json_argument(value)
    assert json.loads(text) == value
    assert "{{" not in text


def test_the_metadata_says_what_it_is() -> None:
    metadata = compiled(pipeline(Step("a", (0, 2)), Step("b", (3,), needs=("a",))))["metadata"]
    prefix = "jupyter-mlops.github.io/"
    assert metadata["generateName"] == "test-"
    assert metadata["labels"] == {"app.kubernetes.io/managed-by": "jupyter-mlops", f"{prefix}pipeline": "test"}
    assert metadata["annotations"][f"{prefix}notebook"] == "test.ipynb"
    assert metadata["annotations"][f"{prefix}source-digest"] == "sha256:1"
    assert json.loads(metadata["annotations"][f"{prefix}plan"]) == {
        "steps": [{"name": "a", "cells": [0, 2], "needs": []}, {"name": "b", "cells": [3], "needs": ["a"]}]
    }


def test_a_pipeline_without_steps_is_done_at_once() -> None:
    workflow = compiled(pipeline())
    assert workflow["spec"]["templates"] == [{"name": "pipeline", "suspend": {"duration": "0"}}]
    assert lint(workflow) == ()


def test_the_limit_of_tasks() -> None:
    assert len(template(compiled(pipeline(*(Step(f"s{n}", (n,)) for n in range(200)))), "pipeline")["dag"]["tasks"]) == 200
    with pytest.raises(Refused) as caught:
        compiled(pipeline(*(Step(f"s{n}", (n,)) for n in range(201))))
    assert (caught.value.code, caught.value.exit_code) == ("too-many-steps", 2)


def test_the_limit_of_the_plan() -> None:
    with pytest.raises(Refused) as caught:
        compiled(pipeline(Step("a", tuple(range(20_000)))))
    assert caught.value.code == "too-many-cells"


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from strings(key)
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


INJECTIONS = [
    "{{workflow.uid}}",
    "{{=sprig.env('PATH')}}",
    "'; rm -rf / #",
    "$(touch /tmp/x)",
    "x\n- name: evil",
    "&a [*a]",
    "!!python/object",
]


@pytest.mark.slow
@settings(law, max_examples=60)
@given(st.lists(st.sampled_from(INJECTIONS) | st.text(min_size=4, max_size=30), min_size=1, max_size=4))
def test_no_source_is_in_the_manifest_and_it_is_the_same_each_time(texts: list[str]) -> None:
    cells: list[Spec] = [cell for n, text in enumerate(texts) for cell in (f"md:# Part {n}", f"secret{n} = f({text!r})  # {n}")]
    first, second = (compiled(plan(notebook(*cells))) for _ in range(2))
    assert dump(first) == dump(second)
    assert load(dump(first)) == first
    assert lint(first) == ()
    found = [text for text in strings(first) if text != bootstrap_text()]
    assert not any(f"secret{n}" in text for n in range(len(texts)) for text in found)
    assert not any(injection in text for injection in INJECTIONS for text in found)


@settings(law, max_examples=60)
@given(st.text(max_size=40), st.text(max_size=40))
def test_any_heading_and_file_name_give_a_workflow_that_lints(title: str, name: str) -> None:
    cells: list[Spec] = [("x = f()", {"mlops": {"step": title}} if title.strip() else {}), "y = x"]
    assert lint(compiled(plan(notebook(*cells, name=f"{name}.ipynb")))) == ()

"""The lint: each fault that a cluster would refuse, made in a document that is right."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.workflow.lint import lint
from tests.unit.laws import law

GOOD: dict[str, Any] = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Workflow",
    "metadata": {"generateName": "good-", "labels": {"a.b/c": "d"}, "annotations": {"a.b/c": "any text"}},
    "spec": {
        "entrypoint": "main",
        "arguments": {"parameters": [{"name": "lr", "value": "1"}]},
        "volumes": [{"name": "v", "emptyDir": {}}],
        "templates": [
            {"name": "main", "dag": {"tasks": [
                {"name": "a", "template": "run", "arguments": {"parameters": [{"name": "x", "value": ""}]}},
                {"name": "b-2", "template": "run", "depends": "a.Succeeded && (a || !a.Failed)",
                 "arguments": {"parameters": [{"name": "x", "value": "{{tasks.a.outputs.parameters.y}}"}]}},
            ]}},
            {"name": "run", "inputs": {"parameters": [{"name": "x"}]},
             "container": {"image": "i", "command": ["c"], "args": ["{{inputs.parameters.x}}", "{{workflow.parameters.lr}}", "{{workflow.name}}"],
                           "volumeMounts": [{"name": "v", "mountPath": "/v"}]}},
        ],
    },
}  # fmt: skip


def main(document: dict[str, Any]) -> list[dict[str, Any]]:
    tasks: list[dict[str, Any]] = document["spec"]["templates"][0]["dag"]["tasks"]
    return tasks


def container(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["spec"]["templates"][1]["container"]
    return found


def test_a_document_that_is_right() -> None:
    assert lint(GOOD) == ()


FAULTS: list[tuple[str, str, Callable[[dict[str, Any]], Any]]] = [
    ("workflow-shape", "no argoproj.io/v1alpha1 Workflow", lambda d: d.update(kind="Pod")),
    ("workflow-shape", "no templates", lambda d: d["spec"].update(templates=[])),
    ("workflow-shape", "does nothing", lambda d: d["spec"]["templates"].append({"name": "empty"})),
    ("workflow-shape", "is container and dag", lambda d: d["spec"]["templates"][1].update(dag={"tasks": [{"name": "x", "template": "run"}]})),
    ("workflow-name", "name 'Bad_'", lambda d: d["metadata"].update(name="Bad_")),
    ("workflow-name", "is not valid", lambda d: d["metadata"].update(generateName="x" * 59)),
    ("workflow-name", "is not valid", lambda d: d["metadata"].update(generateName="")),
    ("workflow-name", "template's name 'a b'", lambda d: d["spec"]["templates"].append({"name": "a b", "suspend": {"duration": "1"}})),
    ("workflow-name", "task's name 'a_b'", lambda d: main(d).append({"name": "a_b", "template": "run"})),
    ("workflow-name", "begins with a digit", lambda d: main(d).append({"name": "1x", "template": "run", "depends": "a"})),
    ("workflow-name", "parameter's name 'größe'", lambda d: d["spec"]["arguments"]["parameters"].append({"name": "größe"})),
    ("workflow-name", "label a=", lambda d: d["metadata"]["labels"].update(a="b c")),
    ("workflow-name", "label a=", lambda d: d["metadata"]["labels"].update(a="x" * 64)),
    ("workflow-name", "annotation a b", lambda d: d["metadata"]["annotations"].update({"a b": ""})),
    ("workflow-name", "annotations take more", lambda d: d["metadata"]["annotations"].update(a="x" * 300_000)),
    ("workflow-duplicate", "two templates", lambda d: d["spec"]["templates"].append(d["spec"]["templates"][1])),
    ("workflow-duplicate", "two tasks", lambda d: main(d).append({"name": "a", "template": "run"})),
    ("workflow-duplicate", "two parameters", lambda d: d["spec"]["arguments"]["parameters"].append({"name": "lr"})),
    ("workflow-size", "bytes; 1048576", lambda d: d.update(extra="x" * 1_100_000)),
    ("workflow-size", "201 templates", lambda d: d["spec"]["templates"].extend({"name": f"t{n}", "suspend": {"duration": "1"}} for n in range(199))),
    ("workflow-size", "501 parameters", lambda d: d["spec"]["arguments"]["parameters"].extend({"name": f"p{n}"} for n in range(500))),
    ("workflow-size", "201 tasks", lambda d: main(d).extend({"name": f"t{n}", "template": "run"} for n in range(199))),
    ("workflow-size", "DAG without tasks", lambda d: d["spec"]["templates"].append({"name": "e", "dag": {"tasks": []}})),
    ("workflow-size", "argument of more", lambda d: container(d)["args"].append("x" * 131_073)),
    ("workflow-reference", "entrypoint 'nope'", lambda d: d["spec"].update(entrypoint="nope")),
    ("workflow-reference", "template 'nope'", lambda d: main(d)[0].update(template="nope")),
    ("workflow-reference", "depends on zz", lambda d: main(d)[1].update(depends="zz.Succeeded")),
    ("workflow-reference", "depends on zz", lambda d: main(d)[0].update(dependencies=["zz"])),
    ("workflow-reference", "depends and dependencies", lambda d: main(d)[1].update(dependencies=["a"])),
    ("workflow-name", "pods' label q='a b'", lambda d: d["spec"].update(podMetadata={"labels": {"q": "a b"}})),
    ("workflow-name", "pods' label q=1", lambda d: d["spec"]["templates"][1].update(metadata={"labels": {"q": 1}})),
    ("workflow-name", "no name of a service account", lambda d: d["spec"].update(serviceAccountName="A B")),
    ("workflow-name", "no name of a pull secret", lambda d: d["spec"].update(imagePullSecrets=[{"name": "A"}])),
    ("workflow-name", "no name of a namespace", lambda d: d["metadata"].update(namespace="team_a")),
    ("workflow-name", "no name of a Secret", lambda d: d["spec"]["volumes"].append({"name": "s", "secret": {"secretName": "a_b"}})),
    ("workflow-name", "no name of a ConfigMap", lambda d: d["spec"]["volumes"].append({"name": "s", "configMap": {"name": 1}})),
    ("workflow-reference", "mounts w", lambda d: container(d)["volumeMounts"].append({"name": "w", "mountPath": "/w"})),
    ("workflow-cycle", "wait for each other", lambda d: main(d)[0].update(depends="b-2")),
    ("workflow-cycle", "wait for each other", lambda d: main(d)[0].update(dependencies=["a"])),
    ("workflow-tag", "workflow.parameters.nope", lambda d: container(d)["args"].append("{{workflow.parameters.nope}}")),
    ("workflow-tag", "inputs.parameters.nope", lambda d: container(d)["args"].append("{{ inputs.parameters.nope }}")),
    ("workflow-tag", "tasks.nope", lambda d: main(d)[1]["arguments"]["parameters"].append({"name": "z", "value": "{{tasks.nope.status}}"})),
    ("workflow-tag", "{{x}}", lambda d: container(d)["command"].append("f'{{x}}'")),
]  # fmt: skip


@pytest.mark.parametrize(("code", "words", "break_it"), FAULTS, ids=[f"{code}-{words}" for code, words, _ in FAULTS])
def test_a_fault_is_found_under_its_code(code: str, words: str, break_it: Callable[[dict[str, Any]], Any]) -> None:
    document = copy.deepcopy(GOOD)
    break_it(document)
    found = lint(document)
    assert any(d.code == code and words in d.message and d.fix for d in found), found
    assert all(d.severity == "error" for d in found)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=5), x, max_size=3),
)


@law
@given(
    st.sampled_from(
        [
            "metadata",
            "spec",
            "entrypoint",
            "arguments",
            "volumes",
            "templates",
            "dag",
            "tasks",
            "container",
            "args",
            "depends",
            "name",
            "labels",
        ]
    ),
    JSON,
)
def test_a_strangers_document_is_no_crash(key: str, value: Any) -> None:
    def replaced(part: Any) -> Any:
        if isinstance(part, dict):
            return {name: value if name == key else replaced(inner) for name, inner in part.items()}
        return [replaced(inner) for inner in part] if isinstance(part, list) else part

    lint(replaced(GOOD))

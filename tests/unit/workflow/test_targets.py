"""What a target changes in a Workflow: the list of the formats page, and not one field more."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from jupyter_mlops.pipeline.pipeline import Options, Pipeline, Step
from jupyter_mlops.settings import Target
from jupyter_mlops.workflow.compile import compile_workflow
from jupyter_mlops.workflow.lint import lint
from jupyter_mlops.workflow.yaml import dump

PIPELINE = Pipeline(
    "churn",
    "churn.ipynb",
    (
        Step("load", (0,)),
        Step("train", (1,), options=Options(image="docker.io/me/train:1", gpu=1, env={"SSL_CERT_FILE": "/own"}, queue="gpus")),
    ),
    python="3.11",
)

LOCAL = None
CLUSTER = Target(
    name="prod", context="prod", namespace="team-a", registry="https://registry.example:5000/ml", registry_here="https://other",
    image="docker.io/library/python:3.11", service_account="steps", pull_secret="pull", ca="company-ca", queue="batch",
    mirrors={"docker.io/": "mirror.example/hub/", "docker.io/me/": "mirror.example/me/"},
)  # fmt: skip
TARGETS: dict[str, Target | None] = {
    "local": LOCAL,
    "the local target": Target(),
    "a cluster with everything": CLUSTER,
    "a restricted namespace": Target(name="r", namespace="ml-restricted", registry="http://10.0.0.1:5000"),
    "in-cluster": Target(
        name="in-cluster", namespace="ml", registry="http://registry.ml:5000", service_account="steps", pull_secret="p"
    ),
}

DIFFERENT = (
    r"spec\.arguments\.parameters\[mlops-(registry|image|resume)\]\.value",
    r"metadata\.namespace",
    r"spec\.serviceAccountName",
    r"spec\.imagePullSecrets.*",
    r"spec\.podMetadata\.labels\.kueue\.x-k8s\.io/queue-name",
    r"spec\.templates\[\S+\]\.container\.image",
    r"spec\.templates\[\S+\]\.container\.env\[MLOPS_IMAGE\]\.value",
    r"spec\.volumes\[registry-(auth|ca)\].*",
    r"spec\.templates\[\S+\]\.container\.volumeMounts\[registry-(auth|ca)\]",
    r"spec\.templates\[\S+\]\.container\.env\[(DOCKER_CONFIG|SSL_CERT_FILE)\]",
)
"""The paths of docs/formats.md; ``MLOPS_IMAGE`` says the image that a mirror replaces."""


def compiled(target: Target | None, **options: Any) -> dict[str, Any]:
    return compile_workflow(PIPELINE, bundle="runs/churn@sha256:" + "0" * 64, source_digest="sha256:1", target=target, **options)


def changes(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """Paths of the fields that differ; items of lists by their name."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            if key not in one or key not in other:
                yield f"{path}.{key}".lstrip(".")
            else:
                yield from changes(one[key], other[key], f"{path}.{key}".lstrip("."))
    elif isinstance(one, list) and isinstance(other, list) and all("name" in item for item in one + other):
        left, right = ({item["name"]: item for item in items} for items in (one, other))
        assert [name for name in left if name in right] == [name for name in right if name in left], "the order is the same"
        for name in {**left, **right}:
            if name not in left or name not in right:
                yield f"{path}[{name}]"
            else:
                yield from changes(left[name], right[name], f"{path}[{name}]")
    elif one != other:
        yield path


@pytest.mark.parametrize("one", TARGETS)
@pytest.mark.parametrize("other", TARGETS)
def test_only_the_listed_fields_differ(one: str, other: str) -> None:
    found = list(changes(compiled(TARGETS[one]), compiled(TARGETS[other], resume="churn-abc")))
    assert [path for path in found if not any(re.fullmatch(allowed, path) for allowed in DIFFERENT)] == []


def test_every_listed_field_does_differ() -> None:
    found = list(changes(compiled(LOCAL), compiled(CLUSTER, resume="churn-abc")))
    assert [allowed for allowed in DIFFERENT if not any(re.fullmatch(allowed, path) for path in found)] == []


@pytest.mark.parametrize("target", TARGETS)
def test_every_document_is_taken_and_is_the_same_each_time(target: str) -> None:
    workflow = compiled(TARGETS[target])
    assert lint(workflow) == ()
    assert dump(workflow) == dump(compiled(TARGETS[target]))


def container(target: Target | None, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(t for t in compiled(target)["spec"]["templates"] if t["name"] == f"run-{name}")["container"]
    return found


def variables(target: Target | None, name: str) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in container(target, name)["env"]}


def test_what_a_cluster_with_everything_gets() -> None:
    workflow = compiled(CLUSTER, resume="churn-abc", creator="ada")
    spec, metadata = workflow["spec"], workflow["metadata"]
    assert {p["name"]: p["value"] for p in spec["arguments"]["parameters"]} == {
        "mlops-registry": "https://registry.example:5000/ml",
        "mlops-bundle": "runs/churn@sha256:" + "0" * 64,
        "mlops-image": "mirror.example/hub/library/python:3.11",
        "mlops-resume": "churn-abc",
    }
    assert (metadata["namespace"], metadata["labels"]["jupyter-mlops.github.io/creator"]) == ("team-a", "ada")
    assert spec["serviceAccountName"] == "steps"
    assert spec["imagePullSecrets"] == [{"name": "pull"}]
    assert spec["podMetadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "batch"
    auth, ca = spec["volumes"][2:]
    assert auth == {
        "name": "registry-auth",
        "secret": {"secretName": "pull", "items": [{"key": ".dockerconfigjson", "path": "config.json"}]},
    }
    assert ca == {"name": "registry-ca", "configMap": {"name": "company-ca", "items": [{"key": "ca.crt", "path": "ca.crt"}]}}
    mounts = container(CLUSTER, "load")["volumeMounts"][2:]
    assert mounts == [
        {"name": "registry-auth", "mountPath": "/mlops-auth", "readOnly": True},
        {"name": "registry-ca", "mountPath": "/mlops-ca", "readOnly": True},
    ]
    assert variables(CLUSTER, "load") == {
        "HOME": "/mlops",
        "MLOPS_IMAGE": "{{workflow.parameters.mlops-image}}",
        "PYTHONHASHSEED": "0",
        "DOCKER_CONFIG": "/mlops-auth",
        "SSL_CERT_FILE": "/mlops-ca/ca.crt",
    }


def test_what_a_step_says_itself_counts() -> None:
    assert variables(CLUSTER, "train")["SSL_CERT_FILE"] == "/own"
    assert container(CLUSTER, "train")["image"] == variables(CLUSTER, "train")["MLOPS_IMAGE"] == "mirror.example/me/train:1"
    template = next(t for t in compiled(CLUSTER)["spec"]["templates"] if t["name"] == "run-train")
    assert template["metadata"] == {"labels": {"kueue.x-k8s.io/queue-name": "gpus"}}


def test_a_registry_and_image_given_by_hand_count_more_than_the_targets() -> None:
    workflow = compiled(CLUSTER, registry="http://10.0.0.1", image="docker.io/x:1")
    given = {p["name"]: p["value"] for p in workflow["spec"]["arguments"]["parameters"]}
    assert (given["mlops-registry"], given["mlops-image"]) == ("http://10.0.0.1", "mirror.example/hub/x:1")


def test_no_value_of_a_secret_and_no_address_of_this_machine() -> None:
    text = dump(compiled(CLUSTER))
    assert "https://other" not in text

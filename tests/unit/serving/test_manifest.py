"""The InferenceService: its shape against a strict schema, and its names against Kubernetes' rules."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.errors import WrongUsage
from jupyter_mlops.registry.models import ModelVersion
from jupyter_mlops.serving.decode import model_of, model_reference, service_of
from jupyter_mlops.serving.manifest import check_name, inference_service, longest, service_name

DIGEST = f"sha256:{'a' * 64}"
VERSION = ModelVersion("churn", "v3", DIGEST)


def obj(properties, required=None):
    names = list(properties) if required is None else required
    return {"type": "object", "additionalProperties": False, "properties": properties, "required": names}


TEXT = {"type": "string", "minLength": 1}
SCHEMA = obj({
    "apiVersion": {"const": "serving.kserve.io/v1beta1"},
    "kind": {"const": "InferenceService"},
    "metadata": obj({
        "name": {"type": "string", "pattern": "^[a-z]([-a-z0-9]*[a-z0-9])?$", "maxLength": 53},
        "namespace": {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63},
        "labels": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 63}},
        "annotations": {"type": "object", "additionalProperties": TEXT},
    }),
    "spec": obj({
        "predictor": obj({
            "minReplicas": {"type": "integer", "minimum": 0},
            "maxReplicas": {"type": "integer", "minimum": 1},
            "timeout": {"type": "integer", "minimum": 1},
            "model": obj({
                "modelFormat": obj({"name": TEXT}),
                "protocolVersion": {"enum": ["v1", "v2"]},
                "runtime": TEXT,
                "storageUri": {"type": "string", "pattern": "^oci\\+fetch://[^/]+/models/[^@]+@sha256:[0-9a-f]{64}$"},
                "terminationMessagePolicy": {"enum": ["File", "FallbackToLogsOnError"]},
                "readinessProbe": obj({"httpGet": obj({"path": TEXT, "port": {"type": "integer"}}), "periodSeconds": {"type": "integer"}}),
            }),
        }),
    }),
})  # fmt: skip
"""The part of KServe's v1beta1 that is used, no unknown field allowed."""


@pytest.mark.parametrize(("name", "namespace", "port"), [(None, "default", None), ("other", "lab", 8080), (None, "a" * 42, None)])
def test_the_document_has_kserves_shape(name, namespace, port):
    import jsonschema

    document = inference_service(VERSION, name=name, namespace=namespace, port=port)
    jsonschema.validate(document, SCHEMA)
    assert json.loads(json.dumps(document)) == document


def test_it_names_the_model_by_digest_in_both_places():
    document = inference_service(VERSION, name=None, namespace="default", port=None)
    assert document["metadata"]["annotations"]["jupyter-mlops.github.io/model-ref"] == f"models/churn@{DIGEST}"
    assert document["spec"]["predictor"]["model"]["storageUri"] == f"oci+fetch://jupyter-mlops.local/models/churn@{DIGEST}"
    assert document["metadata"]["annotations"]["serving.kserve.io/deploymentMode"] == "Standard"
    assert (model_reference(document), model_of(document)) == (f"churn@{DIGEST}", "churn:v3")
    assert service_of(document).phase == "Pending"


def test_a_port_is_kept_and_checked():
    document = inference_service(VERSION, name=None, namespace="default", port=8080)
    assert document["metadata"]["annotations"]["jupyter-mlops.github.io/port"] == "8080"
    assert (
        "jupyter-mlops.github.io/port"
        not in inference_service(VERSION, name=None, namespace="default", port=None)["metadata"]["annotations"]
    )
    for port in (0, -1, 65536):
        with pytest.raises(WrongUsage, match=f"{port} is not a port") as caught:
            inference_service(VERSION, name=None, namespace="default", port=port)
        assert caught.value.where.field == "port"


@pytest.mark.parametrize(
    ("name", "namespace", "field", "said"),
    [
        ("Churn", "default", "name", "'churn' would do"),
        ("churn_model", "default", "name", "'churn-model' would do"),
        ("9lives", "default", "name", "'m-9lives' would do"),
        ("-x", "default", "name", "'x' would do"),
        ("x-", "default", "name", "'x' would do"),
        ("", "default", "name", "would do"),
        ("a/b", "default", "name", "'a-b' would do"),
        ("../../etc", "default", "name", "'etc' would do"),
        ("a" * 54, "default", "name", "Use at most 53"),
        ("a" * 40, "n" * 30, "name", "Use at most 32"),
        ("x", "Default", "namespace", "small letters"),
        ("x", "", "namespace", "small letters"),
        ("x", "..", "namespace", "small letters"),
        ("x", "n" * 43, "namespace", "at most 42"),
        ("x\n", "default", "name", "would do"),
    ],
)
def test_names_that_cannot_be_used_are_refused_with_one_that_can(name, namespace, field, said):
    with pytest.raises(WrongUsage) as caught:
        inference_service(VERSION, name=name, namespace=namespace, port=None)
    assert said in caught.value.fix
    assert caught.value.where.field == field


@given(st.text(min_size=1, max_size=200), st.from_regex(r"[a-z0-9]([-a-z0-9]{0,40}[a-z0-9])?", fullmatch=True))
def test_a_name_for_any_model_is_valid(model, namespace):
    name = service_name(model, namespace)
    check_name(name, namespace)
    assert len(f"{name}-predictor") <= 63
    assert len(f"{name}-{namespace}") <= 63


@given(st.from_regex(r"[a-z]([-a-z0-9]{0,30}[a-z0-9])?", fullmatch=True))
def test_a_valid_name_stays(name):
    assert service_name(name, "default") == name
    assert longest("default") == 53

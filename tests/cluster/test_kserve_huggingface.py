"""Hugging Face and vLLM documents against the real definitions and webhooks of KServe.

The published runtimes' images are not on this cluster, so nothing is served here: what is shown is that the API server, the
webhooks and the manager take the documents, and that the Deployment they make has what was asked for.
"""

import pytest

from jupyter_mlops.cluster.base import DEPLOYMENTS, INFERENCE_SERVICES, SERVING_RUNTIMES
from jupyter_mlops.errors import NotFound
from jupyter_mlops.serving.kserve.huggingface import inference_service_hf
from jupyter_mlops.serving.kserve.runtimes import runtimes
from jupyter_mlops.serving.manifest import inference_service
from tests.cluster.conftest import fresh_namespace, wait_for
from tests.cluster.kserve import double, lab_in
from tests.unit.serving.support import iris_model

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

SAFE = {"allowPrivilegeEscalation": False, "privileged": False, "capabilities": {"drop": ["ALL"]}}
SHM = {"volumeMounts": [{"name": "devshm", "mountPath": "/dev/shm"}]}
LITTLE = {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"cpu": "1", "memory": "2Gi"}}


def published(name, model_format, container, protocols=()):
    """A runtime as KServe 0.20 publishes it, in a namespace."""
    spec = {
        "supportedModelFormats": [{"name": model_format, "version": "1", "autoSelect": True, "priority": 1}],
        "containers": [{"name": "kserve-container", "securityContext": SAFE, "resources": LITTLE, **SHM, **container}],
        "volumes": [{"name": "devshm", "emptyDir": {"medium": "Memory"}}],
    }
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ServingRuntime",
        "metadata": {"name": name},
        "spec": {**spec, **({"protocolVersions": list(protocols)} if protocols else {})},
    }


RUNTIMES = (
    published(
        "kserve-huggingfaceserver",
        "huggingface",
        {"image": "kserve/huggingfaceserver:v0.20.0", "args": ["--model_name={{.Name}}"]},
        ("v2", "v1"),
    ),
    published(
        "kserve-vllmserver",
        "vLLM",
        {
            "image": "vllm/vllm-openai:latest",
            "command": ["python", "-m", "vllm.entrypoints.openai.api_server"],
            "args": ["--port=8080", "--served-model-name={{.Name}}", "--model=/mnt/models"],
        },
    ),
    published(
        "kserve-sklearnserver",
        "sklearn",
        {"image": "kserve/sklearnserver:v0.20.0", "args": ["--model_name={{.Name}}"]},
        ("v1", "v2"),
    ),
)


@pytest.fixture(scope="module")
def lab(cluster, registry, python_image):
    with fresh_namespace(cluster, "h-kserve-hf") as namespace:
        made = lab_in(cluster, namespace, registry, python_image)
        for document in RUNTIMES:
            cluster.create(SERVING_RUNTIMES, document, namespace)
        yield made


def deployed(lab, document):
    """The container that the manager made of a document."""
    name = document["metadata"]["name"]
    lab.backend.apply(document)

    def there():
        try:
            return lab.cluster.get(DEPLOYMENTS, f"{name}-predictor", lab.target.namespace)
        except NotFound:
            return None

    wait_for(there, f"the Deployment of {name}: {lab.backend.get(name).message}", 90)
    deployment = there()
    lab.backend.control(name, "delete")
    containers = deployment["spec"]["template"]["spec"]["containers"]
    assert [each["name"] for each in containers] == ["kserve-container"], "a sidecar that nobody asked for"
    return deployment, containers[0]


FORMS = {
    "hf-cpu": {"model": "openai-community/gpt2", "task": "text_generation", "max_length": 512},
    "hf-gpu": {"model": "google/flan-t5-small@main", "task": "text2text_generation", "gpu": 1, "dtype": "bfloat16"},
    "hf-token": {"model": "meta-llama/Llama-3.2-1B", "token_secret": "hub", "gpu": 1, "args": ["--backend=vllm"]},
    "vllm-cpu": {"model": "facebook/opt-125m", "server": "vllm"},
    "vllm-gpus": {
        "model": "mistralai/Mistral-7B-v0.1",
        "server": "vllm",
        "gpu": 2,
        "max_length": 8192,
        "resources": {"memory": "32Gi"},
    },
}


@pytest.mark.parametrize("name", FORMS)
def test_the_real_webhooks_take_each_form(lab, name):
    options = dict(FORMS[name])
    document = inference_service_hf(options.pop("model"), name=name, namespace=lab.target.namespace, target=lab.target, **options)
    lab.cluster.create(INFERENCE_SERVICES, document, lab.target.namespace, dry_run=True)
    deployment, container = deployed(lab, document)
    assert any(each.startswith(("--model_name=", "--served-model-name=")) for each in container["args"])
    asked = document["spec"]["predictor"]["model"]
    assert container["args"][-len(asked.get("args", [])) :] == asked.get("args", container["args"])
    assert container["startupProbe"]["failureThreshold"] == 180
    if gpu := options.get("gpu"):
        assert container["resources"]["limits"]["nvidia.com/gpu"] == str(gpu)
        assert deployment["spec"]["strategy"]["type"] == "Recreate"
        assert deployment["spec"]["template"]["spec"]["tolerations"][0]["key"] == "nvidia.com/gpu"
    if options.get("token_secret"):
        variable = next(each for each in container["env"] if each["name"] == "HF_TOKEN")
        assert variable["valueFrom"]["secretKeyRef"]["name"] == "hub"


def test_a_registered_folder_comes_in_by_digest(lab):
    version = lab.python("folder", double)
    document = inference_service_hf(version, name="own", namespace=lab.target.namespace, target=lab.target, mode="oci+native")
    uri = document["spec"]["predictor"]["model"]["storageUri"]
    assert uri == f"oci+native://{lab.target.registry[7:]}/{version.reference}"
    deployed(lab, document)


def test_one_of_the_clusters_runtimes_can_be_asked_for(lab, tmp_path):
    found = runtimes(lab.cluster, lab.target.namespace, "sklearn")
    assert "kserve-sklearnserver" in [each.name for each in found.found]
    assert not found.unseen
    version = lab.publish("iris", iris_model(tmp_path / "iris"))
    document = lab.backend.prepare(version, name="theirs", runtime="kserve-sklearnserver")
    model = document["spec"]["predictor"]["model"]
    assert (model["runtime"], model["protocolVersion"]) == ("kserve-sklearnserver", "v2")
    assert model["storageUri"].startswith("oci+native://")
    _, container = deployed(lab, document)
    assert container["image"] == "kserve/sklearnserver:v0.20.0"
    with pytest.raises(NotFound) as caught:
        lab.backend.prepare(version, name="theirs", runtime="nothing")
    assert "kserve-sklearnserver" in caught.value.fix


def test_a_runtime_that_goes_away_is_said(lab, tmp_path):
    version = lab.publish("iris", iris_model(tmp_path / "iris"))
    document = inference_service(
        version, name="gone", namespace=lab.target.namespace, target=lab.target, runtime="no-such-runtime", mode="oci+native",
        rule="any",
    )  # fmt: skip
    lab.backend.apply(document)
    found = lab.settled("gone", lambda one: one.phase == "Failed", 30)
    assert found.code == "runtime-not-found"
    assert "no-such-runtime" in found.message
    lab.backend.control("gone", "delete")

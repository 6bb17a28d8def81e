"""Documents for a cluster: what every one of them says, what a target and an option change, and what none may say."""

import json
import re

import pytest

from jupyter_mlops.errors import NotAllowed, WrongUsage
from jupyter_mlops.registry.models import ModelVersion
from jupyter_mlops.serving.decode import model_of, model_reference
from jupyter_mlops.serving.kserve.bundle import server_bundle
from jupyter_mlops.serving.kserve.huggingface import inference_service_hf
from jupyter_mlops.serving.kserve.modes import CAR, FETCH, NATIVE, PULLER
from jupyter_mlops.serving.kserve.predictor import in_mode
from jupyter_mlops.serving.manifest import inference_service
from jupyter_mlops.settings import LOCAL, Target

DIGEST = f"sha256:{'a' * 64}"
CARD = {"python": "3.12.4", "image": "r.example/train:7", "format": "sklearn"}
VERSION = ModelVersion("churn", "v3", DIGEST, card=CARD, format="sklearn")
TARGET = Target(name="team", namespace="ml", registry="https://r.example/base")
LOCAL_TEXT = (
    '{"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "metadata": {"name": "churn", "namespace": "default", '
    '"labels": {"app.kubernetes.io/managed-by": "jupyter-mlops"}, "annotations": {"serving.kserve.io/deploymentMode": "Standard", '
    '"serving.kserve.io/autoscalerClass": "none", "jupyter-mlops.github.io/model-ref": "models/churn@DIGEST", '
    '"jupyter-mlops.github.io/model-tag": "v3", "jupyter-mlops.github.io/port": "8080"}}, "spec": {"predictor": {"minReplicas": 1, '
    '"maxReplicas": 1, "timeout": 60, "model": {"modelFormat": {"name": "mlops-python"}, "protocolVersion": "v2", "runtime": '
    '"jupyter-mlops-server", "storageUri": "oci+fetch://jupyter-mlops.local/models/churn@DIGEST", "terminationMessagePolicy": '
    '"FallbackToLogsOnError", "readinessProbe": {"httpGet": {"path": "/v2/health/ready", "port": 8080}, "periodSeconds": 5}}}}}'
)


def document(version=VERSION, target=TARGET, **options):
    return inference_service(version, name=options.pop("name", None), namespace="ml", target=target, **options)


def parts(made):
    spec = made["spec"]["predictor"]
    return spec, spec["initContainers"][0], spec["containers"][0]


@pytest.mark.parametrize("target", [None, Target(name=LOCAL)])
def test_for_this_machine_not_a_byte_changed(target):
    made = inference_service(VERSION, name=None, namespace="default", port=8080, target=target)
    assert json.dumps(made) == LOCAL_TEXT.replace("DIGEST", DIGEST)


@pytest.mark.parametrize("mode", ["", NATIVE, FETCH, CAR, PULLER])
def test_what_every_document_for_a_cluster_says(mode):
    made = document(mode=mode)
    spec, fetcher, server = parts(made)
    notes = made["metadata"]["annotations"]
    assert notes["serving.kserve.io/deploymentMode"] == "Standard"
    assert notes["sidecar.istio.io/inject"] == "false"
    assert re.fullmatch(r"[0-9a-f]{12}", notes["jupyter-mlops.github.io/revision"])
    assert made["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "jupyter-mlops"}
    assert (model_reference(made), model_of(made)) == (f"churn@{DIGEST}", "churn:v3")
    assert spec["automountServiceAccountToken"] is False
    assert server["name"] == "kserve-container"
    assert server["readinessProbe"]["httpGet"] == {"path": "/v2/models/churn/ready", "port": 8080}
    assert "tcpSocket" not in json.dumps(made)
    assert {"name": "PROTOCOL", "value": "v2"} in server["env"]
    assert {each["terminationMessagePolicy"] for each in (fetcher, server)} == {"FallbackToLogsOnError"}
    assert json.loads(json.dumps(made)) == made


@pytest.mark.parametrize("mode", [NATIVE, PULLER])
def test_it_complies_with_restricted(mode):
    spec, fetcher, server = parts(document(mode=mode, gpu=1))
    pod = spec["securityContext"]
    assert (pod["runAsNonRoot"], pod["seccompProfile"]) == (True, {"type": "RuntimeDefault"})
    assert pod["runAsUser"] > 0
    for container in (fetcher, server):
        assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        assert set(container["resources"]) == {"requests", "limits"}
    assert all(set(volume) <= {"name", "emptyDir", "secret", "configMap"} for volume in spec["volumes"])


def test_nothing_large_travels_in_it():
    made = document(mode=PULLER)
    _, fetcher, server = parts(made)
    assert len(fetcher["command"][2].encode()) <= 4096
    assert len(json.dumps(made)) < 12_000
    assert server_bundle().digest.partition(":")[2] in server["command"][1]
    assert fetcher["args"][:4] == ["--registry", TARGET.registry, "--bundle", server_bundle().reference]


@pytest.mark.parametrize(
    ("mode", "uri", "folder", "pulls"),
    [
        (NATIVE, f"oci+native://r.example/base/models/churn@{DIGEST}", "/mnt/models", False),
        (FETCH, f"oci+fetch://r.example/base/models/churn@{DIGEST}", "/mnt/models", False),
        (CAR, f"oci://r.example/base/models/churn@{DIGEST}", "/mnt/models", False),
        (PULLER, None, "/mlops/model", True),
    ],
)
def test_each_mode_and_the_way_from_each_to_each(mode, uri, folder, pulls):
    made = document(mode=mode, reason="why not")
    for other in (NATIVE, FETCH, CAR, PULLER):
        again = in_mode(in_mode(made, other), mode)
        assert again["spec"] == made["spec"]
        assert (
            again["metadata"]["annotations"]["jupyter-mlops.github.io/revision"]
            == made["metadata"]["annotations"]["jupyter-mlops.github.io/revision"]
        )
    _, fetcher, server = parts(made)
    assert next((each["value"] for each in server["env"] if each["name"] == "STORAGE_URI"), None) == uri
    assert server["args"][0] == folder
    assert (f"models/churn@{DIGEST}" in fetcher["args"]) is pulls
    assert made["metadata"]["annotations"]["jupyter-mlops.github.io/mode"] == mode
    assert made["metadata"]["annotations"]["jupyter-mlops.github.io/mode-reason"] == "why not"


def test_a_mode_that_was_refused_is_remembered():
    made = in_mode(document(mode=NATIVE), PULLER, "the nodes cannot", refused=NATIVE)
    assert made["metadata"]["annotations"]["jupyter-mlops.github.io/mode-refused"] == NATIVE


def test_only_the_container_that_fetches_sees_the_login():
    made = document(target=Target(name="t", namespace="ml", registry="https://r", pull_secret="login", ca="company"))
    spec, fetcher, server = parts(made)
    assert spec["imagePullSecrets"] == [{"name": "login"}]
    assert {"name": "DOCKER_CONFIG", "value": "/mlops-auth"} in fetcher["env"]
    assert {"name": "SSL_CERT_FILE", "value": "/mlops-ca/ca.crt"} in fetcher["env"]
    assert [mount["mountPath"] for mount in fetcher["volumeMounts"]] == ["/mlops", "/mlops-auth", "/mlops-ca"]
    assert [mount["mountPath"] for mount in server["volumeMounts"]] == ["/mlops"]
    secret = next(volume["secret"] for volume in spec["volumes"] if "secret" in volume)
    assert secret == {"secretName": "login", "items": [{"key": ".dockerconfigjson", "path": "config.json"}]}


@pytest.mark.parametrize(
    ("card", "target_image", "asked", "image"),
    [
        (CARD, "t/image:1", "", "r.example/train:7"),
        (CARD, "t/image:1", "mine:2", "mine:2"),
        ({"python": "3.12.4"}, "t/image:1", "", "t/image:1"),
        ({"python": "3.12.4"}, "", "", "mirror.example/library/python:3.12-slim"),
        ({}, "", "", "mirror.example/library/python:3.11-slim"),
    ],
)
def test_the_image_is_that_of_the_training(card, target_image, asked, image):
    target = Target(name="t", namespace="ml", registry="https://r", image=target_image, mirrors={"docker.io/": "mirror.example/"})
    _, fetcher, server = parts(document(ModelVersion("churn", "v3", DIGEST, card=card), target, image=asked))
    assert server["image"] == fetcher["image"] == image


def test_resources_gpus_variables_and_secrets():
    made = document(
        gpu=2, resources={"cpu": "3", "memory": "5Gi"}, env={"LEVEL": "1"}, secrets=[{"env": "KEY", "secret": "s", "key": "k"}]
    )
    spec, _, server = parts(made)
    assert server["resources"]["limits"] == {"cpu": "3", "memory": "5Gi", "nvidia.com/gpu": "2"} == server["resources"]["requests"]
    assert spec["deploymentStrategy"] == {"type": "Recreate"}
    assert spec["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert {"name": "LEVEL", "value": "1"} in server["env"]
    assert {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}} in server["env"]
    plain = parts(document())[0]
    assert "deploymentStrategy" not in plain
    assert "tolerations" not in plain


@pytest.mark.parametrize(
    ("size", "request_", "limit"),
    [(0, "256Mi", "2Gi"), (1 << 20, "258Mi", "2Gi"), (1 << 30, "2304Mi", "5Gi"), (3 << 30, "6400Mi", "13Gi")],
)
def test_memory_grows_with_the_model(size, request_, limit):
    resources = parts(document(ModelVersion("churn", "v3", DIGEST, bytes=size)))[2]["resources"]
    assert (resources["requests"]["memory"], resources["limits"]["memory"]) == (request_, limit)


def test_what_is_asked_for_and_nothing_else_changes_the_revision():
    def revision(**options):
        return document(**options)["metadata"]["annotations"]["jupyter-mlops.github.io/revision"]

    assert revision() == revision(reason="other words")
    assert len({revision(), revision(env={"A": "1"}), revision(mode=NATIVE), revision(gpu=1), revision(image="i")}) == 5


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"env": {"PYTHONPATH": "/x"}}, "PYTHONPATH"),
        ({"env": {"STORAGE_URI": "s3://x"}}, "STORAGE_URI"),
        ({"secrets": [{"env": "PROTOCOL", "secret": "s", "key": "k"}]}, "PROTOCOL"),
        ({"target": Target(name="t", namespace="ml")}, "registry"),
        ({"name": "No Name"}, "name"),
        ({"runtime": "r", "rule": "any", "version": ModelVersion("churn", "v3", DIGEST, format="python")}, "runtime"),
    ],
)
def test_what_cannot_be_is_refused(options, field):
    with pytest.raises(WrongUsage) as caught:
        document(**options)
    assert caught.value.where.field == field
    assert caught.value.fix


def test_a_mode_that_does_not_exist():
    with pytest.raises(WrongUsage, match="'s3' is not a way"):
        document(mode="s3")


@pytest.mark.parametrize("rule", ["never", "listed"])
@pytest.mark.parametrize("card", [{"pickle": False}, {"pickle": True}, {}])
def test_a_runtime_that_asks_nobody_gets_nothing_foreign(rule, card):
    """Whatever the card says: who pushed the version wrote it."""
    version = ModelVersion("churn", "v3", DIGEST, format="sklearn", card=card)
    with pytest.raises(NotAllowed) as caught:
        document(version=version, runtime="kserve-sklearnserver", rule=rule)
    assert caught.value.code == "pickle-refused"


def test_a_runtime_of_the_cluster():
    target = Target(name="t", namespace="ml", registry="http://r:5000", pull_secret="login")
    made = document(target=target, runtime="kserve-sklearnserver", rule="any", mode=NATIVE, reason="best", env={"A": "1"}, gpu=1)
    spec = made["spec"]["predictor"]
    model = spec["model"]
    assert (model["runtime"], model["protocolVersion"], model["modelFormat"]) == ("kserve-sklearnserver", "v2", {"name": "sklearn"})
    assert model["storageUri"] == f"oci+native://r:5000/models/churn@{DIGEST}"
    assert (model["terminationMessagePolicy"], model["env"]) == ("FallbackToLogsOnError", [{"name": "A", "value": "1"}])
    assert spec["imagePullSecrets"] == [{"name": "login"}]
    assert model["resources"]["limits"] == {"nvidia.com/gpu": "1"}
    assert "containers" not in spec


# -- Hugging Face ------------------------------------------------------------------------------------------------------------


def hugging(model="google/flan-t5-small", **options):
    return inference_service_hf(model, name=options.pop("name", None), namespace="ml", target=TARGET, **options)


@pytest.mark.parametrize(
    ("options", "args"),
    [
        ({}, None),
        ({"task": "fill_mask"}, ["--task=fill_mask"]),
        ({"max_length": 9, "dtype": "auto"}, ["--dtype=auto", "--max_model_len=9"]),
        ({"server": "vllm", "max_length": 9, "gpu": 2}, ["--max-model-len=9", "--tensor-parallel-size=2"]),
        ({"args": ["--backend=vllm"], "gpu": 1}, ["--backend=vllm"]),
    ],
)
def test_arguments_of_the_servers(options, args):
    assert hugging(**options)["spec"]["predictor"]["model"].get("args") == args


def test_a_model_of_the_hub_by_its_id():
    made = hugging("meta-llama/Llama-3.2-1B@main", token_secret="hub", gpu=1)
    model = made["spec"]["predictor"]["model"]
    assert made["metadata"]["name"] == "llama-3-2-1b"
    assert model["storageUri"] == "hf://meta-llama/Llama-3.2-1B:main"
    assert (model["runtime"], model["modelFormat"]) == ("kserve-huggingfaceserver", {"name": "huggingface", "version": "1"})
    assert {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "HF_TOKEN"}}} in model["env"]
    notes = made["metadata"]["annotations"]
    assert notes["serving.kserve.io/storageSecretName"] == "hub"
    assert notes["jupyter-mlops.github.io/model-id"] == "meta-llama/Llama-3.2-1B@main"
    assert "jupyter-mlops.github.io/model-ref" not in notes
    assert model["startupProbe"]["failureThreshold"] * model["startupProbe"]["periodSeconds"] == 1800
    assert made["spec"]["predictor"]["deploymentStrategy"] == {"type": "Recreate"}


def test_a_registered_folder_and_vllm():
    made = hugging(VERSION, server="vllm", mode=NATIVE, runtime="ours")
    model = made["spec"]["predictor"]["model"]
    assert model["storageUri"] == f"oci+native://r.example/base/models/churn@{DIGEST}"
    assert (model["runtime"], model["modelFormat"]["name"]) == ("ours", "vLLM")
    assert model["readinessProbe"]["httpGet"]["path"] == "/v1/models"
    assert model_of(made) == "churn:v3"
    assert "HF_HUB_DISABLE_XET" not in json.dumps(made)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"model": "gpt2"}, "model"),
        ({"model": "a/b/c"}, "model"),
        ({"model": "../etc/passwd"}, "model"),
        ({"server": "ollama"}, "server"),
        ({"task": "dance"}, "task"),
        ({"task": "fill_mask", "server": "vllm"}, "task"),
        ({"dtype": "int3"}, "dtype"),
        ({"model": VERSION, "mode": PULLER}, "mode"),
        ({"name": "X"}, "name"),
        ({"env": {"PYTHONPATH": "x"}}, "PYTHONPATH"),
    ],
)
def test_what_the_servers_would_not_take(options, field):
    with pytest.raises(WrongUsage) as caught:
        hugging(**options)
    assert caught.value.where.field == field
    assert caught.value.fix


def test_no_length_below_nothing():
    with pytest.raises(WrongUsage, match="-1 tokens"):
        hugging(max_length=-1)

"""Services on KServe: the causes that documents can tell, by their numbers in the list that the product knows."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_mlops.diagnose.declared import refused_cause
from jupyter_mlops.diagnose.service import service_cause
from tests.unit.diagnose.making import BEGAN, START, condition, crashed, ended, event, isvc, running, says, service_pod, waiting

UNAVAILABLE = condition("PredictorReady", "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
READY = condition("Ready", "True"), condition("PredictorReady", "True"), condition("IngressReady", "True")
MODEL = {"model": {"modelFormat": {"name": "mlflow"}, "runtime": "mine", "storageUri": "oci+fetch://r/m@sha256:0"}}
KNATIVE = {"serving.kserve.io/deploymentMode": "Knative"}


def failed(reason: str, message: str, state: str = "InvalidSpec", code: int = 0) -> dict[str, Any]:
    return {"modelStatus": {"transitionStatus": state, "lastFailureInfo": {"reason": reason, "message": message, "exitCode": code}}}


def about(reason: str, message: str, kind: str = "InferenceService", name: str = "churn") -> dict[str, Any]:
    return event(reason, message, name, kind)


def deployment(*conditions: dict[str, str], replicas: int = 1, ready: int = 0) -> dict[str, Any]:
    return {
        "metadata": {"name": "churn-predictor"},
        "spec": {"replicas": replicas},
        "status": {"readyReplicas": ready, "conditions": list(conditions)},
    }


SPECS = [
    (6, failed("NoSupportingRuntime", "No runtime found to support specified framework/version"), "no-runtime", ["format 'mlflow' with the protocol v1"]),
    (6, failed("NoSupportingRuntime", "Specified runtime does not support specified protocol version"), "no-runtime", ["'mine' does not speak the protocol v1"]),
    (7, failed("RuntimeNotRecognized", "Waiting for runtime to become available"), "runtime-not-found", ["'mine'"]),
    (8, failed("RuntimeDisabled", "Specified runtime is disabled"), "runtime-not-found", ["switched off"]),
    (8, failed("InvalidPredictorSpec", "template: x: unexpected }"), "service-invalid", ["unexpected }"]),
    (8, failed("InvalidGPUAllocation", "GPUs cannot be split"), "service-invalid", ["GPUs cannot be split"]),
]  # fmt: skip


@pytest.mark.parametrize(("row", "status", "code", "parts"), SPECS, ids=[f"{one[0]}-{number}" for number, one in enumerate(SPECS)])
def test_what_is_wrong_with_the_document(row: int, status: dict[str, Any], code: str, parts: list[str]) -> None:
    cause = says(service_cause(isvc(UNAVAILABLE, predictor=MODEL, **status)), code, parts, "user")
    assert cause.final


EVENTS = [
    (9, about("ServerlessModeRejected", "It is not possible to use Knative deployment mode when Knative Services are not available"), "no-knative", ["Standard"]),
    (28, about("InternalError", "StorageURI not supported: storageUri, must be one of: [gs://] or match x. StorageUri [oci+fetch://r/m@sha256:0] is not supported"), "storage-scheme", ["oci+fetch://"]),
    (28, about("InternalError", "StorageURI not supported"), "storage-scheme", ["oci+fetch://"]),
    (10, about("FailedCreate", 'Error creating: pods "x" is forbidden: exceeded quota: q, requested: memory=16Gi, used: memory=12Gi, limited: memory=16Gi', "ReplicaSet", "churn-predictor-7f"), "quota", ["16Gi asked for, 12Gi of 16Gi in use"]),
    (11, about("FailedCreate", 'Error creating: pods "x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true (pod or container "kserve-container" must set securityContext.runAsNonRoot=true)', "ReplicaSet", "churn-predictor-7f"), "pod-security", ["its containers (kserve-container) may run as root"]),
    (11, about("FailedCreate", 'Error creating: pods "x" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi', "ReplicaSet", "churn-predictor-7f"), "outside-limits", ["1Gi"]),
    (12, about("FailedCreate", 'Error creating: Internal error occurred: failed calling webhook "inferenceservice.kserve-webhook-server.pod-mutator": x509', "ReplicaSet", "churn-predictor-7f"), "webhook-failing", ["pod-mutator"]),
    (12, about("FailedCreate", "Error creating: something that is new", "ReplicaSet", "churn-predictor-7f"), "service-invalid", ["something that is new"]),
]  # fmt: skip


@pytest.mark.parametrize(("row", "told", "code", "parts"), EVENTS, ids=[f"{one[0]}-{number}" for number, one in enumerate(EVENTS)])
def test_what_only_events_tell(row: int, told: dict[str, Any], code: str, parts: list[str]) -> None:
    cause = says(service_cause(isvc(predictor=MODEL), (), [told]), code, parts)
    assert told["message"][:60] in cause.facts[0]
    other = {**told, "involvedObject": {**told["involvedObject"], "name": "other"}}
    assert service_cause(isvc(predictor=MODEL), (), [other]) is None


def test_what_was_made_in_the_end_is_no_longer_refused() -> None:
    refused = EVENTS[3][1]
    made = event("SuccessfulCreate", "Created pod: churn-predictor-7f-x", "churn-predictor-7f", "ReplicaSet", at=9)
    pod = service_pod("churn-predictor-7f-x", containerStatuses=[running("kserve-container")])
    assert service_cause(isvc(), (), [made, refused]) is None
    assert service_cause(isvc(), [pod], [refused]) is None
    says(
        service_cause(isvc(), [service_pod("churn-predictor-older-x", containerStatuses=[running("kserve-container")])], [refused]),
        "quota",
    )


def test_an_address_that_was_corrected_is_no_longer_wrong() -> None:
    wrong = EVENTS[1][1]
    later = {**UNAVAILABLE, "lastTransitionTime": "2026-01-01T00:05:00Z"}
    assert service_cause(isvc(later, predictor=MODEL), (), [wrong]) is None
    earlier = {**UNAVAILABLE, "lastTransitionTime": "2025-01-01T00:05:00Z"}
    says(service_cause(isvc(earlier, predictor=MODEL), (), [wrong]), "storage-scheme")


@pytest.mark.parametrize("said", [EVENTS[3][1]["message"].removeprefix("Error creating: "), "something that is new"])
def test_the_deployments_condition_tells_the_same(said: str) -> None:
    found = service_cause(isvc(UNAVAILABLE), (), (), deployment(condition("ReplicaFailure", "True", "FailedCreate", said)))
    cause = says(found, "quota" if "quota" in said else "service-invalid")
    assert cause.facts[0].startswith("deployment churn-predictor: ")
    says(service_cause(isvc(condition("PredictorReady", "False", "FailedCreate", said))), cause.code)


def test_requests_above_limits() -> None:
    said = 'fails to reconcile predictor: Deployment.apps "x-predictor" is invalid: spec.template.spec.containers[0].resources.requests: Invalid value: "64Mi": must be less than or equal to memory limit of 32Mi'
    says(
        service_cause(isvc(condition("PredictorReady", "False", "ReconcileFailed", said))), "request-above-limit", ["64Mi", "32Mi"]
    )


WORDS = [
    (29, "InconsistentVersionWarning: Trying to unpickle estimator from version 1.9.1 when using version 1.5.1.", "version-mismatch", ["1.9.1"]),
    (29, "Traceback\nModuleNotFoundError: No module named 'sklearn.frozen'", "version-mismatch", ["scikit-learn"]),
    (29, "ModuleNotFoundError: No module named '_loss'", "version-mismatch", ["_loss"]),
    (29, "version mismatch: Python 3.12 made the model, this is 3.11", "version-mismatch", ["3.12"]),
    (30, "ModuleNotFoundError: No module named 'lightgbm'", "missing-package", ["'lightgbm'", "image"]),
    (30, "ModuleNotFoundError: No module named 'cv2'", "missing-package", ["'opencv-python'"]),
    (31, "kserve.errors.ModelMissingError: no file", "model-file", ["exactly one"]),
    (31, "RuntimeError: More than one model file is detected", "model-file", ["More than one"]),
    (33, "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB", "gpu-memory", ["max-model-len"]),
    (33, "ValueError: No available memory for the cache blocks", "gpu-memory", []),
    (34, "huggingface_hub.errors.GatedRepoError: 401 Client Error", "model-gated", ["licence", "HF_TOKEN"]),
    (0, "MemoryError: Unable to allocate 8 GiB", "out-of-memory", []),
    (0, "AttributeError: Can't get attribute 'clean' on <module '__main__'>", "model-incomplete", ["'clean'"]),
    (0, "_pickle.UnpicklingError: invalid load key", "model-unreadable", []),
    (0, "Traceback (most recent call last):\nKeyError: 'x'", "model-failed", ["KeyError: 'x'", "services logs churn"]),
    (0, "", "model-failed", ["exit code 1"]),
    (0, '{"code":"missing-package","message":"the model needs the package lightgbm","blame":"user","fix":"Use another image."}', "missing-package", ["Use another image."]),
    (0, '{"level":"error","message":"cannot bind"}', "model-failed", ["cannot bind"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "said", "code", "parts"), WORDS, ids=[f"{one[0]}-{one[2]}-{number}" for number, one in enumerate(WORDS)]
)
def test_a_server_that_crashes_tells_why(row: int, said: str, code: str, parts: list[str]) -> None:
    for status in (crashed(1, message=said), ended(1, message=said, name="kserve-container")):
        says(service_cause(isvc(UNAVAILABLE), [service_pod(containerStatuses=[status])]), code, parts)
    if said:
        says(service_cause(isvc(UNAVAILABLE, **failed("ModelLoadFailed", said, "BlockedByFailedLoad", 1))), code, parts)


def test_memory_of_the_server() -> None:
    pod = service_pod(containerStatuses=[crashed(137, "OOMKilled")])
    pod["spec"]["containers"][0]["resources"] = {"limits": {"memory": "2Gi"}}
    says(service_cause(isvc(UNAVAILABLE), [pod]), "out-of-memory", ["2Gi", "for example 4Gi"])
    says(service_cause(isvc(UNAVAILABLE, **failed("ModelLoadFailed", "", "BlockedByFailedLoad", 137))), "out-of-memory")


FETCHES = [
    (21, "storage-initializer", "RuntimeError: authentication failed for registry", "model-login", ["pull_secret"]),
    (21, "storage-initializer", "botocore.exceptions.NoCredentialsError: Unable to locate credentials", "model-login", []),
    (22, "storage-initializer", "RuntimeError: Issue with http://x: Not Found", "model-not-found", ["jupyter mlops models"]),
    (22, "storage-initializer", "resource r/m:v1 not found", "model-not-found", []),
    (23, "storage-initializer", "artifact has no /models/ directory. Found top-level entries: data", "model-layout", ["log_model"]),
    (24, "storage-initializer", "unsupported compression zstd", "model-compression", []),
    (24, "storage-initializer", "no manifest for linux/arm64 in index", "image-architecture", ["linux/arm64"]),
    (27, "modelcar-init", "Pre-fetching modelcar R/iris:nomodels: NOK ... Prefetched but modelcar is invalid (/models does not exist or is empty)", "model-layout", []),
    (27, "modelcar", "sh: 1: ln: not found", "model-no-shell", ["oci://"]),
    (0, "storage-initializer", "requests.exceptions.ConnectionError: Max retries exceeded", "model-unreachable", []),
    (0, "mlops-fetch", "something that is new", "model-fetch", ["'mlops-fetch'", "something that is new"]),
    (0, "mlops-fetch", '{"code":"registry-login","blame":"platform","message":"the model cannot be fetched: the registry asks who you are","fix":"Log in."}', "registry-login", ["asks who you are"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "container", "said", "code", "parts"), FETCHES, ids=[f"{one[0]}-{one[3]}-{n}" for n, one in enumerate(FETCHES)]
)
def test_a_model_that_does_not_arrive(row: int, container: str, said: str, code: str, parts: list[str]) -> None:
    pod = service_pod(
        phase="Pending",
        initContainerStatuses=[crashed(1, message=said, name=container)],
        containerStatuses=[waiting("PodInitializing", name="kserve-container")],
    )
    says(service_cause(isvc(UNAVAILABLE), [pod]), code, parts)


def test_an_initializer_without_memory_blames_its_own_limit() -> None:
    pod = service_pod(phase="Pending", initContainerStatuses=[crashed(137, "OOMKilled", name="storage-initializer")])
    pod["spec"]["initContainers"] = [{"name": "storage-initializer", "resources": {"limits": {"memory": "1Gi"}}}]
    says(service_cause(isvc(UNAVAILABLE), [pod]), "out-of-memory", ["1Gi that KServe gives"], "platform")


def test_a_model_image_without_a_shell() -> None:
    said = 'failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "sh": executable file not found in $PATH'
    pod = service_pod(phase="Pending", initContainerStatuses=[crashed(128, "StartError", said, "modelcar-init")])
    says(service_cause(isvc(UNAVAILABLE), [pod]), "model-no-shell", ["oci+native://"])


def test_fetching_that_stands_still() -> None:
    pod = service_pod(
        phase="Pending", initContainerStatuses=[{"name": "storage-initializer", "state": {"running": {"startedAt": START}}}]
    )
    assert service_cause(isvc(UNAVAILABLE), [pod]) is None
    assert service_cause(isvc(UNAVAILABLE), [pod], now=BEGAN + 60) is None
    says(service_cause(isvc(UNAVAILABLE), [pod], now=BEGAN + 600), "fetch-slow", ["10 minutes"])


CONDITIONS = [
    (28, [condition("OciImageVolumeCompatible", "False", "x", "needs 1.33")], "image-volumes-missing", ["too old"]),
    (36, [condition("PredictorReady", "False", "ProgressDeadlineExceeded", 'ReplicaSet "x" has timed out progressing.')], "not-ready", ["services logs churn"]),
    (39, [condition("PredictorReady", "True"), condition("IngressReady", "False", "HttpRouteNotReady", "not accepted")], "no-address", ["jupyter mlops predict churn"]),
    (42, [condition("PredictorReady", "True"), condition("CanaryPredictorReady", "False", "CanariesNotReady", "v2")], "canary-not-ready", ["the old one goes on"]),
    (45, [condition("Stopped", "True")], "stopped", ["services start churn"]),
]  # fmt: skip


@pytest.mark.parametrize(("row", "conditions", "code", "parts"), CONDITIONS, ids=[str(one[0]) for one in CONDITIONS])
def test_conditions(row: int, conditions: list[dict[str, str]], code: str, parts: list[str]) -> None:
    says(service_cause(isvc(*conditions)), code, parts)


@pytest.mark.parametrize(
    "document",
    [
        {}, isvc(), isvc(UNAVAILABLE), isvc(*READY),
        isvc(condition("PredictorReady", "True"), condition("IngressReady", "False", "", "Predictor ingress not created")),
        isvc(condition("PredictorReady", "Unknown"), condition("Ready", "Unknown")),
        isvc(*READY, condition("Stopped", "False")),
    ],
)  # fmt: skip
def test_a_service_that_is_on_its_way_or_serves_has_no_cause(document: dict[str, Any]) -> None:
    assert service_cause(document, [service_pod(containerStatuses=[running("kserve-container")])], ()) is None


def test_ready_is_not_believed_while_the_newest_pod_crashes() -> None:
    old, new = (
        service_pod("churn-1", containerStatuses=[running("kserve-container")]),
        service_pod("churn-2", containerStatuses=[crashed(1)]),
    )
    old["metadata"]["creationTimestamp"], new["metadata"]["creationTimestamp"] = START, "2026-01-01T00:01:00Z"
    for pods in ([old, new], [new, old]):
        says(service_cause(isvc(*READY), pods), "model-failed")
    new["metadata"]["deletionTimestamp"] = START
    assert service_cause(isvc(*READY), [old, new]) is None


def test_copies_and_sleep() -> None:
    says(service_cause(isvc(*READY), (), (), deployment(replicas=2, ready=1)), "degraded", ["1 of 2 copies"])
    assert service_cause(isvc(*READY), (), (), deployment(replicas=2, ready=2)) is None
    assert service_cause(isvc(*READY), (), (), deployment(replicas=0)) is None
    says(service_cause(isvc(*READY, annotations=KNATIVE), (), (), deployment(replicas=0)), "asleep", ["wakes"])


def test_a_manager_that_says_nothing() -> None:
    assert service_cause(isvc(), now=BEGAN + 5) is None
    says(service_cause(isvc(), now=BEGAN + 60), "controller-down", ["KServe's controller"], "platform")
    says(service_cause(isvc(condition("Ready", "Unknown")), now=BEGAN + 60), "controller-down")
    says(service_cause(isvc(annotations=KNATIVE), now=BEGAN + 60), "no-knative")
    assert service_cause(isvc(UNAVAILABLE), now=BEGAN + 60) is None


def test_a_deletion_that_does_not_end() -> None:
    document = isvc(*READY)
    document["metadata"] |= {"deletionTimestamp": START, "finalizers": ["inferenceservice.finalizers"]}
    assert service_cause(document) is None
    says(service_cause(document, now=BEGAN + 60), "deletion-stuck", ["is not deleted"], "platform")


def test_what_was_stopped_by_annotation_is_stopped_before_the_condition_says_so() -> None:
    says(service_cause(isvc(annotations={"serving.kserve.io/stop": "true"})), "stopped")


REFUSED = [
    (3, 'Internal error occurred: failed calling webhook "inferenceservice.kserve-webhook-server.defaulter": connect: connection refused', "webhook-failing", ["does not answer"]),
    (3, 'failed calling webhook "inferenceservice.kserve-webhook-server.validator": x509: certificate has expired', "webhook-failing", ["certificate"]),
    (4, 'admission webhook "inferenceservice.kserve-webhook-server.validator" denied the request: update rejected: deploymentMode cannot be changed', "mode-fixed", ["Delete the service"]),
    (4, 'admission webhook "inferenceservice.kserve-webhook-server.validator" denied the request: the InferenceService "X" is invalid: a name must', "webhook-denied", ["a name must"]),
    (5, 'strict decoding error: unknown field "spec.predictor.nosuch"', "field-unknown", ["spec.predictor.nosuch"]),
]  # fmt: skip


@pytest.mark.parametrize(("row", "said", "code", "parts"), REFUSED, ids=[f"{one[0]}-{n}" for n, one in enumerate(REFUSED)])
def test_what_the_api_server_did_not_take(row: int, said: str, code: str, parts: list[str]) -> None:
    says(refused_cause("churn", "ml", said), code, parts)
    assert refused_cause("churn", "ml", "something that is new") is None

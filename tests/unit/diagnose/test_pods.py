"""Pods: what counts first, what only events tell, and ends of every kind."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_mlops.diagnose.pod import pod_cause
from tests.unit.diagnose.making import condition, crashed, ended, event, running, says, service_pod, step_pod, waiting

MOUNT = 'MountVolume.SetUp failed for volume "data" : '
OCI = "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: "


def creating(**fields: Any) -> dict[str, Any]:
    return step_pod(containerStatuses=[waiting("ContainerCreating"), waiting("ContainerCreating", name="wait")], **fields)


@pytest.mark.parametrize(
    "status",
    [
        {}, {"phase": "Pending"}, {"phase": "Succeeded", "containerStatuses": [ended(0, "Completed")]},
        {"phase": "Running", "containerStatuses": [running(), running("wait")]},
        {"containerStatuses": [waiting("ContainerCreating")]}, {"containerStatuses": [waiting("PodInitializing")]},
        {"phase": "Running", "containerStatuses": [ended(0, "Completed"), running("wait")]},
        {"initContainerStatuses": [ended(0, "Completed", name="init")], "containerStatuses": [waiting("PodInitializing")]},
        {"conditions": [condition("PodScheduled", "True"), condition("Ready", "False", "ContainersNotReady")]},
    ],
)  # fmt: skip
def test_a_pod_that_is_on_its_way_has_no_cause(status: dict[str, Any]) -> None:
    assert pod_cause(step_pod(**status)) is None


STARTS = [
    ("CreateContainerConfigError", 'secret "hf-token" not found', "secret-missing", ["'hf-token'", "-n ml"]),
    ("CreateContainerConfigError", "couldn't find key token in Secret ml/hf", "secret-missing", ["the secret 'hf' has no key 'token'"]),
    ("CreateContainerConfigError", 'configmap "settings" not found', "configmap-missing", ["'settings'"]),
    ("CreateContainerConfigError", "couldn't find key a in ConfigMap ml/settings", "configmap-missing", ["no key 'a'"]),
    ("CreateContainerConfigError", "container has runAsNonRoot and image will run as root (pod: ...)", "image-runs-as-root", ["runs as root"]),
    ("CreateContainerConfigError", "container has runAsNonRoot and image has non-numeric user (app), cannot verify user is non-root", "image-runs-as-root", ["without a number"]),
    ("CreateContainerConfigError", "failed to sync secret cache: timed out waiting for the condition", "machine-slow", ["tries again"]),
    ("CreateContainerError", "context deadline exceeded", "machine-slow", []),
    ("CreateContainerError", 'failed to reserve container name "main": name is reserved', "machine-slow", []),
    ("CreateContainerError", "failed to generate container: no command specified", "image-command", []),
    ("CreateContainerError", 'failed to mount image volume: ImageVolumeMountFailed: failed to ensure image subpath "models" in "x": openat models: no such file or directory', "model-layout", ["/models"]),
    ("CreateContainerError", 'failed to generate container "a" spec: failed to generate spec: failed to mkdir "": mkdir : no such file or directory', "image-volumes-missing", ["containerd 2.1"]),
    ("CreateContainerError", "failed to write: no space left on device", "storage-full", []),
    ("RunContainerError", OCI + 'exec: "python3": executable file not found in $PATH', "command-not-found", ["ghcr.io/me/train:1 has no program 'python3'"]),
    ("RunContainerError", OCI + 'exec: "/app/run": stat /app/run: no such file or directory', "command-not-found", ["'/app/run'"]),
    ("RunContainerError", OCI + 'exec: "/app/run": permission denied', "command-not-found", ["may not be run"]),
    ("RunContainerError", OCI + "exec /usr/bin/python3: exec format error", "image-architecture", ["processor"]),
    ("RunContainerError", OCI + "error during container init: container init was OOM-killed (memory limit too low?)", "out-of-memory", ["too small even to start"]),
    ("RunContainerError", OCI + 'chdir to cwd ("/work") set in config.json failed: no such file or directory', "working-folder", ["'/work'"]),
    ("RunContainerError", OCI + 'error during container init: error mounting "/x" to rootfs at "/etc/hosts/x": not a directory', "container-start", ["/etc/hosts/x"]),
    ("RunContainerError", OCI + "nvidia-container-cli: initialization error: load library failed: libnvidia-ml.so.1", "gpu-broken", ["GPU"]),
    ("CreateContainerError", "failed to inject CDI devices: unresolvable CDI devices nvidia.com/gpu=all", "gpu-broken", []),
    ("ContainerCannotRun", "something that is new", "container-start", ["something that is new"]),
    ("PostStartHookError", "", "container-start", ["cannot start its container"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "said", "code", "parts"), STARTS, ids=[f"{one[2]}-{number}" for number, one in enumerate(STARTS)]
)
def test_a_container_that_does_not_start(reason: str, said: str, code: str, parts: list[str]) -> None:
    cause = says(pod_cause(step_pod(containerStatuses=[waiting(reason, said)])), code, parts)
    again = says(pod_cause(step_pod(phase="Failed", containerStatuses=[ended(128, reason, said)])), code, parts)
    assert cause.message == again.message
    assert "shim task" not in cause.message


EVENTS = [
    ("FailedMount", MOUNT + 'secret "nowhere" not found', "secret-missing", ["'nowhere'"]),
    ("FailedMount", MOUNT + 'configmap "nowhere" not found', "configmap-missing", ["'nowhere'"]),
    ("FailedMount", MOUNT + "references non-existent secret key: tls.crt", "secret-missing", ["'data'"]),
    ("FailedMount", "Unable to attach or mount volumes: unmounted volumes=[data]: timed out waiting for the condition", "volume-not-mounted", ["timed out"]),
    ("FailedMount", MOUNT + "mount failed: exit status 32", "volume-not-mounted", ["exit status 32"]),
    ("FailedAttachVolume", 'Multi-Attach error for volume "pvc-1" Volume is already exclusively attached to one node and can\'t be attached to another', "volume-busy", ["'pvc-1'"]),
    ("FailedCreatePodSandBox", 'Failed to create pod sandbox: plugin type="calico" failed (add): network is down', "machine-not-ready", ["network"]),
    ("FailedCreatePodSandBox", "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox image", "machine-not-ready", ["sandbox image"]),
    ("NetworkNotReady", "network is not ready: container runtime network not ready: cni plugin not initialized", "machine-not-ready", []),
    ("Failed", 'Error: secret "hf-token" not found', "secret-missing", ["'hf-token'"]),
    ("Failed", 'Failed to pull image "ghcr.io/me/train:1": ghcr.io/me/train:1: not found', "image-not-found", ["ghcr.io/me/train:1"]),
    ("InspectFailed", 'Failed to apply default image tag "UP:1": couldn\'t parse image name "UP:1": invalid reference format', "image-name", ["'UP:1'"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "said", "code", "parts"), EVENTS, ids=[f"{one[2]}-{number}" for number, one in enumerate(EVENTS)]
)
def test_what_only_events_tell(reason: str, said: str, code: str, parts: list[str]) -> None:
    told = event(reason, said, fieldPath="spec.containers{main}")
    for pod in (
        creating(),
        step_pod(initContainerStatuses=[waiting("PodInitializing", name="init")], containerStatuses=[waiting("PodInitializing")]),
    ):
        cause = says(pod_cause(pod, [told]), code, parts)
        assert reason in cause.facts[0]
    assert pod_cause(creating(), [event(reason, said, name="another")]) is None
    assert pod_cause(creating(), [{**told, "involvedObject": {**told["involvedObject"], "uid": "earlier"}}]) is None
    over = [event(done, "done", at=9, fieldPath="spec.containers{main}") for done in ("Pulling", "Pulled", "Created", "Started")]
    assert pod_cause(creating(), [told, *over]) is None
    assert pod_cause(step_pod(phase="Running", containerStatuses=[running()]), [told]) is None


@pytest.mark.parametrize(
    ("reason", "said", "overcome"),
    [
        ("FailedMount", MOUNT + 'secret "s" not found', ("Pulling", "Pulled", "Created", "Started")),
        ("Failed", 'Failed to pull image "a:1": a:1: not found', ("Pulled", "Created", "Started")),
        (
            "Failed",
            "Error: failed to mount image volume: ImageVolumeMountFailed: failed to ensure image subpath",
            ("Created", "Started"),
        ),
    ],
)
def test_trouble_counts_until_what_comes_after_it_is_done(reason: str, said: str, overcome: tuple[str, ...]) -> None:
    """A container that cannot be created is pulled before each attempt: that it was pulled again says nothing."""
    told = event(reason, said, fieldPath="spec.containers{main}")
    for done in ("Pulling", "Pulled", "Created", "Started"):
        later = event(done, "done", at=9, fieldPath="spec.containers{main}")
        assert (pod_cause(creating(), [told, later]) is None) == (done in overcome)
        other = event(done, "done", at=9, fieldPath="spec.containers{wait}")
        assert (pod_cause(creating(), [told, other]) is None) == (reason == "FailedMount")


@pytest.mark.parametrize(
    "said",
    [
        "failed to sync configmap cache: timed out waiting for the condition",
        'failed to fetch token: pods "x" is forbidden: node requested token bound to a pod scheduled on a different node',
    ],
)
def test_trouble_that_passes_by_itself_is_not_told(said: str) -> None:
    assert pod_cause(creating(), [event("FailedMount", MOUNT + said)]) is None


def test_trouble_with_a_volume_is_over_once_the_pod_is_prepared() -> None:
    told = event("FailedMount", MOUNT + 'secret "s" not found')
    says(pod_cause(creating(conditions=[condition("PodReadyToStartContainers", "False")]), [told]), "secret-missing")
    assert pod_cause(creating(conditions=[condition("PodReadyToStartContainers", "True")]), [told]) is None


def test_events_of_the_newer_api_are_read_too() -> None:
    new = {
        "type": "Warning",
        "reason": "FailedMount",
        "note": MOUNT + 'secret "x" not found',
        "regarding": {"kind": "Pod", "name": "churn-train"},
        "eventTime": "2026-01-01T00:00:01.123456Z",
    }
    says(pod_cause(creating(), [new]), "secret-missing")


ENDS = [
    (ended(3), "step-failed", ["exit code 3"]),
    (ended(137, "OOMKilled"), "out-of-memory", ["memory"]),
    (ended(0, "OOMKilled"), "out-of-memory", ["memory"]),
    (ended(137), "killed", ["137"]),
    (ended(143), "interrupted", []),
    (ended(139), "crashed", ["segmentation"]),
    (ended(1, message="Traceback (most recent call last):\nValueError: no"), "step-failed", ["ValueError: no"]),
    (ended(127, message="sh: 1: pip: not found"), "command-not-found", ["pip: not found"]),
    (ended(1, message='printed before\n{"code":"step-failed","message":"KeyError in cell 5, line 1: a","cell":5,"line":1}'), "step-failed", ["KeyError in cell 5, line 1"]),
    (ended(1, message='{"code":"NOT A CODE <b>","message":"x"}'), "step-failed", ["x"]),
]  # fmt: skip


@pytest.mark.parametrize(("status", "code", "parts"), ENDS)
def test_an_end_is_told_while_the_pod_is_still_running(status: dict[str, Any], code: str, parts: list[str]) -> None:
    """Argo's own container goes on for a second or two; nobody has to wait for that."""
    for pod in (
        step_pod(phase="Running", containerStatuses=[running("wait"), status]),
        step_pod(phase="Failed", containerStatuses=[status]),
    ):
        says(pod_cause(pod), code, parts)


def test_memory_says_what_was_there_and_what_to_try() -> None:
    pod = step_pod(phase="Failed", containerStatuses=[ended(137, "OOMKilled")])
    pod["spec"]["containers"][0]["resources"] = {"limits": {"memory": "2Gi"}}
    says(pod_cause(pod), "out-of-memory", ["more memory than the 2Gi it may have", "for example 4Gi", "%%step train --memory 4Gi"])


WHOLE = [
    ("Evicted", "The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi.", "evicted", ["memory"]),
    ("Evicted", "The node was low on resource: ephemeral-storage.", "evicted", ["disk"]),
    ("Evicted", 'Usage of EmptyDir volume "shm" exceeds the limit "64Mi". ', "disk-limit", ["shm"]),
    ("Evicted", 'Container main exceeded its local ephemeral storage limit "1Gi". ', "disk-limit", []),
    ("Evicted", "Pod was evicted for a reason of its own", "interrupted", ["reason of its own"]),
    ("DeadlineExceeded", "Pod was active on the node longer than the specified deadline", "timeout", ["`timeout`"]),
    ("NodeLost", "Node n which was running pod p is unresponsive", "interrupted", []),
    ("Terminated", "Pod was terminated in response to imminent node shutdown.", "interrupted", ["retries"]),
    ("NodeShutdown", "Pod was rejected as the node is shutting down.", "interrupted", []),
    ("Preempting", "Preempted in order to admit critical pod", "interrupted", []),
    ("NodeAffinity", "Predicate NodeAffinity failed", "interrupted", []),
    ("OutOfcpu", "Node didn't have enough resource: cpu, requested: 1000, used: 3900, capacity: 4000", "interrupted", ["filled up"]),
    ("UnexpectedAdmissionError", "Allocate failed due to requested number of devices unavailable for nvidia.com/gpu", "gpu-broken", ["unavailable"]),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "said", "code", "parts"), WHOLE, ids=[one[0] + str(number) for number, one in enumerate(WHOLE)])
def test_what_ends_a_pod_as_a_whole_counts_before_its_containers(reason: str, said: str, code: str, parts: list[str]) -> None:
    pod = step_pod(phase="Failed", reason=reason, message=said, containerStatuses=[ended(137), ended(143, name="wait")])
    says(pod_cause(pod), code, parts)


@pytest.mark.parametrize("row", [row for row in WHOLE if row[0] in {"Evicted", "DeadlineExceeded"}])
def test_the_event_of_an_ending_is_told_before_the_status_says_it(row: tuple[str, str, str, list[str]]) -> None:
    reason, said, code, parts = row
    pod = step_pod(phase="Running", containerStatuses=[running(), running("wait")])
    says(pod_cause(pod, [event(reason, said)]), code, parts)
    assert pod_cause(step_pod(phase="Succeeded"), [event(reason, said)]) is None


@pytest.mark.parametrize(
    "reason", ["DeletionByTaintManager", "PreemptionByScheduler", "EvictionByEvictionAPI", "TerminationByKubelet"]
)
def test_a_pod_that_the_cluster_ends_says_so(reason: str) -> None:
    status = {"conditions": [condition("DisruptionTarget", "True", reason, "Taint manager: deleting due to NoExecute taint")]}
    pod = step_pod(phase="Running", containerStatuses=[running()], **status)
    assert pod_cause(pod) is None
    pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    says(pod_cause(pod), "interrupted", ["machine was taken away"])


def test_a_pod_that_is_only_being_deleted_has_no_cause() -> None:
    pod = step_pod(phase="Running", containerStatuses=[ended(143)])
    pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert pod_cause(pod) is None


def test_the_earliest_link_of_the_chain_counts() -> None:
    image = waiting("ImagePullBackOff", 'Back-off pulling image "a:1": ErrImagePull: a:1: not found', image="a:1")
    secret = waiting("CreateContainerConfigError", 'secret "s" not found', "wait")
    unschedulable = condition("PodScheduled", "False", "Unschedulable", "0/1 nodes are available: 1 Insufficient cpu.")
    init = ended(1, message="no", name="init")
    mount = event("FailedMount", MOUNT + 'secret "m" not found')
    says(pod_cause(step_pod(conditions=[unschedulable], containerStatuses=[image]), [mount]), "no-room")
    says(pod_cause(step_pod(containerStatuses=[secret, image])), "image-not-found")
    says(pod_cause(step_pod(initContainerStatuses=[init], containerStatuses=[image])), "platform-container")
    says(pod_cause(creating(), [mount, event("Unhealthy", "Readiness probe failed: x")]), "secret-missing")


PROBES = [
    ("Readiness probe failed: HTTP probe failed with statuscode: 404", "wrong-probe", ["HTTP 404"]),
    ("Readiness probe failed: HTTP probe failed with statuscode: 401", "wrong-probe", ["login"]),
    ("Readiness probe failed: HTTP probe failed with statuscode: 503", "not-ready", ["HTTP 503"]),
    ('Readiness probe failed: Get "http://10.0.0.1:8080/": dial tcp 10.0.0.1:8080: connect: connection refused', "not-ready", ["does not answer yet"]),
    ("Startup probe failed: Get http://x: context deadline exceeded", "not-ready", ["does not answer yet"]),
    ("Liveness probe failed: Get http://x: context deadline exceeded", "not-ready", ["stopped answering"]),
]  # fmt: skip


@pytest.mark.parametrize(("said", "code", "parts"), PROBES)
def test_probes_are_told_while_the_container_is_not_ready(said: str, code: str, parts: list[str]) -> None:
    told = event("Unhealthy", said, "churn-predictor-1")
    pod = service_pod(containerStatuses=[running("kserve-container", ready=False)])
    says(pod_cause(pod, [told]), code, parts)
    assert pod_cause(service_pod(containerStatuses=[running("kserve-container")]), [told]) is None
    assert pod_cause(pod, [told, event("Started", "Started container", "churn-predictor-1", at=9)]) is None


def test_a_probe_is_told_before_the_status_says_that_the_container_runs() -> None:
    events = [
        event("Started", "Started container", "churn-predictor-1"),
        event("Unhealthy", PROBES[0][0], "churn-predictor-1", at=1),
    ]
    says(pod_cause(service_pod(phase="Pending"), events), "wrong-probe")


def test_a_server_that_is_killed_while_it_loads_needs_time() -> None:
    told = event("Killing", "Container kserve-container failed startup probe, will be restarted", "churn-predictor-1", at=9)
    pod = service_pod(containerStatuses=[running("kserve-container", ready=False)])
    says(pod_cause(pod, [event("Unhealthy", PROBES[3][0], "churn-predictor-1"), told]), "loading-too-long")


def test_a_crash_is_told_between_two_starts_too() -> None:
    before = {"terminated": {"exitCode": 1, "reason": "Error", "message": "ModuleNotFoundError: No module named 'lightgbm'"}}
    for state in ({"running": {}}, {"waiting": {"reason": "CrashLoopBackOff"}}, before):
        pod = service_pod(containerStatuses=[{"name": "kserve-container", "state": state, "lastState": before, "ready": False}])
        says(pod_cause(pod), "missing-package", ["'lightgbm'"])
    well = service_pod(
        containerStatuses=[{"name": "kserve-container", "state": {"running": {}}, "lastState": before, "ready": True}]
    )
    assert pod_cause(well) is None


def test_a_server_that_just_ends_has_failed() -> None:
    says(
        pod_cause(service_pod(containerStatuses=[ended(0, "Completed", name="kserve-container")])),
        "model-failed",
        ["ends by itself"],
    )
    says(pod_cause(service_pod(containerStatuses=[crashed(0, "Completed")])), "model-failed")


def test_a_pod_of_neither_kind_is_named_by_itself() -> None:
    pod = {
        "metadata": {"name": "probe", "namespace": "ml"},
        "status": {"phase": "Failed", "containerStatuses": [ended(2, name="a")]},
    }
    cause = says(pod_cause(pod), "step-failed")
    assert cause.message.startswith("pod 'probe'")
    says(
        pod_cause({**pod, "status": {"phase": "Failed", "containerStatuses": [ended(137, "OOMKilled", name="a")]}}), "out-of-memory"
    )

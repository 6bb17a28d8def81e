"""The scheduler's sentence, of every age, taken apart and put together again for people."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.diagnose.pod import pod_cause
from jupyter_mlops.diagnose.scheduling import shortages
from tests.unit.diagnose.making import condition, event, says, step_pod
from tests.unit.laws import law

NOT_HELPFUL = " preemption: 0/{n} nodes are available: {n} Preemption is not helpful for scheduling."
NO_VICTIMS = " preemption: 0/{n} nodes are available: {n} No preemption victims found for incoming pod."


def pending(said: str, reason: str = "Unschedulable", **spec: Any) -> dict[str, Any]:
    pod = step_pod(conditions=[condition("PodScheduled", "False", reason, said)])
    pod["spec"] = {
        "containers": [{"name": "main", **spec.pop("main", {})}, {"name": "wait", "resources": {"requests": {"memory": "32Mi"}}}],
        **spec,
    }
    return pod


SENTENCES = [
    ("0/3 nodes are available: 1 node(s) had untolerated taint {gpu: }, 2 node(s) didn't match Pod's node affinity/selector.", "machine-reserved", True, ["1 is reserved (taint gpu)"]),
    # Kubernetes 1.35 does not name the taint
    ("0/2 nodes are available: 1 Insufficient example.com/gpu, 1 node(s) had untolerated taint(s)." + NOT_HELPFUL.format(n=2), "no-gpu", True, ["of the cluster's 2, 1 has too few GPUs (example.com/gpu) and 1 is reserved", "kubectl describe nodes"]),
    ("0/2 nodes are available: 2 node(s) had untolerated taint(s)." + NOT_HELPFUL.format(n=2), "machine-reserved", True, ["all 2 machines of the cluster are reserved", "`tolerations`"]),
    ("0/2 nodes are available: 1 Insufficient ephemeral-storage, 1 node(s) had untolerated taint(s)." + NO_VICTIMS.format(n=1), "no-room", False, ["disk space", "`resources`"]),
    ("0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) had untolerated taint(s).", "no-matching-machine", True, ["1 is reserved"]),
    ("0/1 nodes are available: 1 Insufficient nvidia.com/gpu. no new claims to deallocate," + NOT_HELPFUL.format(n=1), "no-gpu", True, ["the cluster's only one has too few GPUs (nvidia.com/gpu)", "`gpu_resource`"]),
    ("0/3 nodes are available: 3 Insufficient nvidia.com/gpu." + NO_VICTIMS.format(n=3), "no-gpu", False, ["all 3 machines of the cluster have too few GPUs free", "Wait until one is free"]),
    ("0/3 nodes are available: 1 Insufficient nvidia.com/gpu, 2 node(s) had untolerated taint {dedicated: ml}." + NO_VICTIMS.format(n=3), "machine-reserved", True, ["of the cluster's 3, 1 has", "2 are reserved (taint dedicated=ml)", '"value": "ml"']),
    ("0/3 nodes are available: 3 node(s) had untolerated taint {nvidia.com/gpu: }.", "machine-reserved", True, ['"operator": "Exists"']),
    ("0/2 nodes are available: 2 node(s) had taint {gpu: yes}, that the pod didn't tolerate.", "machine-reserved", True, ["gpu=yes"]),
    ("0/4 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 3 Insufficient memory." + NO_VICTIMS.format(n=4), "no-room", False, ["1 is kept for the cluster itself", "3 have too little memory free"]),
    ("0/3 nodes are available: 1 Insufficient cpu, 2 Insufficient memory.", "no-room", False, ["`cpu` and `memory`"]),
    ("0/3 nodes are available: 1 Too many pods, 2 Insufficient ephemeral-storage.", "no-room", False, ["no place for another pod", "disk space"]),
    ("0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector." + NOT_HELPFUL.format(n=2), "no-matching-machine", True, ["all 2 machines of the cluster", "`node_selector`"]),
    ("0/2 nodes are available: 2 node(s) didn't match node selector.", "no-matching-machine", True, []),
    ("0/3 nodes are available: 1 Insufficient nvidia.com/gpu, 2 node(s) didn't match Pod's node affinity/selector.", "no-gpu", False, ["2 are of another kind"]),
    ("0/2 nodes are available: 2 node(s) had volume node affinity conflict.", "volume-elsewhere", False, ["cannot use its volume"]),
    ("0/2 nodes are available: 1 node(s) were unschedulable, 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }.", "machine-not-ready", False, ["of the cluster's 2, 2 are not ready"]),
    ("0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/disk-pressure: }.", "machine-not-ready", False, ["disk-pressure"]),
    ("0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules.", "no-machine", False, ["beside what runs there"]),
    ("0/3 nodes are available: 3 node(s) didn't have free ports for the requested pod ports.", "no-machine", False, []),
    ("0/3 nodes are available: 3 something new about nodes.", "no-machine", False, ["something new about nodes"]),
    ("no nodes available to schedule pods", "no-machine", False, ["no nodes available"]),
    ("0/0 nodes are available:", "machine-not-ready", False, ["has none that is ready"]),
    ("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.", "volume-not-bound", False, ["storage class"]),
    ('0/1 nodes are available: persistentvolumeclaim "data" not found. not found', "volume-not-found", True, ["data", "namespace ml"]),
    ("", "no-machine", False, []),
]  # fmt: skip


@pytest.mark.parametrize(("said", "code", "final", "parts"), SENTENCES, ids=[one[0][:70] for one in SENTENCES])
def test_a_sentence(said: str, code: str, final: bool, parts: list[str]) -> None:
    cause = says(pod_cause(pending(said)), code, parts)
    assert cause.final is final
    assert cause.message.startswith("step 'train' ")


@pytest.mark.parametrize(("said", "code", "final", "parts"), SENTENCES, ids=[one[0][:70] for one in SENTENCES])
def test_the_event_tells_the_same_before_the_condition_is_there(said: str, code: str, final: bool, parts: list[str]) -> None:
    pod = pending(said)
    pod["status"]["conditions"] = []
    says(pod_cause(pod, [event("FailedScheduling", said)]), code, parts)


def test_what_was_asked_for_is_said_without_what_argo_adds() -> None:
    main = {"resources": {"requests": {"memory": "64Gi"}, "limits": {"memory": "64Gi"}}}
    cause = says(
        pod_cause(pending("0/2 nodes are available: 2 Insufficient memory." + NOT_HELPFUL.format(n=2), main=main)), "no-room"
    )
    assert "all 2 machines of the cluster have less memory than the 64Gi asked for" in cause.message
    assert cause.blame == "user"


def test_the_label_that_no_machine_has_is_named() -> None:
    pod = pending(
        "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.", nodeSelector={"disk": "ssd", "zone": "a"}
    )
    says(pod_cause(pod), "no-matching-machine", ["do not have the label disk=ssd and zone=a"])


def test_a_pod_in_a_queue_waits_for_its_turn() -> None:
    pod = pending("Scheduling is blocked due to non-empty scheduling gates", "SchedulingGated")
    says(pod_cause(pod), "queued", ["until the cluster lets it in"])
    pod["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] = "gpu-queue"
    says(pod_cause(pod), "queued", ["in the queue gpu-queue"], "platform")


def test_a_cluster_that_adds_a_machine_is_waited_for() -> None:
    pod = pending("0/1 nodes are available: 1 Insufficient cpu.")
    up, down = (
        event("TriggeredScaleUp", "pod triggered scale-up: [{gpu 0->1 (max: 3)}]", at=3),
        event("NotTriggerScaleUp", "max reached", at=5),
    )
    cause = says(pod_cause(pod, [up]), "adding-machine", ["Wait"], "platform")
    assert "0->1" in cause.facts[0]
    says(pod_cause(pod, [up, down]), "no-room")


def test_a_pod_that_has_a_machine_does_not_wait_for_one() -> None:
    pod = step_pod(conditions=[condition("PodScheduled", "True")])
    assert pod_cause(pod, [event("FailedScheduling", "0/1 nodes are available: 1 Insufficient cpu.")]) is None
    late = [
        event("FailedScheduling", "0/1 nodes are available: 1 Insufficient cpu."),
        event("Scheduled", "Successfully assigned", at=9),
    ]
    pod = pending("")
    pod["status"]["conditions"] = []
    assert pod_cause(pod, late) is None


KINDS = st.sampled_from([
    ("Insufficient nvidia.com/gpu", "device"), ("Insufficient cpu", "resource"), ("Too many pods", "full"),
    ("node(s) had untolerated taint {a: b}", "taint"), ("node(s) had untolerated taint {node-role.kubernetes.io/master: }", "control"),
    ("node(s) were unschedulable", "unready"), ("node(s) didn't match Pod's node affinity/selector", "selector"),
    ("node(s) had volume node affinity conflict", "volume"), ("node(s) didn't match pod topology spread constraints", "apart"),
])  # fmt: skip


@law
@given(st.lists(st.tuples(st.integers(1, 5000), KINDS), min_size=1, max_size=6))
def test_every_part_of_a_sum_is_found(parts: list[tuple[int, tuple[str, str]]]) -> None:
    total = sum(count for count, _ in parts)
    said = f"0/{total} nodes are available: " + ", ".join(f"{count} {text}" for count, (text, _) in parts) + "."
    for tail in ("", NO_VICTIMS.format(n=total), NOT_HELPFUL.format(n=total)):
        assert [(one.nodes, one.kind) for one in shortages(said + tail)] == [(count, kind) for count, (_, kind) in parts]
    cause = pod_cause(pending(said))
    assert cause
    says(cause, cause.code)

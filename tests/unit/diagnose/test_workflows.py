"""Runs: which cause is the run's own, attempts, people who stop, controllers that are silent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jupyter_mlops.diagnose.rights import role_manifest
from jupyter_mlops.diagnose.workflow import causes
from jupyter_mlops.engine.failures import failure_of_cause
from tests.unit.diagnose.making import BEGAN, START, condition, ended, event, node, run, running, says, step_pod, waiting

MISSING = 'ImagePullBackOff: Back-off pulling image "a:1": ErrImagePull: a:1: not found'
TOLD = {
    "code": "step-failed",
    "message": "ValueError in cell 3, line 2: no",
    "cell": 3,
    "line": 2,
    "traceback": ["one", "two"],
    "fix": "Look.",
}


def pod_of(key: str, **status: Any) -> dict[str, Any]:
    pod = step_pod(**status)
    pod["metadata"]["annotations"]["workflows.argoproj.io/node-id"] = key
    return pod


@pytest.mark.parametrize(
    "document",
    [
        {}, run(phase=""), run(), run(phase="Succeeded"), run(node("a", "Running"), node("b", "Pending")),
        run(node("a", "Succeeded"), node("b", "Skipped"), node("c", "Omitted", "omitted: depends condition not met"), phase="Succeeded"),
        run(node("a", "Pending", "PodInitializing")),
    ],
)  # fmt: skip
def test_a_run_that_goes_well_has_no_cause(document: dict[str, Any]) -> None:
    assert causes(document, now=BEGAN + 1) == {}


def test_a_waiting_node_is_the_runs_cause_while_nothing_else_runs() -> None:
    found = causes(run(node("a", "Succeeded"), node("b", "Pending", MISSING)))
    assert set(found) == {"churn-b", ""}
    says(found[""], "image-not-found", ["step 'b'"])
    found = causes(run(node("a", "Running"), node("b", "Pending", MISSING)))
    assert set(found) == {"churn-b"}


def test_the_pod_knows_more_than_the_node() -> None:
    pod = pod_of("churn-b", initContainerStatuses=[waiting("ImagePullBackOff", "x: not found", "init", image="argoexec:9")])
    found = causes(run(node("b", "Pending", "PodInitializing")), [pod])
    says(found["churn-b"], "image-not-found", ["argoexec:9"])
    assert found["churn-b"].facts[-1] == "step 'b': PodInitializing"
    mount = event("FailedMount", 'MountVolume.SetUp failed for volume "d" : secret "s" not found')
    says(causes(run(node("b", "Pending")), [pod_of("churn-b")], [mount])[""], "secret-missing")


def test_a_pod_tells_before_the_workflow_has_any_status() -> None:
    pod = pod_of(
        "churn-b", conditions=[condition("PodScheduled", "False", "Unschedulable", "0/1 nodes are available: 1 Insufficient cpu.")]
    )
    found = causes(run(phase=""), [pod])
    says(found[""], "no-room")
    assert found["churn-b"] == found[""]


def test_the_earliest_failure_is_the_runs_own() -> None:
    first = node("a", "Failed", "main: Error (exit code 3)", finishedAt="2026-01-01T00:00:05Z")
    second = node("b", "Failed", "main: OOMKilled (exit code 137)", finishedAt="2026-01-01T00:00:02Z")
    dag = node("dag", "Failed", "child 'churn-a' failed", "DAG", finishedAt="2026-01-01T00:00:01Z")
    found = causes(run(first, second, dag, phase="Failed", message="child 'churn-a' failed"))
    says(found[""], "out-of-memory", ["step 'b'"])
    assert set(found) == {"", "churn-a", "churn-b"}


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("invalid spec: templates.main.tasks.a template name 'nosuch' undefined", "workflow-invalid"),
        ("Workflow exceeded its deadline", "timeout"),
        ("something that nobody has seen", "step-failed"),
        ("", "step-failed"),
        ('error in entry template execution: pods "a" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1', "quota"),
    ],
)  # fmt: skip
def test_a_run_without_nodes_tells_by_its_message(message: str, code: str) -> None:
    found = causes(run(phase="Error", message=message))
    says(found[""], code)
    assert set(found) == {""}


def test_what_nobody_has_seen_is_said_as_it_is() -> None:
    found = causes(run(node("a", "Error", "quite new <b>words</b>\x1b[31m"), phase="Error"))
    says(found[""], "step-failed", ["step 'a' failed: quite new (b)words(/b)"])


def test_what_the_controller_did_counts_before_how_the_pod_ended() -> None:
    pod = pod_of("churn-a", phase="Failed", containerStatuses=[ended(143)])
    found = causes(run(node("a", "Failed", "Step exceeded its deadline"), phase="Failed"), [pod])
    says(found[""], "timeout")
    pod = pod_of("churn-a", phase="Failed", containerStatuses=[ended(137, "OOMKilled")])
    pod["spec"]["containers"][0]["resources"] = {"limits": {"memory": "1Gi"}}
    found = causes(run(node("a", "Failed", "main: OOMKilled (exit code 137)"), phase="Failed"), [pod])
    says(found[""], "out-of-memory", ["1Gi", "2Gi"])


def test_messages_of_nodes_that_sum_up_others_are_not_causes() -> None:
    retry = node("a", "Running", "", "Retry", children=["churn-a0"])
    found = causes(run(retry, node("a0", "Pending", MISSING), node("dag", "Running", "child 'x' failed", "DAG")))
    says(found["churn-a"], "image-not-found")
    assert set(found) == {"", "churn-a", "churn-a0"}


def attempts(*phases: str, phase: str) -> dict[str, Any]:
    every = [node(f"a{n}", one, "main: Error (exit code 7)" if one == "Failed" else "") for n, one in enumerate(phases)]
    return run(
        node("a", phase, "No more retries left" if phase == "Failed" else "", "Retry", children=[one["id"] for one in every]),
        *every,
        phase=phase,
    )


def test_attempts_that_failed_are_history_while_the_step_is_tried_again() -> None:
    assert causes(attempts("Failed", "Running", phase="Running")) == {}
    assert causes(attempts("Failed", phase="Running")) == {}
    assert causes(attempts("Failed", "Succeeded", phase="Succeeded")) == {}
    over = causes(attempts("Failed", "Failed", phase="Failed"))
    assert set(over) == {"", "churn-a", "churn-a1"}
    says(over["churn-a"], "step-failed", ["exit code 7"])


def test_an_attempt_that_just_ended_is_not_yet_a_failure_of_the_step() -> None:
    document = attempts("Running", phase="Running")
    pod = pod_of("churn-a0", phase="Running", containerStatuses=[ended(7), running("wait")])
    assert causes(document, [pod]) == {}
    del document["status"]["nodes"]["churn-a"]
    says(causes(document, [pod])[""], "step-failed", ["exit code 7"])


@pytest.mark.parametrize("verb", ["Stop", "Terminate"])
def test_what_a_person_stopped_has_no_cause(verb: str) -> None:
    nodes = node("a", "Failed", "main: Error (exit code 143)"), node("b", "Failed", f"workflow shutdown with strategy: {verb}")
    assert causes(run(*nodes, phase="Failed", message=f"Stopped with strategy '{verb}'", shutdown=verb)) == {}
    before = node("c", "Failed", "main: Error (exit code 3)")
    assert set(causes(run(before, *nodes, phase="Failed", message="", shutdown=verb))) == {"churn-c"}


@pytest.mark.parametrize(
    ("document", "seen", "later", "code"),
    [
        (run(phase=""), None, 5, ""),
        (run(phase=""), None, 60, "controller-down"),
        (run(phase=""), BEGAN + 58, 60, "controller-ignores"),
        (run(phase=""), BEGAN - 600, 60, "controller-down"),
        (run(phase=""), BEGAN - 600, 5, ""),  # a controller without a lease may take it up yet
        (run(node("a", "Running")), BEGAN, 300, "controller-down"),
        (run(node("a", "Running")), BEGAN + 295, 300, ""),
        (run(node("a", "Running")), None, 300, ""),
        (run(node("a", "Running")), BEGAN - 3600, 300, ""),  # a lease that another controller left behind
        (run(phase="Succeeded"), BEGAN, 3000, ""),
        (run(phase=""), None, None, ""),
    ],
)
def test_a_controller_that_does_nothing_is_noticed(
    document: dict[str, Any], seen: float | None, later: float | None, code: str
) -> None:
    found = causes(document, controller_seen=seen, now=BEGAN + later if later is not None else 0)
    assert ({} if not code else {code}) == ({one.code for one in found.values()} or {})
    for cause in found.values():
        says(cause, code, ["workflow-controller" if code == "controller-down" else "namespace ml"], "platform")
        assert not cause.final


def test_a_failed_run_needs_no_controller() -> None:
    found = causes(run(node("a", "Failed", "main: Error (exit code 3)"), phase="Failed"), controller_seen=BEGAN, now=BEGAN + 900)
    says(found[""], "step-failed")


def test_a_step_whose_result_never_arrives_lacks_the_right() -> None:
    done = {**ended(0, "Completed"), "state": {"terminated": {"exitCode": 0, "finishedAt": START}}}
    pod = pod_of("churn-a", phase="Running", containerStatuses=[done])
    pod["spec"]["serviceAccountName"] = "runner"
    document = run(node("a", "Running"))
    assert causes(document, [pod], now=BEGAN + 5) == {}
    assert causes(document, [pod]) == {}
    says(causes(document, [pod], now=BEGAN + 90)[""], "account-right-missing", ["'runner'", "namespace ml"])


def test_the_right_is_given_as_a_manifest() -> None:
    import yaml

    role, binding = yaml.safe_load_all(role_manifest("team", "runner"))
    assert (role["kind"], role["metadata"]["namespace"], binding["subjects"][0]["name"]) == ("Role", "team", "runner")
    assert role["rules"] == [{"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]}]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert "NAMESPACE" in role_manifest("a: b")
    assert "ACCOUNT" in role_manifest("a", "x\ny")


@pytest.mark.parametrize(
    ("message", "waits"),
    [("Waiting for ml/Mutex/training lock. Lock status: 0/1", "waits-for-lock"), ("Workflow processing has been postponed because too many workflows are already running", "too-many-runs")],
)  # fmt: skip
def test_a_run_that_waits_as_a_whole_says_what_for(message: str, waits: str) -> None:
    says(causes(run(phase="Pending", message=message))[""], waits, [], "platform")


def test_a_cause_becomes_a_failure_of_the_run_or_of_a_step() -> None:
    cause = causes(run(node("b", "Pending", MISSING)))[""]
    failure = failure_of_cause(cause, "b", 4)
    assert (failure.code, failure.message, failure.blame, failure.fix) == (cause.code, cause.message, cause.blame, cause.fix)
    assert (failure.step, failure.cell, failure.facts) == ("b", 4, cause.facts)
    assert (failure_of_cause(cause, None).step, failure_of_cause(cause, None).cell) == (None, None)


def test_the_steps_own_words_are_the_cause() -> None:
    found = causes(run(node("a", "Failed", "main: Error (exit code 1): " + json.dumps(TOLD)), phase="Failed"))
    says(found[""], "step-failed", [TOLD["message"], "Look."])
    assert found[""].facts[0] == "step 'a': one\ntwo"

"""A Workflow with its status becomes a run: this machine's documents, a cluster's, and whatever else a document may hold."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_mlops.engine.base import Run
from jupyter_mlops.engine.branches import branch_of, group_of, label_of
from jupyter_mlops.engine.decode import FAILURE, METRICS, MODELS, PLAN, run_of
from jupyter_mlops.engine.failures import failure_of_message, failure_of_object
from jupyter_mlops.engine.times import moment, rfc3339
from jupyter_mlops.testing.engine import workflow

TOLD = {
    "code": "step-failed", "blame": "user", "message": "ValueError in cell 3, line 2: no", "cell": 3, "line": 2, "step": "b",
    "error": "ValueError", "traceback": ["one", "two"], "names": {"df": "DataFrame"}, "fix": "look",
}  # fmt: skip


def node(name: str, phase: str, **fields: Any) -> dict[str, Any]:
    start = {"startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:05Z"}
    return {"id": f"wf-{name}", "name": f"wf.{name}", "displayName": name, "type": "Pod", "phase": phase, **start, **fields}


def document(phase: str = "Running", *nodes: dict[str, Any], **status: Any) -> dict[str, Any]:
    made = workflow(("a", ""), ("b", ""), parameters={"lr": 0.5, "name": "x"})
    made["metadata"] |= {"name": "wf", "creationTimestamp": "2026-01-01T00:00:00Z", "resourceVersion": "7"}
    root = {"id": "wf", "name": "wf", "displayName": "wf", "type": "DAG", "phase": phase}
    made["status"] = {"phase": phase, "nodes": {n["id"]: n for n in (root, *nodes)}, **status}
    return made


def test_a_document_that_nobody_has_started_is_pending() -> None:
    made = document("")
    del made["status"]
    run = run_of(made, {"notebook": "/x/nb.ipynb", "executed": None})
    assert (run.name, run.pipeline, run.phase, run.revision) == ("wf", "conformance", "Pending", 7)
    assert [(s.name, s.phase, s.cells, s.needs) for s in run.steps] == [("a", "Pending", (0,), ()), ("b", "Pending", (1,), ("a",))]
    assert dict(run.parameters) == {"lr": 0.5, "name": "x"}
    assert (run.created, run.started, run.finished) == (moment("2026-01-01T00:00:00Z"), None, None)
    assert (run.notebook, run.executed, run.failure) == ("/x/nb.ipynb", None, None)
    assert run.workflow is made


def test_times_progress_and_phases_come_from_the_nodes() -> None:
    run = run_of(document("Running", node("a", "Succeeded", progress="3/3"), node("b", "Running", progress="1/4", finishedAt=None)))
    a, b = run.steps
    assert (a.phase, a.progress, a.started is not None, a.finished) == ("Succeeded", (3, 3), True, (a.started or 0) + 5)
    assert (b.phase, b.progress, b.finished) == ("Running", (1, 4), None)


def test_a_resumed_run_says_of_what_and_which_steps_were_taken_over() -> None:
    outputs = {"parameters": [{"name": "state", "value": "sha256:1"}, {"name": "cached", "value": "true"}]}
    made = document("Running", node("a", "Succeeded", outputs=outputs), node("b", "Running"))
    assert (run_of(made).resumed, run_of(made).paused) == (None, False)
    made["spec"]["arguments"]["parameters"].append({"name": "mlops-resume", "value": "wf-0"})
    made["spec"]["suspend"] = True
    run = run_of(made)
    assert (run.resumed, run.paused, [step.cached for step in run.steps]) == ("wf-0", True, [True, False])
    made["status"]["phase"] = "Succeeded"
    assert not run_of(made).paused


def test_a_failed_step_tells_code_cell_line_and_fix() -> None:
    message = "main: Error (exit code 1): " + json.dumps(TOLD)
    run = run_of(document("Failed", node("a", "Succeeded"), node("b", "Failed", message=message)))
    failure = run.failure
    assert failure is not None
    assert (failure.code, failure.message, failure.cell, failure.line, failure.step) == ("step-failed", TOLD["message"], 3, 2, "b")
    assert (failure.blame, failure.fix, failure.traceback) == ("user", "look", ("one", "two"))
    assert run.steps[1].message == TOLD["message"]


def test_steps_that_never_ran_are_skipped_once_the_run_is_over() -> None:
    run = run_of(document("Failed", node("a", "Failed", message="main: Error (exit code 3)")))
    assert [s.phase for s in run.steps] == ["Failed", "Skipped"]
    run = run_of(
        document("Failed", node("a", "Failed"), node("b", "Omitted", type="Skipped", message="omitted: depends condition not met"))
    )
    assert (run.steps[1].phase, run.steps[1].started) == ("Skipped", None)


@pytest.mark.parametrize(
    "message",
    [
        "workflow shutdown with strategy:  Stop",
        "workflow shutdown with strategy: Terminate",
        "main: Error (exit code 143)",
        "Error (exit code 137)",
        "terminated",
        "pod deleted",
        'main: Error (exit code 1): {"code": "stopped", "blame": "user", "message": "the step was stopped", "step": "a"}',
    ],
)
def test_a_run_that_was_stopped_is_stopped_and_not_failed(message: str) -> None:
    made = document("Failed", node("a", "Failed", message=message), message="Stopped with strategy 'Stop'")
    made["spec"]["shutdown"] = "Stop"
    run = run_of(made)
    assert (run.phase, [s.phase for s in run.steps], run.failure) == ("Stopped", ["Stopped", "Skipped"], None)


def test_a_step_that_failed_by_itself_before_the_stop_stays_failed() -> None:
    made = document("Failed", node("a", "Failed", message="main: Error (exit code 1): " + json.dumps(TOLD)))
    made["spec"]["shutdown"] = "Stop"
    assert run_of(made).steps[0].phase == "Failed"


def test_attempts_lend_their_node_what_argo_writes_only_on_them() -> None:
    flag = {"nodeFlag": {"retried": True}}
    told = "main: Error (exit code 1): " + json.dumps({**TOLD, "step": "a"})
    attempts = [
        node("a(0)", "Failed", message=told, **flag), node("a(1)", "Failed", progress="2/3", startedAt="2026-01-01T00:01:00Z", message=told, **flag),
    ]  # fmt: skip
    top = node("a", "Failed", type="Retry", message="No more retries left", children=[n["id"] for n in attempts])
    run = run_of(document("Failed", top, *attempts))
    assert (run.steps[0].phase, run.steps[0].progress) == ("Failed", (2, 3))
    assert run.failure is not None
    assert run.failure.step == "a"


def test_an_attempt_that_failed_before_one_that_succeeded_is_no_failure() -> None:
    flag = {"nodeFlag": {"retried": True}}
    attempts = [node("a(0)", "Failed", message="main: Error (exit code 1)", **flag), node("a(1)", "Succeeded", **flag)]
    top = node("a", "Succeeded", type="Retry", children=[n["id"] for n in attempts])
    run = run_of(document("Succeeded", top, *attempts, node("b", "Succeeded")))
    assert ([s.phase for s in run.steps], run.failure) == (["Succeeded", "Succeeded"], None)


def test_without_a_plan_steps_are_those_of_the_dag() -> None:
    made = document("Running", node("b", "Running"))
    del made["metadata"]["annotations"][PLAN]
    made["spec"]["templates"][0]["dag"]["tasks"][1]["depends"] = "(a.Succeeded || a.Failed) && !a.Omitted"
    assert [(s.name, s.phase, s.needs) for s in run_of(made).steps] == [("a", "Pending", ()), ("b", "Running", ("a",))]


def test_what_the_engine_found_out_comes_before_what_nodes_say() -> None:
    made = document("Error", node("a", "Error", message="pod deleted"))
    made["metadata"]["annotations"] |= {
        FAILURE: json.dumps({"code": "image-not-found", "message": "no such image", "blame": "platform", "fix": "check"}),
        MODELS: json.dumps([{"name": "m", "tag": "v1", "digest": "sha256:1"}, 3]),
        METRICS: json.dumps({"acc": 0.5, "bad": "x"}),
    }
    run = run_of(made)
    assert run.failure is not None
    assert (run.failure.code, run.failure.blame, run.failure.fix) == ("image-not-found", "platform", "check")
    assert (run.models, dict(run.metrics)) == (({"name": "m", "tag": "v1", "digest": "sha256:1"},), {"acc": 0.5})


@pytest.mark.parametrize(
    ("message", "code", "blame", "part"),
    [
        ("main: OOMKilled (exit code 137)", "out-of-memory", "user", "ran out of memory"),
        ("OOMKilled (exit code 137)", "out-of-memory", "user", "ran out of memory"),
        ("main: Error (exit code 137)", "killed", "user", "killed"),
        ("main: Error (exit code 137): killed (SIGKILL): by x", "killed", "user", "SIGKILL"),
        ("main: Error (exit code 3)", "step-failed", "user", "exit code 3"),
        ("Step exceeded its deadline", "timeout", "user", "deadline"),
        ("Pod was active on the node longer than the specified deadline", "timeout", "user", "deadline"),
        ('main: Error (exit code 64): failed to find name in PATH: exec: "x"', "command-not-found", "user", "PATH"),
        ("main: Error (exit code 1): OSError: [Errno 28] No space left on device", "storage-full", "platform", "space"),
        ("pod deleted", "interrupted", "platform", "deleted"),
        ("The node was low on resource: memory. Evicted", "interrupted", "platform", "Evicted"),
        ('main: Error (exit code 1): {"code": "cut o', "step-failed", "user", "cut o"),
        ("something new", "step-failed", "user", "something new"),
    ],
)  # fmt: skip
def test_every_end_is_told_with_a_fix(message: str, code: str, blame: str, part: str) -> None:
    failure = failure_of_message(message, "train")
    assert failure is not None
    assert (failure.code, failure.blame, failure.step) == (code, blame, "train")
    assert part in failure.message
    assert failure.fix


def test_a_termination_message_of_other_types_is_still_a_failure() -> None:
    failure = failure_of_object({"code": 3, "message": None, "cell": "x", "line": True, "traceback": "a\nb", "blame": []}, "s")
    assert (failure.code, failure.cell, failure.line, failure.traceback, failure.blame) == (
        "step-failed",
        None,
        None,
        ("a", "b"),
        "user",
    )
    assert failure_of_object([1], None).message


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda c: st.lists(c, max_size=3) | st.dictionaries(st.text(max_size=5), c, max_size=3),
    max_leaves=6,
)
PLACES = [
    ("metadata",), ("spec",), ("status",), ("metadata", "annotations"), ("metadata", "labels"), ("status", "nodes"), ("status", "phase"),
    ("status", "nodes", "wf-a"), ("status", "nodes", "wf-a", "message"), ("status", "nodes", "wf-a", "children"), ("status", "nodes", "wf-a", "progress"),
    ("status", "nodes", "wf-a", "nodeFlag"), ("status", "nodes", "wf-a", "startedAt"), ("spec", "arguments"), ("spec", "templates"),
    ("spec", "arguments", "parameters"), ("metadata", "annotations", PLAN), ("metadata", "annotations", FAILURE), ("metadata", "annotations", MODELS),
    ("metadata", "resourceVersion"), ("metadata", "creationTimestamp"), ("status", "message"),
]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(PLACES), JUNK, st.booleans())
def test_no_document_breaks_the_decoder(place: tuple[str, ...], junk: Any, as_json: bool) -> None:
    made = copy.deepcopy(document("Failed", node("a", "Failed", type="Retry", children=["wf-b"]), node("b", "Error")))
    target: Any = made
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = json.dumps(junk) if as_json else junk
    assert isinstance(run_of(made), Run)


@pytest.mark.parametrize(
    "text", ["2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", "2026-01-01T00:00:00.000000000Z", "2026-01-01t00:00:00z"]
)
def test_times_of_every_writer_are_read(text: str) -> None:
    assert moment(text) == 1767225600.0


@pytest.mark.parametrize("text", [None, "", "yesterday", 5, "2026-13-01T00:00:00Z", "2026-01-01"])
def test_what_is_no_time_is_none(text: Any) -> None:
    assert moment(text) is None


@given(st.integers(0, 4_000_000_000_000_000))
def test_times_come_back_to_the_microsecond(microseconds: int) -> None:
    assert round((moment(rfc3339(microseconds / 1e6)) or 0) * 1e6) == pytest.approx(microseconds, abs=1)


@pytest.mark.parametrize(
    ("name", "group", "branch", "label"),
    [
        ("train", "", None, "train"),
        ("train(0)", "train", 0, "train.0"),
        ("train(12)", "train", 12, "train.12"),
        ("train(0:0:=22a=22)", "train", 0, "train.0"),
        ("train(1:1:a\nb)", "train", 1, "train.1"),
        ("a b(0)", "", None, "a b(0)"),
        ("", "", None, ""),
    ],
)
def test_names_of_branches(name: str, group: str, branch: int | None, label: str) -> None:
    assert (group_of(name), branch_of(name), label_of(name)) == (group, branch, label)


def test_branches_stand_behind_their_step_in_the_order_of_their_items() -> None:
    told = json.dumps(TOLD)
    nodes = [node("a(10:10:1)", "Succeeded"), node("a(2:2:1)", "Failed", message=f"main: Error (exit code 1): {told}")]
    found = run_of(document("Failed", node("a", "Failed", type="TaskGroup", progress="1/3"), *nodes, node("b", "Omitted")))
    assert [(step.name, step.phase, step.cells) for step in found.steps] == [
        ("a", "Failed", (0,)), ("a(2)", "Failed", (0,)), ("a(10)", "Succeeded", (0,)), ("b", "Skipped", (1,)),
    ]  # fmt: skip
    assert found.steps[0].progress is None
    assert found.failure is not None


@pytest.mark.parametrize(("own", "step"), [("a", "a(2)"), ("b", "b")])
def test_a_failure_in_a_branch_names_the_branch(own: str, step: str) -> None:
    told = f"main: Error (exit code 1): {json.dumps(TOLD | {'step': own})}"
    found = run_of(document("Failed", node("a", "Running", type="TaskGroup"), node("a(2:2:1)", "Failed", message=told)))
    assert found.failure is not None
    assert found.failure.step == step

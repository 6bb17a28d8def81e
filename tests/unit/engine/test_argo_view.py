"""A run from Workflow, pods, events, what steps told and reported, with the texts that a real cluster wrote."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jupyter_mlops.engine.argo.pods import node_of_pod, steps_of_nodes
from jupyter_mlops.engine.argo.reports import Report
from jupyter_mlops.engine.argo.view import Scene, view
from jupyter_mlops.engine.base import Run
from jupyter_mlops.engine.decode import FAILURE, METRICS, MODELS, PROGRESS
from jupyter_mlops.engine.told import Told
from jupyter_mlops.testing.engine import workflow

TOLD = {
    "code": "step-failed", "blame": "user", "message": "ValueError in cell 3, line 2: no", "cell": 3, "line": 2, "step": "b",
    "error": "ValueError", "traceback": ["one", "two"], "names": {}, "fix": "look",
}  # fmt: skip
MODEL = {"name": "m", "tag": "v1", "digest": "sha256:1"}


def node(name: str, phase: str, message: str = "", **fields: Any) -> dict[str, Any]:
    times = {"startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:05Z"}
    about = {"id": f"wf-{name}", "name": f"wf.{name}", "displayName": name, "templateName": name, "type": "Pod"}
    return {**about, "phase": phase, "message": message, "progress": "0/1", **times, **fields}


def document(phase: str, *nodes: dict[str, Any], message: str = "", **metadata: Any) -> dict[str, Any]:
    made = workflow(("a", ""), ("b", ""))
    made["metadata"]["annotations"]["jupyter-mlops.github.io/plan"] = json.dumps(
        {"steps": [{"name": "a", "cells": [0, 1, 2], "needs": []}, {"name": "b", "cells": [3, 4], "needs": ["a"]}]}
    )
    made["metadata"] |= {"name": "wf", "creationTimestamp": "2026-01-01T00:00:00Z", "resourceVersion": "7", **metadata}
    root = {"id": "wf", "name": "wf", "displayName": "wf", "type": "DAG", "phase": phase}
    made["status"] = {"phase": phase, "message": message, "nodes": {one["id"]: one for one in (root, *nodes)}}
    return made


def pod(
    step: str, state: dict[str, Any], *, init: dict[str, Any] | None = None, node_id: str = "", **status: Any
) -> dict[str, Any]:
    statuses = {"containerStatuses": [{"name": "main", "state": state}]}
    if init is not None:
        statuses["initContainerStatuses"] = [{"name": "init", "state": init}]
    notes = {"workflows.argoproj.io/node-id": node_id or f"wf-{step}"}
    metadata = {"name": f"wf-{step}-1", "namespace": "ml", "uid": f"u-{step}", "resourceVersion": "9", "annotations": notes}
    return {"metadata": metadata, "status": {"phase": "Pending", **statuses, **status}}


def report(**config: Any) -> Report:
    return Report("sha256:r", {"metrics": {}, "models": [], "failure": None, "cells": [], **config})


def look(scene: Scene) -> Run:
    return view(scene, target="kit")


def test_progress_comes_from_the_log_not_from_argos_placeholder() -> None:
    told = {"wf-a": Told(progress=(1, 3), metrics={"x": 1.0})}
    run = look(Scene(document("Running", node("a", "Running")), told=told))
    assert [step.progress for step in run.steps] == [(1, 3), None]
    assert (run.target, dict(run.metrics), run.phase) == ("kit", {"x": 1.0}, "Running")
    assert look(Scene(document("Running", node("a", "Running")))).steps[0].progress is None
    assert look(Scene(document("Running", node("a", "Running", progress="2/3")))).steps[0].progress == (2, 3)


def test_reports_have_the_last_word_on_results_in_the_order_of_steps() -> None:
    reports = {"a": report(metrics={"x": 1, "y": 1}, models=[MODEL]), "b": report(metrics={"x": 2}, models=[MODEL])}
    done = document("Succeeded", node("a", "Succeeded"), node("b", "Succeeded"))
    run = look(Scene(done, told={"wf-a": Told(metrics={"x": 0.5}, models=[MODEL])}, reports=reports))
    assert (dict(run.metrics), list(run.models)) == ({"x": 2.0, "y": 1.0}, [MODEL])


def test_a_reports_cells_are_progress_where_no_log_told() -> None:
    cells = [{"cell": 0, "phase": "succeeded"}, {"cell": 1, "phase": "failed"}]
    run = look(Scene(document("Failed", node("a", "Failed", "main: Error (exit code 1)")), reports={"a": report(cells=cells)}))
    assert run.steps[0].progress == (1, 3)


def test_a_retried_step_that_succeeded_is_healthy() -> None:
    """The controller leaves the progress of the run at 6/7 and the attempt's failure in its place."""
    first = node("a(0)", "Failed", "main: Error (exit code 1): " + json.dumps(TOLD), id="wf-1", nodeFlag={"retried": True})
    second = node("a(1)", "Succeeded", id="wf-2", nodeFlag={"retried": True}, progress="1/1")
    top = node("a", "Succeeded", type="Retry", children=["wf-1", "wf-2"], progress="1/2")
    made = document("Succeeded", first, second, top, node("b", "Succeeded"))
    made["status"]["progress"] = "2/3"
    run = look(Scene(made, told={"wf-1": Told(progress=(1, 3)), "wf-2": Told(progress=(3, 3))}))
    assert (run.phase, run.failure, [s.phase for s in run.steps], run.steps[0].cause) == (
        "Succeeded",
        None,
        ["Succeeded"] * 2,
        None,
    )
    assert run.steps[0].progress == (3, 3)
    assert steps_of_nodes(made) == {"wf-a": "a", "wf-1": "a", "wf-2": "a", "wf-b": "b"}


def test_a_retried_step_that_failed_is_told_by_its_last_attempt_and_another_steps_attempt_is_none() -> None:
    first = node(
        "a(0)", "Failed", "main: Error (exit code 1)", id="wf-1", nodeFlag={"retried": True}, finishedAt="2026-01-01T00:00:01Z"
    )
    second = node("a(1)", "Succeeded", id="wf-2", nodeFlag={"retried": True})
    top = node("a", "Succeeded", type="Retry", children=["wf-1", "wf-2"])
    last = node("b(0)", "Failed", "main: Error (exit code 1): " + json.dumps(TOLD), id="wf-3", nodeFlag={"retried": True})
    failed = node("b", "Failed", "No more retries left", type="Retry", children=["wf-3"])
    run = look(Scene(document("Failed", first, second, top, last, failed)))
    assert run.failure is not None
    assert (run.failure.step, run.failure.cell, run.failure.message) == ("b", 3, TOLD["message"])
    assert run.steps[0].cause is None


@pytest.mark.parametrize(
    ("message", "reports", "told", "code", "cell"),
    [
        pytest.param("main: Error (exit code 1): " + json.dumps(TOLD), {}, {}, "step-failed", 3, id="the termination message"),
        pytest.param("Error (exit code 1): " + json.dumps(TOLD), {}, {}, "step-failed", 3, id="of Argo 3.6"),
        pytest.param(
            "main: Error (exit code 1): " + json.dumps(TOLD)[500:],
            {"b": report(failure=TOLD)},
            {},
            "step-failed",
            3,
            id="cut at its head",
        ),
        pytest.param("main: Error (exit code 1)", {"b": report(failure=TOLD)}, {}, "step-failed", 3, id="none, but a report"),
        pytest.param("main: OOMKilled (exit code 137)", {}, {"wf-b": Told(running_cell=4)}, "out-of-memory", 4, id="memory"),
        pytest.param(
            "Step exceeded its deadline", {"b": report(failure={**TOLD, "code": "stopped"})}, {}, "timeout", None, id="deadline"
        ),
    ],
)
def test_why_a_step_failed(message: str, reports: dict[str, Report], told: dict[str, Told], code: str, cell: int | None) -> None:
    run = look(Scene(document("Failed", node("a", "Succeeded"), node("b", "Failed", message)), told=told, reports=reports))
    assert run.failure is not None
    assert (run.failure.code, run.failure.cell, run.failure.step) == (code, cell, "b")
    assert run.steps[1].cause == run.failure
    assert run.steps[1].message == run.failure.message
    assert run.failure.fix


def test_a_step_that_could_not_report_failed_though_its_code_did_not() -> None:
    said = (
        "wait: Error (exit code 64): workflowtaskresults.argoproj.io is forbidden: User "
        '"system:serviceaccount:ml:default" cannot create resource "workflowtaskresults" in API group "argoproj.io" in the namespace "ml"'
    )
    made = document("Error", node("a", "Error", said, outputs={"exitCode": "0"}), message=said)
    run = look(Scene(made))
    assert (run.phase, run.steps[0].phase) == ("Error", "Error")
    assert run.failure is not None
    assert "default" in run.failure.message
    assert (run.failure.blame, run.failure.step) == ("platform", "a")
    assert any("workflowtaskresults" in fact for fact in run.failure.facts)


def test_a_run_that_never_had_nodes_says_why() -> None:
    made = document("Failed", message="invalid spec: templates.main.tasks.a template name 'nosuch' undefined")
    del made["status"]["nodes"]
    run = look(Scene(made))
    assert run.failure is not None
    assert "nosuch" in run.failure.message
    assert [step.phase for step in run.steps] == ["Skipped", "Skipped"]


def test_what_a_step_waits_for_is_said_while_it_waits() -> None:
    waiting = {"waiting": {"reason": "PodInitializing"}}
    back_off = {"waiting": {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "r.example/nope:1"'}}
    scene = Scene(document("Running", node("a", "Pending", "PodInitializing")), [pod("a", waiting, init=back_off)])
    run = look(scene)
    assert run.phase == "Running"
    assert run.steps[0].cause is not None
    assert "r.example/nope:1" in run.steps[0].message
    assert run.steps[0].cause.facts
    assert run.failure is None
    assert run.revision == 9


@pytest.mark.parametrize(
    ("state", "failing"),
    [
        ({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}, True),
        ({"terminated": {"exitCode": 1, "reason": "Error", "message": json.dumps(TOLD)}}, True),
        ({"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}, False),
    ],
)
@pytest.mark.parametrize("phase", ["Pending", "Running"])
def test_a_container_that_has_failed_is_told_from_one_that_waits(phase: str, state: dict[str, Any], failing: bool) -> None:
    step = look(Scene(document("Running", node("a", phase)), [pod("a", state)])).steps[0]
    assert step.phase == phase
    assert step.cause is not None
    assert step.failing == failing


def test_a_run_that_no_controller_took_up_says_so_at_its_first_step() -> None:
    made = document("")
    made["status"] = {}
    run = look(Scene(made, now=1767225600.0 + 600))
    assert run.phase == "Pending"
    assert [step.cause.code if step.cause else None for step in run.steps] == ["controller-down", None]


def test_a_run_that_a_person_stopped_has_no_failure() -> None:
    made = document("Failed", node("a", "Failed", "workflow shutdown with strategy:  Stop"), message="Stopped with strategy 'Stop'")
    made["spec"]["shutdown"] = "Stop"
    run = look(Scene(made))
    assert (run.phase, run.failure, [(s.phase, s.cause) for s in run.steps]) == (
        "Stopped",
        None,
        [("Stopped", None), ("Skipped", None)],
    )


def test_steps_that_cannot_be_read_say_so() -> None:
    made = document("Running")
    made["status"] = {"phase": "Running", "offloadNodeStatusVersion": "fnv:1"}
    run = look(Scene(made))
    assert [step.cause.code if step.cause else "" for step in run.steps] == ["nodes-offloaded"] * 2


def test_what_was_recorded_counts_without_pods_and_registry() -> None:
    notes = {
        MODELS: json.dumps([MODEL]), METRICS: '{"acc": 0.5}', PROGRESS: '{"a": "2/3", "b": "1/2"}',
        FAILURE: json.dumps({**TOLD, "facts": ["pod wf-b-1: said"]}),
    }  # fmt: skip
    made = document("Failed", node("a", "Succeeded"), node("b", "Failed", "main: OOMKilled (exit code 137)"))
    made["metadata"]["annotations"] |= notes
    run = look(Scene(made))
    assert (list(run.models), dict(run.metrics), [s.progress for s in run.steps]) == ([MODEL], {"acc": 0.5}, [(2, 3), (1, 2)])
    assert run.failure is not None
    assert (run.failure.cell, run.failure.facts, run.steps[1].cause) == (3, ("pod wf-b-1: said",), run.failure)


@pytest.mark.parametrize(
    "junk",
    [
        {},
        {"metadata": None, "spec": None, "status": None},
        {"status": {"nodes": {"x": {}}}},
        {"metadata": {"annotations": {MODELS: "["}}},
    ],
)
def test_no_document_breaks_it(junk: dict[str, Any]) -> None:
    assert look(Scene(junk, [{}], [{}])).steps is not None
    assert node_of_pod({}) == ""

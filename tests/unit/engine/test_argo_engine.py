"""The engine on a cluster in memory: what it asks, what it shows, what it leaves in the registry."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.cluster.base import EVENTS, PODS, WORKFLOWS, Change
from jupyter_mlops.engine.argo.engine import ArgoEngine
from jupyter_mlops.engine.argo.recording import RECORDED
from jupyter_mlops.engine.argo.stage import Stage
from jupyter_mlops.engine.argo.telling import Tellings
from jupyter_mlops.engine.argo.watching import gone
from jupyter_mlops.engine.base import DONE, Run, Submission
from jupyter_mlops.engine.decode import SUBMITTED
from jupyter_mlops.errors import Conflict, NotAllowed, NotFound, Refused, Unavailable, WrongUsage
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.registry.runs import RunRecords
from jupyter_mlops.settings import Settings, Storage, Target
from jupyter_mlops.testing.cluster import FakeCluster
from jupyter_mlops.testing.engine import workflow
from tests.unit.engine.argo_playing import Argo, event, push_notebook, push_report, terminated


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


@pytest.fixture
def argo(cluster: FakeCluster) -> Argo:
    return Argo(cluster)


@pytest.fixture
def store(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "registry")


@pytest.fixture
def engine(cluster: FakeCluster, store: Layout, tmp_path: Path) -> ArgoEngine:
    return ArgoEngine(Settings(storage=Storage(home=tmp_path / "home")), cluster, Target("kit", namespace="ml"), store)


def another(engine: ArgoEngine, cluster: FakeCluster, store: Layout, home: Path) -> ArgoEngine:
    """As after a restart, or on another machine."""
    return ArgoEngine(Settings(storage=Storage(home=home)), cluster, Target("kit", namespace="ml"), store)


def submit(engine: ArgoEngine, *, bundle: str = "", notebook: str | None = None, name: str = "churn") -> Run:
    document = workflow(("load", ""), ("train", ""), name=name)
    if bundle:
        document["spec"]["arguments"]["parameters"].append({"name": "mlops-bundle", "value": bundle})
    return engine.submit(Submission(document, notebook))


def recorded(engine: ArgoEngine, name: str) -> Run:
    """The run once its record is there."""
    run = engine.get(name)
    engine._recorder.finish(name)
    assert run.phase in DONE
    return engine.get(name)


# -- submitting --------------------------------------------------------------------------------------------------------------


def test_a_submitted_run_is_a_workflow_with_its_time(engine: ArgoEngine, cluster: FakeCluster) -> None:
    run = submit(engine, notebook="/home/a/churn.ipynb")
    made = cluster.get(WORKFLOWS, run.name)
    assert (run.phase, run.target, run.pipeline, run.notebook) == ("Pending", "kit", "churn", "/home/a/churn.ipynb")
    assert made["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "jupyter-mlops"
    assert SUBMITTED in made["metadata"]["annotations"]
    assert "/home/a" not in json.dumps(made)
    assert engine.get(run.name).notebook == "/home/a/churn.ipynb"


def test_runs_submitted_in_one_second_keep_their_order(engine: ArgoEngine) -> None:
    names = [submit(engine).name for _ in range(4)]
    assert [run.name for run in engine.list()] == names[::-1]
    first = engine.list(limit=2)
    assert [run.name for run in engine.list(before=first[-1].created)] == names[1::-1]


def test_the_targets_service_account_is_used_where_the_document_has_none(
    cluster: FakeCluster, store: Layout, tmp_path: Path
) -> None:
    target = Target("kit", namespace="ml", service_account="runner")
    engine = ArgoEngine(Settings(storage=Storage(home=tmp_path)), cluster, target, store)
    assert cluster.get(WORKFLOWS, submit(engine).name)["spec"]["serviceAccountName"] == "runner"


def test_a_run_can_resume_another_that_is_there(engine: ArgoEngine) -> None:
    earlier = submit(engine)
    run = engine.submit(Submission(workflow(("load", "")), resume=earlier.name))
    assert run.resumed == earlier.name
    with pytest.raises(NotFound):
        engine.submit(Submission(workflow(("load", "")), resume="churn-nothing"))


def test_what_the_api_server_refuses_is_refused(engine: ArgoEngine, cluster: FakeCluster) -> None:
    cluster.behaviour.admission.append(lambda _kind, _document: Refused("unknown field spec.templates[0].container.comand"))
    with pytest.raises(Refused, match="comand"):
        submit(engine)
    assert not engine.list()


# -- looking -----------------------------------------------------------------------------------------------------------------


def test_a_running_step_shows_what_its_log_tells(engine: ArgoEngine, argo: Argo) -> None:
    run = submit(engine)
    argo.starts(run.name, "load", event("cell", phase="succeeded", cell=0, k=1, n=3), event("metric", name="x", value=0.5))
    now = engine.get(run.name)
    assert (now.phase, now.steps[0].phase, now.steps[0].progress, dict(now.metrics)) == ("Running", "Running", (1, 3), {"x": 0.5})
    assert now.revision > run.revision
    assert engine.get(run.name).revision == now.revision


def test_a_watch_tells_each_change_and_ends_with_the_run(engine: ArgoEngine, argo: Argo) -> None:
    run = submit(engine)
    watching = engine.watch(run.name)
    assert next(watching).phase == "Pending"
    pod = argo.starts(run.name, "load")
    assert until(watching, lambda now: now.steps[0].phase == "Running").phase == "Running"
    argo.cluster.write_log(pod, "main", event("cell", phase="succeeded", cell=0, k=2, n=3))
    assert until(watching, lambda now: now.steps[0].progress == (2, 3)).phase == "Running"
    argo.ends(run.name, "load")
    argo.node(run.name, "train", "Pending", "PodInitializing")
    argo.pod(run.name, "train", {"waiting": {"reason": "ErrImagePull", "message": "r.example/x:1: not found"}}, phase="Pending")
    waiting = until(watching, lambda now: now.steps[1].cause is not None)
    assert waiting.phase == "Running"
    argo.ends(run.name, "train")
    argo.phase(run.name, "Succeeded")
    seen = [now.revision for now in watching]
    assert seen == sorted(set(seen))
    assert [now.phase for now in engine.watch(run.name)] == ["Succeeded"]


@pytest.mark.slow
def test_what_only_silence_tells_reaches_whoever_watches(engine: ArgoEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """No controller takes the run up, so nothing ever changes."""
    monkeypatch.setattr("jupyter_mlops.engine.argo.stage.TICK", 0.05)
    monkeypatch.setattr("jupyter_mlops.diagnose.workflow.SILENCE", 1.5)
    run = submit(engine)
    watching = engine.watch(run.name)
    assert next(watching).steps[0].cause is None
    cause = until(watching, lambda now: now.steps[0].cause is not None).steps[0].cause
    assert cause is not None
    assert cause.code == "controller-down"
    watching.close()  # type: ignore[attr-defined]  # it is a generator


def test_a_watched_run_that_is_deleted_ends_the_watch(engine: ArgoEngine, cluster: FakeCluster) -> None:
    run = submit(engine)
    watching = engine.watch(run.name)
    next(watching)
    cluster.remove(WORKFLOWS, run.name)
    assert list(watching) == []
    with pytest.raises(NotFound):
        next(engine.watch(run.name))


def test_a_warning_reaches_whoever_watches(engine: ArgoEngine, argo: Argo) -> None:
    run = submit(engine)
    argo.phase(run.name, "Running")
    argo.node(run.name, "load", "Pending", "PodInitializing")
    pod = argo.pod(run.name, "load", {"waiting": {"reason": "PodInitializing"}}, phase="Pending")
    watching = engine.watch(run.name)
    next(watching)
    argo.cluster.add_event(pod, "FailedMount", 'MountVolume.SetUp failed for volume "x" : secret "hf-token" not found')
    now = until(watching, lambda now: now.steps[0].cause is not None)
    assert "hf-token" in now.steps[0].message
    assert engine.get(run.name).steps[0].message == now.steps[0].message
    assert engine.list()[0].steps[0].message == now.steps[0].message


@pytest.mark.parametrize("kind", [PODS, EVENTS])
def test_who_may_not_read_pods_or_events_sees_the_run_all_the_same(engine: ArgoEngine, argo: Argo, kind: Any) -> None:
    run = submit(engine)
    argo.cluster.forbid("*", kind)
    argo.phase(run.name, "Running")
    argo.node(run.name, "load", "Running")
    assert engine.get(run.name).steps[0].phase == "Running"
    assert engine.list()[0].steps[0].phase == "Running"
    watching = engine.watch(run.name)
    assert next(watching).steps[0].phase == "Running"
    argo.phase(run.name, "Succeeded")
    assert [now.phase for now in watching][-1] == "Succeeded"


def test_who_may_not_read_workflows_is_told(engine: ArgoEngine, cluster: FakeCluster) -> None:
    cluster.forbid("*", WORKFLOWS)
    for ask in (lambda: engine.get("churn-1"), engine.list, lambda: next(engine.watch("churn-1")), lambda: submit(engine)):
        with pytest.raises(NotAllowed):
            ask()


def test_a_server_that_is_away_is_told_as_such(engine: ArgoEngine, cluster: FakeCluster) -> None:
    run = submit(engine)
    cluster.fail_next(Unavailable("the API server does not answer"), kind=WORKFLOWS)
    with pytest.raises(Unavailable):
        engine.get(run.name)
    assert engine.get(run.name).phase == "Pending"


def test_runs_of_others_are_not_listed_but_can_be_looked_at(engine: ArgoEngine, cluster: FakeCluster) -> None:
    cluster.put(WORKFLOWS, {"metadata": {"name": "theirs"}, "spec": {"entrypoint": "x"}, "status": {"phase": "Succeeded"}})
    assert not engine.list()
    assert engine.get("theirs").phase == "Succeeded"
    engine._recorder.finish("theirs")
    assert RECORDED not in (cluster.get(WORKFLOWS, "theirs")["metadata"].get("annotations") or {})


def test_pods_and_warnings_may_come_before_their_workflow(engine: ArgoEngine, argo: Argo) -> None:
    run = submit(engine)
    pod = argo.starts(run.name, "load")
    cluster = argo.cluster
    cluster.add_event(pod, "FailedMount", "no")
    stage = Stage(cluster, "ml", Tellings(cluster, "ml"), run.name)
    pods, events = (Change("ALL", cluster.list(kind).items) for kind in (PODS, EVENTS))
    assert stage._take("pods", pods) | stage._take("events", events) == set()
    assert stage._take("workflows", Change("ALL", cluster.list(WORKFLOWS).items)) == {run.name}
    assert len(stage.scene(run.name).pods) == len(stage.scene(run.name).events) == 1
    assert stage._take("events", events) == {run.name}
    assert stage._take("workflows", Change("ALL", ())) == {run.name}
    assert run.name not in stage.workflows
    stage.close()


# -- logs --------------------------------------------------------------------------------------------------------------------


def test_logs_come_from_pods_in_order_and_from_reports_when_these_are_gone(
    engine: ArgoEngine, argo: Argo, store: Layout, cluster: FakeCluster
) -> None:
    run = submit(engine, bundle="runs/churn@sha256:" + "1" * 64)
    pod = argo.starts(run.name, "load", "one", 'time=2026-01-01T00:00:00Z level=INFO msg="x" argo=true', "two")
    argo.ends(run.name, "load")
    argo.starts(run.name, "train", "three")
    assert [(line.step, line.text) for line in engine.logs(run.name)] == [("load", "one"), ("load", "two"), ("train", "three")]
    assert all(line.time for line in engine.logs(run.name))
    push_report(store, "runs/churn", run.name, "load", log="one\ntwo\n@mlops nothing\n")
    cluster.remove(PODS, pod)
    assert [(line.step, line.text) for line in engine.logs(run.name)] == [
        ("load", "one"), ("load", "two"), ("load", "@mlops nothing"), ("train", "three"),
    ]  # fmt: skip
    assert [line.text for line in engine.logs(run.name, step="train")] == ["three"]
    with pytest.raises(NotFound, match="no step"):
        engine.logs(run.name, step="other")


def test_an_init_container_that_failed_shows_its_lines(engine: ArgoEngine, argo: Argo) -> None:
    run = submit(engine)
    argo.phase(run.name, "Failed")
    argo.node(run.name, "load", "Failed", "init: Error (exit code 64)")
    state = terminated(64)
    pod = argo.pod(
        run.name, "load", {"waiting": {"reason": "PodInitializing"}}, phase="Failed",
        initContainerStatuses=[{"name": "init", "state": state}],
    )  # fmt: skip
    argo.cluster.write_log(pod, "init", "artifact not found")
    argo.cluster.end_log(pod, "init")
    assert [(line.step, line.text) for line in engine.logs(run.name)] == [("load", "artifact not found")]


def test_a_followed_log_goes_from_step_to_step_and_ends_with_the_run(engine: ArgoEngine, argo: Argo) -> None:
    run = submit(engine)
    lines = engine.logs(run.name, follow=True)
    first = argo.starts(run.name, "load", "one")
    assert next(lines).text == "one"
    argo.cluster.write_log(first, "main", "two")
    assert next(lines).text == "two"
    argo.ends(run.name, "load")
    argo.starts(run.name, "train", "three")
    assert next(lines).text == "three"
    argo.ends(run.name, "train")
    argo.phase(run.name, "Succeeded")
    assert list(lines) == []


def test_following_one_step_ends_with_it(engine: ArgoEngine, argo: Argo) -> None:
    run = submit(engine)
    lines = engine.logs(run.name, step="load", follow=True)
    argo.starts(run.name, "load", "one")
    assert next(lines).text == "one"
    argo.ends(run.name, "load")
    assert list(lines) == []


# -- acting ------------------------------------------------------------------------------------------------------------------


def test_verbs_change_the_workflow(engine: ArgoEngine, argo: Argo, cluster: FakeCluster) -> None:
    run = submit(engine)
    argo.phase(run.name, "Running")
    assert engine.control(run.name, "pause").paused
    assert not engine.control(run.name, "unpause").paused
    engine.control(run.name, "stop")
    assert cluster.get(WORKFLOWS, run.name)["spec"]["shutdown"] == "Stop"
    argo.phase(run.name, "Failed", "Stopped with strategy 'Stop'")
    assert engine.control(run.name, "stop").phase == "Stopped"
    with pytest.raises(Conflict) as caught:
        engine.control(run.name, "pause")
    assert caught.value.code == "run-over"
    with pytest.raises(WrongUsage):
        engine.control(run.name, "explode")  # type: ignore[arg-type]


def test_a_deleted_run_leaves_nothing(engine: ArgoEngine, argo: Argo, store: Layout, tmp_path: Path) -> None:
    run = submit(engine, bundle=push_notebook(store, "runs/churn", "1"), notebook="/x/churn.ipynb")
    argo.starts(run.name, "load")
    argo.ends(run.name, "load")
    push_report(store, "runs/churn", run.name, "load", cells={0: [{"output_type": "stream", "name": "stdout", "text": "hi"}]})
    argo.phase(run.name, "Succeeded")
    assert recorded(engine, run.name).executed
    assert engine.control(run.name, "delete").phase == "Succeeded"
    assert [tag for tag in store.tags("runs/churn") if run.name in tag] == []
    assert not list((tmp_path / "home" / "cache" / "executed" / "kit").iterdir())
    assert not engine.list()
    with pytest.raises(NotFound):
        engine.get(run.name)


# -- what outlives it --------------------------------------------------------------------------------------------------------


def test_a_finished_run_is_recorded_once_with_all_that_it_left(
    engine: ArgoEngine, argo: Argo, store: Layout, cluster: FakeCluster
) -> None:
    run = submit(engine, bundle=push_notebook(store, "runs/churn", "print('hi')", "1 + 1"))
    argo.starts(run.name, "load", "hi")
    argo.ends(run.name, "load")
    model = {"name": "m", "tag": "v1", "digest": "sha256:1"}
    output = {"output_type": "stream", "name": "stdout", "text": "hi\n"}
    push_report(store, "runs/churn", run.name, "load", metrics={"acc": 0.5}, models=[model], cells={0: [output]})
    argo.node(
        run.name, "train", "Failed", "main: Error (exit code 1): " + json.dumps({"message": "no", "cell": 1, "code": "step-failed"})
    )
    argo.phase(run.name, "Failed")
    done = recorded(engine, run.name)
    notes = cluster.get(WORKFLOWS, run.name)["metadata"]["annotations"]
    assert notes[RECORDED] == store.get_manifest("runs/churn", f"run-{run.name}").descriptor.digest
    assert (dict(done.metrics), list(done.models)) == ({"acc": 0.5}, [model])
    assert done.failure is not None
    assert (done.failure.message, done.failure.cell) == ("no", 1)
    record = RunRecords(store).get("churn", run.name)
    assert (record["phase"], record["metrics"], record["failure"]["cell"], record["target"]) == ("Failed", {"acc": 0.5}, 1, "kit")
    with RunRecords(store).open("churn", run.name, "load.log") as stream:
        assert stream.read() == b"hi\n"
    with RunRecords(store).open("churn", run.name, "executed.ipynb") as stream:
        cells = json.loads(stream.read())["cells"]
    assert [cell["outputs"] for cell in cells] == [
        [output],
        [{"output_type": "error", "ename": "StepEnded", "evalue": "no", "traceback": ["no"]}],
    ]
    assert done.executed is not None
    assert json.loads(Path(done.executed).read_text())["cells"] == cells
    patches = [call for call in cluster.calls if call.method == "patch"]
    engine.get(run.name)
    assert [call for call in cluster.calls if call.method == "patch"] == patches


def test_two_servers_may_record_at_once(
    engine: ArgoEngine, argo: Argo, store: Layout, cluster: FakeCluster, tmp_path: Path
) -> None:
    run = submit(engine)
    argo.phase(run.name, "Succeeded")
    engines = [engine, *(another(engine, cluster, store, tmp_path / str(index)) for index in range(3))]
    together = threading.Barrier(len(engines))
    results: list[bool] = []

    def record(one: ArgoEngine) -> None:
        together.wait()
        results.append(one._recorder.record(run.name))

    threads = [threading.Thread(target=record, args=(one,)) for one in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 4
    assert RunRecords(store).runs("churn") == [run.name]
    assert RECORDED in cluster.get(WORKFLOWS, run.name)["metadata"]["annotations"]


def test_a_run_deleted_while_it_is_recorded_takes_its_record_with_it(
    engine: ArgoEngine, argo: Argo, store: Layout, cluster: FakeCluster
) -> None:
    run = submit(engine)
    argo.phase(run.name, "Succeeded")
    done = engine._complete(run.name)
    cluster.remove(WORKFLOWS, run.name)
    engine._recorder._annotate(done, str(done.workflow["metadata"]["uid"]), engine._recorder._put(done))
    assert RunRecords(store).runs("churn") == []


def test_a_run_whose_workflow_is_gone_is_still_there(
    engine: ArgoEngine, argo: Argo, store: Layout, cluster: FakeCluster, tmp_path: Path
) -> None:
    run = submit(engine)
    argo.starts(run.name, "load", "one")
    argo.ends(run.name, "load")
    argo.phase(run.name, "Succeeded")
    recorded(engine, run.name)
    newer = submit(engine)
    cluster.remove(WORKFLOWS, run.name)
    later = another(engine, cluster, store, tmp_path / "later")
    assert [one.name for one in later.list()] == [newer.name, run.name]
    assert [one.name for one in later.list(pipeline="churn", limit=1, before=newer.created)] == [run.name]
    assert later.list(pipeline="other") == []
    found = later.get(run.name)
    assert (found.phase, [step.phase for step in found.steps], found.workflow["metadata"]["name"]) == (
        "Succeeded",
        ["Succeeded", "Skipped"],
        run.name,
    )
    assert [one.phase for one in later.watch(run.name)] == ["Succeeded"]
    assert [line.text for line in later.logs(run.name)] == ["one"]
    assert later.control(run.name, "stop").phase == "Succeeded"
    with pytest.raises(Conflict):
        later.control(run.name, "approve")
    later.control(run.name, "delete")
    with pytest.raises(NotFound):
        later.get(run.name)


def test_records_of_another_namespace_are_not_ours(engine: ArgoEngine, argo: Argo, store: Layout, tmp_path: Path) -> None:
    run = submit(engine)
    argo.phase(run.name, "Succeeded")
    recorded(engine, run.name)
    other = FakeCluster(namespace="other")
    theirs = ArgoEngine(Settings(storage=Storage(home=tmp_path / "x")), other, Target("kit", namespace="other"), store)
    assert not theirs.list()
    with pytest.raises(NotFound):
        theirs.get(run.name)


# -- all runs ----------------------------------------------------------------------------------------------------------------


def test_changes_of_all_runs_reach_one_watch(engine: ArgoEngine, argo: Argo, cluster: FakeCluster) -> None:
    first = submit(engine)
    stop = threading.Event()
    changes = engine.changes(stop)
    assert next(changes).name == first.name
    second = submit(engine)
    assert until(changes, lambda run: run.name == second.name).phase == "Pending"
    pod = argo.starts(first.name, "load")
    assert until(changes, lambda run: run.phase == "Running").name == first.name
    cluster.write_log(pod, "main", event("cell", phase="succeeded", cell=0, k=1, n=3))
    assert until(changes, lambda run: run.steps[0].progress == (1, 3)).name == first.name
    argo.ends(first.name, "load")
    argo.phase(first.name, "Succeeded")
    assert until(changes, lambda run: run.phase == "Succeeded").name == first.name
    cluster.remove(WORKFLOWS, second.name)
    assert until(changes, gone).name == second.name
    stop.set()
    assert all(run.name == first.name for run in changes)


def until(runs: Iterator[Run], condition: Any) -> Run:
    """The first run of these that fulfils it."""
    return next(run for run in runs if condition(run))

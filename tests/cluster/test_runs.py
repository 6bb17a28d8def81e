"""Notebooks as runs on a real cluster: what is seen while they run, what is left when their pods and Workflows are gone."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.cluster.base import PODS, WORKFLOWS, Cluster
from jupyter_mlops.engine.argo.engine import ArgoEngine
from jupyter_mlops.engine.argo.nodes import pack
from jupyter_mlops.engine.argo.recording import RECORDED
from jupyter_mlops.engine.argo.watching import gone
from jupyter_mlops.engine.base import DONE, Run, Submission
from jupyter_mlops.errors import Conflict, NotFound, Refused
from jupyter_mlops.oci.open import open_store
from jupyter_mlops.oci.store import Store
from jupyter_mlops.registry.runs import RunRecords
from jupyter_mlops.settings import Settings, Storage, Target
from jupyter_mlops.testing.engine import wait, workflow
from tests.cluster.conftest import fresh_namespace, wait_for
from tests.cluster.notebooks import compiled, submit_notebook

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

WHOLE = [
    ("load", "import time\nprint('hello')\nrows = [1, 2]"),
    ("load", "time.sleep(3)\nrows.append(3)\nrows"),
    ("load", "time.sleep(3)"),
    ("train", "import jupyter_mlops as mlops\nmlops.log_metrics(total=sum(rows))\nprint('trained')"),
    ("train", "def double(rows):\n    return [2 * row for row in rows]\nmlops.log_model(double, 'double', data=[1, 2])"),
]
BROKEN = [
    ("load", "import random\nrandom.seed(1)\nx = 20"),
    ("train", "y = x + 1\nprint('y is', y)"),
    ("train", "z = 1\ny / (x - 20)"),
    ("test", "print(z)"),
]
MENDED = [*BROKEN[:2], ("train", "z = 1\ny / (x - 19)"), BROKEN[3]]


@dataclass
class Place:
    """A namespace with an engine on it."""

    cluster: Cluster
    engine: ArgoEngine
    store: Store
    target: Target
    home: Path

    def again(self, home: Path) -> ArgoEngine:
        """The engine of another process: nothing is shared with the first but the cluster and the registry."""
        return ArgoEngine(Settings(storage=Storage(home=home)), self.cluster, self.target, open_store(self.target.registry))


@pytest.fixture(scope="module")
def place(cluster: Cluster, registry: str, python_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    home = tmp_path_factory.mktemp("home")
    with fresh_namespace(cluster, "h-argo-runs") as namespace:
        target = Target("kit", namespace=namespace, registry=f"http://{registry}/{namespace}", image=python_image)
        store = open_store(target.registry)
        engine = ArgoEngine(Settings(storage=Storage(home=home)), cluster, target, store)
        yield Place(cluster, engine, store, target, home)


@dataclass
class Seen:
    """A run that was watched from its beginning to its end."""

    states: list[Run]
    executed: list[int]
    """Cells that had run in the executed notebook, at each change while the first step ran."""

    @property
    def name(self) -> str:
        return self.states[-1].name


@pytest.fixture(scope="module")
def broken(place: Place) -> Run:
    """Begun before ``whole`` is watched, so that both go on beside each other."""
    return submit_notebook(place.engine, place.store, place.target, BROKEN, name="broken")


@pytest.fixture(scope="module")
def whole(place: Place, broken: Run) -> Seen:
    run = submit_notebook(place.engine, place.store, place.target, WHOLE, name="whole")
    seen = Seen([], [])
    for state in place.engine.watch(run.name):
        seen.states.append(state)
        if state.steps[0].phase == "Running":
            seen.executed.append(outputs(place.engine.get(run.name).executed))
    return seen


def outputs(executed: str | None) -> int:
    """Cells of a notebook file that have run."""
    cells = json.loads(Path(executed).read_text())["cells"] if executed else []
    return sum(1 for cell in cells if cell["execution_count"])


def texts(engine: ArgoEngine, name: str, step: str | None = None) -> list[tuple[str, str]]:
    return [(line.step, line.text) for line in engine.logs(name, step=step) if line.event is None]


def test_cells_are_seen_while_a_step_runs(whole: Seen) -> None:
    progress = [state.steps[0].progress for state in whole.states if state.steps[0].phase == "Running"]
    assert {(1, 3), (2, 3)} <= set(progress), progress
    assert all(one.revision < two.revision for one, two in itertools.pairwise(whole.states))
    assert whole.states[-1].phase == "Succeeded", whole.states[-1].failure
    assert [step.progress for step in whole.states[-1].steps] == [(3, 3), (2, 2)]
    assert 2 in whole.executed, whole.executed


def test_a_run_that_is_over_has_metrics_models_and_its_notebook(place: Place, whole: Seen) -> None:
    run = place.engine.get(whole.name)
    assert dict(run.metrics) == {"total": 6.0}
    assert [(model["name"], model["tag"]) for model in run.models] == [("double", "v1")]
    assert run.executed is not None
    cells = json.loads(Path(run.executed).read_text())["cells"]
    assert [cell["execution_count"] for cell in cells] == [1, 2, 3, 4, 5]
    assert cells[0]["outputs"] == [{"output_type": "stream", "name": "stdout", "text": "hello\n"}]
    assert cells[1]["outputs"][0]["data"] == {"text/plain": "[1, 2, 3]"}
    assert run.notebook == "/home/someone/whole.ipynb"


def test_it_is_recorded_once_and_its_workflow_says_so(place: Place, whole: Seen) -> None:
    place.engine.get(whole.name)
    place.engine._recorder.finish(whole.name)
    notes = place.cluster.get(WORKFLOWS, whole.name, place.target.namespace)["metadata"]["annotations"]
    records = RunRecords(place.store)
    assert notes[RECORDED] == place.store.get_manifest("runs/whole", f"run-{whole.name}").descriptor.digest
    record = records.get("whole", whole.name)
    assert (record["phase"], record["metrics"]) == ("Succeeded", {"total": 6.0})
    with records.open("whole", whole.name, "load.log") as stream:
        assert b"hello" in stream.read()
    again = place.engine.get(whole.name)
    assert (dict(again.metrics), len(again.models)) == ({"total": 6.0}, 1)


def test_an_exception_is_told_with_its_cell_and_line(place: Place, broken: Run) -> None:
    run = wait(place.engine, broken.name, seconds=180)
    assert (run.phase, [step.phase for step in run.steps]) == ("Failed", ["Succeeded", "Failed", "Skipped"])
    assert run.failure is not None
    assert (run.failure.step, run.failure.cell, run.failure.line, run.failure.blame) == ("train", 2, 2, "user")
    assert "ZeroDivisionError" in run.failure.message
    assert any("y / (x - 20)" in line for line in run.failure.traceback)
    assert run.executed is not None
    failed = json.loads(Path(run.executed).read_text())["cells"][2]["outputs"]
    assert [output["ename"] for output in failed if output["output_type"] == "error"] == ["ZeroDivisionError"]


def test_another_server_finds_the_runs_and_all_about_them(place: Place, whole: Seen, broken: Run, tmp_path: Path) -> None:
    wait(place.engine, broken.name, seconds=180)
    other = place.again(tmp_path)
    assert [run.name for run in other.list(pipeline="whole")] == [whole.name]
    assert {whole.name, broken.name} <= {run.name for run in other.list()}
    run = other.get(whole.name)
    assert (run.phase, dict(run.metrics), run.notebook) == ("Succeeded", {"total": 6.0}, None)
    assert outputs(run.executed) == 5
    assert texts(other, whole.name) == texts(place.engine, whole.name)


def test_logs_are_there_when_the_pods_are_gone(place: Place, whole: Seen) -> None:
    before = texts(place.engine, whole.name)
    assert [text for _, text in before if text in {"hello", "trained"}] == ["hello", "trained"]
    assert not any("argo=true" in text for _, text in before)
    namespace = place.target.namespace
    selector = f"workflows.argoproj.io/workflow={whole.name}"
    for pod in place.cluster.list(PODS, namespace, labels=selector).items:
        place.cluster.delete(PODS, pod["metadata"]["name"], namespace)
    wait_for(lambda: not place.cluster.list(PODS, namespace, labels=selector).items, "the pods' end")
    assert texts(place.engine, whole.name) == before
    assert texts(place.engine, whole.name, "train") == [line for line in before if line[0] == "train"]


def test_a_run_resumes_another_and_runs_only_what_has_changed(place: Place, broken: Run) -> None:
    wait(place.engine, broken.name, seconds=180)
    document = compiled(place.store, place.target, MENDED, name="broken", resume=broken.name)
    run = place.engine.submit(Submission(document, resume=broken.name))
    assert run.resumed == broken.name
    run = wait(place.engine, run.name, seconds=180)
    assert (run.phase, [step.cached for step in run.steps]) == ("Succeeded", [True, False, False]), run.failure
    with pytest.raises(NotFound):
        place.engine.submit(Submission(document, resume="broken-00000"))


def test_a_run_without_a_workflow_is_still_there_until_it_is_deleted(place: Place, broken: Run, tmp_path: Path) -> None:
    wait(place.engine, broken.name, seconds=180)
    place.engine._recorder.finish(broken.name)
    before = texts(place.engine, broken.name)
    place.cluster.delete(WORKFLOWS, broken.name, place.target.namespace, wait=True)
    other = place.again(tmp_path)
    assert broken.name in {run.name for run in other.list()}
    run = other.get(broken.name)
    assert (run.phase, run.failure.cell if run.failure else None) == ("Failed", 2)
    assert outputs(run.executed) == 3
    assert texts(other, broken.name) == before
    other.control(broken.name, "delete")
    assert [tag for tag in place.store.tags("runs/broken") if broken.name in tag] == []
    with pytest.raises(NotFound):
        other.get(broken.name)


def test_a_step_that_waits_for_a_person_goes_on_when_it_is_approved(place: Place, python_image: str) -> None:
    document = workflow(("ask", ""), ("act", "assert given == 'yes', given"), image=python_image)
    gate = {"suspend": {}, "outputs": {"parameters": [{"name": "state", "valueFrom": {"supplied": {}, "default": "yes"}}]}}
    document["spec"]["templates"][1] = {"name": "ask", **gate}
    document["spec"]["templates"][0]["dag"]["tasks"][0].pop("arguments")
    run = place.engine.submit(Submission(document))
    wait(place.engine, run.name, lambda now: now.steps[0].phase == "Running", seconds=120)
    assert place.engine.control(run.name, "approve").steps[0].phase == "Succeeded"
    with pytest.raises(Conflict):
        place.engine.control(run.name, "approve")
    run = wait(place.engine, run.name, seconds=120)
    assert run.phase == "Succeeded", run.failure
    place.engine.control(run.name, "delete")


def test_nodes_that_argo_has_packed_are_seen(place: Place) -> None:
    document = workflow(("a", ""), ("b", ""), name="packed")
    root = {"id": "packed-1", "name": "packed-1", "displayName": "packed-1", "type": "DAG", "phase": "Succeeded"}
    nodes = {"packed-1": root} | {
        step: {"id": step, "name": f"packed-1.{step}", "displayName": step, "type": "Pod", "phase": "Succeeded"}
        for step in ("a", "b")
    }
    metadata = {**document["metadata"], "name": "packed-1"}
    metadata["labels"] |= {"workflows.argoproj.io/completed": "true", "workflows.argoproj.io/phase": "Succeeded"}
    del metadata["generateName"]
    status = {
        "phase": "Succeeded",
        "startedAt": "2026-01-01T00:00:00Z",
        "finishedAt": "2026-01-01T00:00:01Z",
        "compressedNodes": pack(nodes),
    }
    place.cluster.create(WORKFLOWS, {**document, "metadata": metadata, "status": status}, place.target.namespace)
    assert [step.phase for step in place.engine.get("packed-1").steps] == ["Succeeded", "Succeeded"]
    place.engine.control("packed-1", "delete")


def test_a_field_that_argo_does_not_know_is_refused_before_anything_starts(place: Place, python_image: str) -> None:
    document = workflow(("a", "pass"), name="typo", image=python_image)
    document["spec"]["templates"][1]["container"]["comand"] = ["x"]
    with pytest.raises(Refused) as caught:
        place.engine.submit(Submission(document))
    assert "comand" in f"{caught.value.message} {caught.value.where.field}"
    assert place.engine.list(pipeline="typo") == []


def test_all_runs_reach_one_watch(place: Place, python_image: str) -> None:
    stop, seen = threading.Event(), list[tuple[str, str]]()
    ended = threading.Event()

    def listen() -> None:
        seen.extend((run.name, "Deleted" if gone(run) else run.phase) for run in place.engine.changes(stop))
        ended.set()

    threading.Thread(target=listen, daemon=True).start()
    run = place.engine.submit(Submission(workflow(("a", "pass"), name="watched", image=python_image)))
    wait_for(lambda: any(name == run.name and phase in DONE for name, phase in seen), "the end of the run", 120)
    place.engine.control(run.name, "delete")
    wait_for(lambda: (run.name, "Deleted") in seen, "the run's deletion", 90)
    stop.set()
    assert ended.wait(10)
    own: list[Any] = [phase for name, phase in seen if name == run.name]
    assert own.index("Running") < own.index("Succeeded") < own.index("Deleted")

"""Lists of runs: the newest, in pages, without holding all; the order of lines of steps that ran beside each other."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.cluster.base import PODS, WORKFLOWS
from jupyter_mlops.engine.argo.engine import ArgoEngine
from jupyter_mlops.engine.argo.history import FRESH, History
from jupyter_mlops.engine.argo.listing import newest, selector
from jupyter_mlops.engine.argo.logs import read_pods, sources
from jupyter_mlops.engine.argo.recording import RECORDED
from jupyter_mlops.engine.argo.stage import MANAGED
from jupyter_mlops.engine.base import Failure, Run, StepRun
from jupyter_mlops.engine.decode import SUBMITTED, created_at
from jupyter_mlops.engine.runrecord import run_of_record, run_record
from jupyter_mlops.engine.times import moment, rfc3339
from jupyter_mlops.errors import Unavailable
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.registry.runs import RunRecords
from jupyter_mlops.settings import Settings, Storage, Target
from jupyter_mlops.testing.cluster import FakeCluster
from jupyter_mlops.testing.engine import workflow

SECOND = "2026-01-01T00:00:00Z"
BASE = moment(SECOND) or 0.0


def put(cluster: FakeCluster, name: str, submitted: float, pipeline: str = "p", *, base: float | None = None, **more: Any) -> None:
    """The cluster in memory says itself when an object was made: ``base`` must be about now."""
    base = time.time() if base is None else base
    document = workflow(("a", ""), name=pipeline)
    notes = {**document["metadata"]["annotations"], SUBMITTED: rfc3339(base + submitted), RECORDED: "sha256:1"}
    metadata = {**document["metadata"], "name": name, "annotations": notes}
    cluster.put(WORKFLOWS, {**document, "metadata": metadata, "status": {"phase": "Succeeded"}, **more})


def test_the_newest_are_found_wherever_they_stand_in_the_alphabet() -> None:
    cluster, base = FakeCluster(), time.time()
    for index in range(120):
        put(cluster, f"p-{(index * 77) % 120:03}", submitted=index / 100, base=base)
    found, names = newest(cluster, "ml", MANAGED, 3, None)
    assert [round((created_at(one) or 0) - base, 2) for one in found] == [1.19, 1.18, 1.17]
    assert len(names) == 120
    found, _ = newest(cluster, "ml", MANAGED, 2, base + 0.495)
    assert [round((created_at(one) or 0) - base, 2) for one in found] == [0.49, 0.48]


def test_a_pipelines_runs_are_selected_by_the_server() -> None:
    cluster = FakeCluster()
    put(cluster, "a-1", 1, "a")
    put(cluster, "b-1", 2, "b")
    found, names = newest(cluster, "ml", selector(MANAGED, "a"), 5, None)
    assert ([one["metadata"]["name"] for one in found], names) == (["a-1"], {"a-1"})


def test_a_list_holds_a_page_and_not_all(tmp_path: Path) -> None:
    """200 runs of 40 kB each: what is held at a time is a page of the list and the runs that are shown."""
    cluster = FakeCluster()
    for index in range(200):
        put(cluster, f"p-{index}", index / 200, status={"phase": "Succeeded", "message": "x" * 40_000})
    engine = ArgoEngine(Settings(storage=Storage(home=tmp_path)), cluster, Target("kit", namespace="ml"), Layout(tmp_path / "r"))
    engine.list(limit=20)
    tracemalloc.start()
    for _ in range(5):
        assert len(engine.list(limit=20)) == 20
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 2_000_000


@pytest.mark.parametrize(
    ("created", "noted", "uid", "expected"),
    [
        (SECOND, "2026-01-01T00:00:00.250000Z", "u", BASE + 0.25),
        (SECOND, "2025-12-31T23:59:59.900000Z", "u", BASE - 0.1),
        (SECOND, "2026-01-01T00:00:02.500000Z", "u", BASE + 2.5),
        (SECOND, "2027-01-01T00:00:00.250000Z", "u", BASE + 0.25),
        (SECOND, "nonsense", None, BASE),
        (SECOND, None, None, BASE),
        (None, "2026-01-01T00:00:00.250000Z", "u", None),
        ("2026-01-01T00:00:00.5Z", None, "u", BASE + 0.5),
    ],
)
def test_when_a_run_was_made(created: str | None, noted: str | None, uid: str | None, expected: float | None) -> None:
    metadata = {"creationTimestamp": created, "annotations": {SUBMITTED: noted}, "uid": uid}
    found = created_at({"metadata": metadata})
    assert found == (None if expected is None else pytest.approx(expected, abs=1e-5))


def test_runs_of_others_of_one_second_have_a_definite_order() -> None:
    times = [created_at({"metadata": {"creationTimestamp": SECOND, "uid": f"uid-{index}"}}) for index in range(50)]
    assert len(set(times)) == 50
    assert all(BASE <= (time or 0) < BASE + 1 for time in times)


# -- records -----------------------------------------------------------------------------------------------------------------

WHOLE = Run(
    "p-1", "p", "Failed",
    (
        StepRun("a", "Succeeded", (0, 1), (), 1.0, 2.0, (2, 2), "", cached=True),
        StepRun("b", "Failed", (2,), ("a",), 2.0, 3.0, None, "no", cause=Failure("x", "no", 2, 1, "b", "user", "f", ("t",), ("fact",))),
    ),
    created=1.5, started=1.0, finished=3.0, parameters={"lr": 0.5, "many": [1]}, failure=Failure("x", "no"), models=({"name": "m"},),
    metrics={"acc": 0.5}, source_digest="sha256:1", revision=7, target="kit", resumed="p-0",
)  # fmt: skip


def test_a_record_gives_the_run_again(tmp_path: Path) -> None:
    records = RunRecords(Layout(tmp_path))
    records.put("p", "p-1", {**run_record(WHOLE), "of a later version": 1, "namespace": "ml"}, {})
    assert run_of_record(records.get("p", "p-1")) == WHOLE
    assert run_of_record(run_record(WHOLE), {"kind": "Workflow"}).workflow == {"kind": "Workflow"}


@pytest.mark.parametrize("record", [{}, {"name": "p-1"}, {"steps": 1}, {**run_record(WHOLE), "failure": {"code": "x"}}])
def test_what_is_no_record_is_told(record: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        run_of_record(record)


def test_history_reads_a_record_once_and_survives_a_damaged_one(tmp_path: Path) -> None:
    store = Layout(tmp_path)
    records = RunRecords(store)
    for index in range(5):
        records.put("p", f"p-{index}", {**run_record(WHOLE), "name": f"p-{index}", "created": float(index), "namespace": "ml"}, {})
    records.put("p", "p-broken", {"namespace": "ml", "steps": 1}, {})
    history = History(store, "kit", "ml")
    assert [run.name for run in history.page("p", {"p-4"}, 3, None)] == ["p-3", "p-2", "p-1"]
    assert [run.name for run in history.page(None, set(), 2, 3.0)] == ["p-2", "p-1"]
    assert history.page("other", set(), 3, None) == []


def test_a_registry_that_is_away_hides_no_run_of_the_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history = History(Layout(tmp_path), "kit", "ml")
    asked: list[str] = []

    def away(_self: object, pipeline: str) -> list[str]:
        asked.append(pipeline)
        raise Unavailable("no")

    monkeypatch.setattr(RunRecords, "runs", away)
    assert history.page("p", set(), 3, None) == []
    assert history.page("p", set(), 3, None) == []
    assert asked == ["p"]
    assert FRESH > 0


# -- logs of steps beside each other -----------------------------------------------------------------------------------------


def test_lines_of_steps_that_ran_at_the_same_time_are_merged_by_time() -> None:
    cluster = FakeCluster()
    nodes = {
        f"wf-{step}": {"id": f"wf-{step}", "displayName": step, "type": "Pod", "name": f"wf.{step}"} for step in ("a", "b", "c")
    }
    document = {"metadata": {"name": "wf"}, "status": {"nodes": nodes}}
    times = {"a": ("00:00:01", "00:00:05"), "b": ("00:00:02", "00:00:04"), "c": ("00:00:06", "00:00:07")}
    for step, (start, end) in times.items():
        state = {"exitCode": 0, "containerID": "x", "startedAt": f"2026-01-01T{start}Z", "finishedAt": f"2026-01-01T{end}Z"}
        metadata = {"name": f"pod-{step}", "annotations": {"workflows.argoproj.io/node-id": f"wf-{step}"}}
        cluster.put(
            PODS,
            {"metadata": metadata, "spec": {}, "status": {"containerStatuses": [{"name": "main", "state": {"terminated": state}}]}},
        )
    for step, line in (("a", "1"), ("b", "2"), ("a", "3"), ("b", "4"), ("c", "0")):
        cluster.write_log(f"pod-{step}", "main", line)
    found = sources(document, cluster.list(PODS).items, None)
    assert [source.step for source in found] == ["a", "b", "c"]
    assert [(line.step, line.text) for line in read_pods(cluster, "ml", found)] == [
        ("a", "1"),
        ("b", "2"),
        ("a", "3"),
        ("b", "4"),
        ("c", "0"),
    ]
    assert [source.step for source in sources(document, cluster.list(PODS).items, "b")] == ["b"]

"""Reports of steps: fetched once, never in the way, and not asked for where the registry is away."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.engine.argo.patience import briefly
from jupyter_mlops.engine.argo.reports import Reports, text_lines
from jupyter_mlops.errors import Corrupt, NotFound, Unavailable
from jupyter_mlops.oci.layout import Layout
from tests.unit.engine.argo_playing import push_report


class Counted:
    """A store that counts, waits and fails."""

    def __init__(self, store: Layout) -> None:
        self.store, self.asked, self.error, self.gate = store, 0, None, threading.Event()
        self.gate.set()

    def get_manifest(self, repository: str, reference: str) -> Any:
        self.asked += 1
        self.gate.wait(10)
        if self.error is not None:
            raise self.error
        return self.store.get_manifest(repository, reference)

    @contextmanager
    def open_blob(self, repository: str, digest: str) -> Iterator[Any]:
        with self.store.open_blob(repository, digest) as stream:
            yield stream


@pytest.fixture
def store(tmp_path: Path) -> Counted:
    return Counted(Layout(tmp_path))


@pytest.fixture
def reports(store: Counted) -> Iterator[Reports]:
    made = Reports(store)  # type: ignore[arg-type]
    yield made
    store.gate.set()


PLACES = [("runs/p", "p-1", "a"), ("runs/p", "p-1", "b")]


def test_a_finished_steps_report_is_read_once(store: Counted, reports: Reports) -> None:
    push_report(store.store, "runs/p", "p-1", "a", log="one\ntwo", metrics={"x": 1}, cells={0: [{"output_type": "stream"}]})
    for _ in range(3):
        found = reports.of_finished(PLACES, 10)
        assert {step: report.config["metrics"] for step, report in found.items()} == {"a": {"x": 1}}
    assert store.asked == 2
    assert list(reports.log("runs/p", found["a"])) == ["one", "two"]
    assert reports.outputs("runs/p", found["a"]) == {"0": {"execution_count": 1, "outputs": [{"output_type": "stream"}]}}
    reports.forget("p-1")
    reports.of_finished(PLACES, 10)
    assert store.asked == 4


def test_who_does_not_want_to_wait_gets_what_is_there_and_the_rest_next_time(store: Counted, reports: Reports) -> None:
    push_report(store.store, "runs/p", "p-1", "a")
    store.gate.clear()
    assert reports.of_finished(PLACES, 0.01) == {}
    assert reports.of_finished(PLACES, 0.01) == {}
    store.gate.set()
    assert set(reports.of_finished(PLACES, 10)) == {"a"}
    assert store.asked == 2


@pytest.mark.parametrize("error", [Unavailable("gone"), ConnectionError("reset")])
def test_a_registry_that_does_not_answer_is_left_alone(store: Counted, reports: Reports, error: Exception) -> None:
    push_report(store.store, "runs/p", "p-1", "a")
    store.error = error
    assert reports.of_finished(PLACES[:1], 10) == {}
    assert reports.away
    assert reports.of_finished(PLACES[:1], 10) == {}
    assert reports.now("runs/p", "report.p-1.a") is None
    assert store.asked == 1
    store.error = None
    reports._away_until = 0.0
    assert set(reports.of_finished(PLACES[:1], 10)) == {"a"}


def test_a_damaged_report_is_none_and_keeps_no_other_away(store: Counted, reports: Reports) -> None:
    store.error = Corrupt("other bytes")
    assert reports.of_finished(PLACES, 10) == {}
    assert not reports.away
    assert reports.now("runs/p", "report.p-1.a") is None
    store.error = NotFound("none")
    assert reports.now("runs/p", "report.p-1.a") is None


@pytest.mark.parametrize(
    ("data", "lines"),
    [(b"", []), (b"a", ["a"]), (b"a\n", ["a"]), (b"a\r\nb\n\nc", ["a", "b", "", "c"]), (b"\xff\n", ["\ufffd"])],
)
def test_lines_of_a_log(data: bytes, lines: list[str]) -> None:
    assert list(text_lines(io.BytesIO(data))) == lines


def test_work_is_waited_for_only_so_long() -> None:
    gate = threading.Event()
    assert briefly(lambda: 1, 10, lambda: 2) == 1
    assert briefly(lambda: gate.wait(10), 0.01, lambda: False) is False
    gate.set()
    with pytest.raises(Unavailable):
        briefly(lambda: (_ for _ in ()).throw(Unavailable("no")), 10, lambda: None)

"""A check in a process of its own: found again, one at a time, stopped, and told when its process is gone."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat  # noqa: TID253  (a test may take its time)
import pytest

from jupyter_mlops.check.jobs import Job, every, get, name_of, start, stop
from jupyter_mlops.errors import Conflict, NotFound, Refused, WrongUsage
from jupyter_mlops.flow import Workbench
from jupyter_mlops.settings import Settings

PATIENCE = 120.0
"""Seconds after which something that has to happen is not waited for any longer."""


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    base = Settings()
    return Workbench(replace(base, storage=replace(base.storage, home=tmp_path / "home")))


@pytest.fixture
def book(tmp_path: Path) -> Callable[..., Path]:
    def write(*sources: str, name: str = "a.ipynb") -> Path:
        path = tmp_path / "books" / name
        path.parent.mkdir(exist_ok=True)
        cells = [nbformat.v4.new_code_cell(source, id=f"c{index}") for index, source in enumerate(sources)]
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)
        return path

    return write


def awaited(bench: Workbench, name: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The check, once something holds of it."""
    until = time.monotonic() + PATIENCE
    while not holds(found := get(bench, name)):
        assert time.monotonic() < until, found
        time.sleep(0.05)
    return found


def over(found: dict[str, Any]) -> bool:
    return bool(found["phase"] != "Running")


@pytest.mark.slow
def test_what_a_check_found_is_kept_until_the_next_one(bench: Workbench, book: Callable[..., Path]) -> None:
    path = book("# %% one\nx = 1", "print(x)")
    begun = start(bench, path)
    assert begun["name"] == name_of(path)
    found = awaited(bench, begun["name"], over)
    assert found["phase"] == "Succeeded", found
    assert found["verdict"]["outcome"] == "equal"
    assert found["verdict"]["equal"]["outputs"] == 1
    assert found["error"] is None
    assert found["finished"] >= found["started"]
    assert found["source_digest"].startswith("sha256:")
    assert "deliveries" not in found["verdict"]
    assert every(bench) == [found]
    assert not bench.settings.storage.runs.exists() or not any(bench.settings.storage.runs.iterdir())


@pytest.mark.slow
def test_one_at_a_time_and_stopped_when_asked(bench: Workbench, book: Callable[..., Path], tmp_path: Path) -> None:
    began = tmp_path / "began"
    path = book(f"import pathlib, time\npathlib.Path({str(began)!r}).touch()\ntime.sleep(600)")
    name = start(bench, path)["name"]
    with pytest.raises(Conflict) as refused:
        start(bench, path)
    assert refused.value.code == "check-goes-on"
    assert "cell 0 (1 of 1)" in awaited(bench, name, lambda found: bool(found["progress"]))["progress"]
    awaited(bench, name, lambda _: began.exists())
    stop(bench, name)
    found = awaited(bench, name, over)
    assert (found["phase"], found["verdict"], found["error"]) == ("Stopped", None, None)
    assert stop(bench, name) == found


@pytest.mark.parametrize(("asked", "phase"), [(False, "Failed"), (True, "Stopped")])
def test_a_process_that_is_gone_is_told(bench: Workbench, book: Callable[..., Path], asked: bool, phase: str) -> None:
    name = start(bench, book("import time\ntime.sleep(600)"))["name"]
    job = Job(bench.settings.storage.checks / name)
    os.kill(int((job.folder / "pid").read_text()), signal.SIGKILL)
    if asked:
        job.asked.touch()
    found = awaited(bench, name, over)
    assert found["phase"] == phase
    assert (found["error"] or {}).get("code") == (None if asked else "check-lost")


@pytest.mark.parametrize(("sources", "parameters", "error"), [(["b = = 2"], {}, Refused), (["x = 1"], {"nobody": 1}, WrongUsage)])
def test_what_cannot_be_checked_is_said_at_once_and_leaves_nothing(
    bench: Workbench, book: Callable[..., Path], sources: list[str], parameters: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        start(bench, book(*sources), parameters)
    assert every(bench) == []


def test_what_the_process_raises_is_the_error_of_the_check(bench: Workbench, book: Callable[..., Path]) -> None:
    found = awaited(bench, start(bench, book("x = 1"), kernel="no-such-kernel")["name"], over)
    assert found["phase"] == "Failed"
    assert "no-such-kernel" in found["error"]["message"]


def test_a_check_that_never_was_is_not_found(bench: Workbench) -> None:
    assert every(bench) == []
    for call in (get, stop):
        with pytest.raises(NotFound):
            call(bench, "check-0")

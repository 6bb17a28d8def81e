"""Steps tried before their turn, in real runs: what comes of them, what people see, and what is left when they were wrong."""

from __future__ import annotations

import json
import os
import signal
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jupyter_mlops.engine.local.identity import alive
from jupyter_mlops.engine.local.machine import Machine
from jupyter_mlops.flow import Workbench
from jupyter_mlops.registry.runs import run_repository
from jupyter_mlops.testing.engine import phases, wait
from tests.unit.notebook_building import document

if TYPE_CHECKING:
    from jupyter_mlops.engine.base import Run
    from tests.unit.engine.conftest import Lab

HOLD = "from time import sleep\nfrom os.path import exists\nwhile not exists({0!r}):\n    sleep(0.02)\n"
"""A step that lasts until the test lets it go on."""

pytestmark = pytest.mark.skipif(Machine().processors < 2, reason="an attempt needs a processor of its own")


class Book:
    """A notebook of named steps, run with attempts from the first moment on."""

    def __init__(self, lab: Lab, tmp_path: Path, steps: dict[str, str], *, after: float = 0.0) -> None:
        self.lab = lab
        lab.settings = replace(lab.settings, steps=replace(lab.settings.steps, early_after=after))
        lab.engine = lab.another()
        self.bench = Workbench(lab.settings)
        self.gate = tmp_path / "gate"
        self.path = lab.project / "nb.ipynb"
        hold = HOLD.format(str(self.gate))
        cells = [(source.replace("HOLD\n", hold), {"tags": [f"step:{step}"]}) for step, source in steps.items()]
        self.path.write_text(json.dumps(document(*cells)))

    def start(self, **parameters: Any) -> Run:
        return self.bench.run(self.path, parameters)

    def tried(self, run: Run, step: str) -> None:
        """Wait until the attempt of a step has ended."""
        report = self.lab.folder(run).path / "early" / step / "mlops" / "out" / "report.json"
        self.lab.until(lambda: report.exists() and json.loads(report.read_text())["phase"] != "running")

    def end(self, run: Run) -> Run:
        self.gate.touch()
        return wait(self.lab.engine, run.name)

    def texts(self, run: Run) -> list[str]:
        assert run.executed is not None
        cells = json.loads(Path(run.executed).read_text())["cells"]
        return ["".join("".join(x.get("text", "")) for x in cell["outputs"]) for cell in cells]

    def counts(self, run: Run) -> list[int]:
        return [cell["execution_count"] for cell in json.loads(Path(str(run.executed)).read_text())["cells"]]

    def tags(self, run: Run) -> list[str]:
        return sorted(tag for tag in self.bench.store.tags(run_repository(run.pipeline)) if run.name in tag)


def messages(run: Run) -> dict[str, str]:
    return {step.name: step.message for step in run.steps if step.message}


DIAMOND = {
    "load": "x = [3, 1, 2]",
    "fit": "HOLD\na = sum(x)\nprint('fit', a)",
    "plot": "b = max(x)\nprint('plot', b)",
    "show": "print(a, b, len(get_ipython().history_manager.input_hist_raw))",
}


@pytest.mark.slow
def test_an_attempt_that_met_nothing_is_the_step(lab: Lab, tmp_path: Path) -> None:
    book = Book(lab, tmp_path, DIAMOND)
    run = book.start()
    book.tried(run, "plot")
    now = lab.engine.get(run.name)
    assert phases(now) == {"load": "Succeeded", "fit": "Running", "plot": "Pending", "show": "Pending"}
    assert "plot" not in lab.text(run)
    assert f"report.{run.name}.plot" not in book.tags(run)
    done = book.end(run)
    assert set(phases(done).values()) == {"Succeeded"}, done.failure
    assert messages(done) == {"plot": "ran beside fit, verified"}
    assert book.texts(done) == ["", "fit 6\n", "plot 3\n", "6 3 5\n"]
    assert book.counts(done) == [1, 2, 3, 4]
    assert "plot 3" in lab.text(run)
    assert book.tags(done) == sorted(
        [f"run-{run.name}", *(f"{kind}.{run.name}.{step}" for kind in ("report", "state") for step in DIAMOND)]
    )
    lab.until(lambda: not any((lab.folder(run).path / name).exists() for name in ("early", "branches", "pods", "work")))
    taken = wait(lab.engine, book.bench.resume(done.name).name)
    assert [step.cached for step in taken.steps] == [True] * 4
    assert book.texts(taken) == book.texts(done)


MET = {
    "a draw in both": ("HOLD\na = random.random()", "b = random.random()", "ran again in order: fit changed the process (random)"),
    "the environment": (
        "HOLD\nos.environ['LEVEL'] = '7'", "b = os.environ.get('LEVEL')", "ran again in order: fit changed the process (environ)",
    ),
    "a value that both change, which no source shows": (
        "HOLD\nfor one in held:\n    one.append(len(one))", "b = keep.append(x[-1:]) or keep", "ran again in order: fit changed ",
    ),
    "the folder's path": ("HOLD\na = x[0]", "b = os.getcwd()", "ran again in order: what it left names its working folder"),
    "a failure that the step before prevents": ("HOLD\nos.environ['LEVEL'] = '7'", "b = int(os.environ.get('LEVEL', 'x'))", ""),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("fit", "plot", "message"), MET.values(), ids=MET)
def test_an_attempt_that_met_something_is_run_again_in_order(lab: Lab, tmp_path: Path, fit: str, plot: str, message: str) -> None:
    load = "import os, random\nrandom.seed(3)\nx = [1]\nheld = []\nheld += [x]\nkeep = []"
    show = "import os.path\nprint(b, random.random(), os.path.isdir(str(b)))"
    book = Book(lab, tmp_path, {"load": load, "fit": fit, "plot": plot, "show": show})
    run = book.start()
    book.tried(run, "plot")
    done = book.end(run)
    assert set(phases(done).values()) == {"Succeeded"}, done.failure
    assert messages(done).get("plot", "").startswith(message)
    assert bool(messages(done)) == bool(message)
    space: dict[str, Any] = {}
    exec("\n".join((load, fit.replace("HOLD\n", ""), plot)), space)
    expected = str(space["b"]) if "getcwd" not in plot else str(lab.folder(run).work)
    assert book.texts(done)[3].startswith(expected)
    assert book.texts(done)[3].split()[-2:] == [str(space["random"].random()), str("getcwd" in plot)]
    assert not [tag for tag in book.tags(done) if tag.endswith(".early")]
    os.environ.pop("LEVEL", None)


OUTSIDE = {
    "a file is written": ("HOLD\nopen('made.txt', 'w').write('1')", "b = 2"),
    "the later one writes": ("HOLD\na = 1", "open('made.txt', 'w').write('1')"),
    "a shell": ("HOLD\na = 1", "!true"),
    "a model is registered": ("HOLD\na = 1", "log_metrics(score=1.0)"),
    "it needs the step": ("HOLD\na = 1", "b = a"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("fit", "plot"), OUTSIDE.values(), ids=OUTSIDE)
def test_what_acts_outside_is_never_tried_nor_anything_beside_it(lab: Lab, tmp_path: Path, fit: str, plot: str) -> None:
    book = Book(lab, tmp_path, {"load": "from jupyter_mlops import log_metrics", "fit": fit, "plot": plot})
    run = book.start()
    wait(lab.engine, run.name, lambda now: phases(now)["fit"] == "Running")
    done = book.end(run)
    assert set(phases(done).values()) == {"Succeeded"}, done.failure
    assert messages(done) == {}
    assert not [line for line in lab.text(run).splitlines() if "early" in line]


@pytest.mark.slow
def test_nothing_is_tried_beside_a_step_that_takes_no_time_nor_where_it_is_switched_off(lab: Lab, tmp_path: Path) -> None:
    for after in (1000.0, -1.0):
        book = Book(lab, tmp_path, DIAMOND, after=after)
        run = book.start()
        wait(lab.engine, run.name, lambda now: phases(now)["fit"] == "Running")
        assert not (lab.folder(run).path / "early").exists()
        assert messages(book.end(run)) == {}
        book.gate.unlink()


FAILING = {**DIAMOND, "fit": "HOLD\na = sum(x)\nraise ValueError('no')"}


@pytest.mark.slow
def test_what_was_tried_beside_a_step_that_fails_is_nothing(lab: Lab, tmp_path: Path) -> None:
    book = Book(lab, tmp_path, FAILING)
    run = book.start()
    book.tried(run, "plot")
    done = book.end(run)
    assert phases(done) == {"load": "Succeeded", "fit": "Failed", "plot": "Skipped", "show": "Skipped"}
    assert (done.failure and done.failure.step, book.texts(done)[2]) == ("fit", "")
    assert not [tag for tag in book.tags(done) if "plot" in tag]
    book.path.write_text(book.path.read_text().replace("raise ValueError('no')", "print('fit', a)"))
    again = wait(lab.engine, book.bench.resume(done.name).name)
    assert phases(again) == dict.fromkeys(DIAMOND, "Succeeded"), again.failure
    assert book.texts(again)[3] == "6 3 5\n"


@pytest.mark.slow
def test_a_stop_ends_attempts_too(lab: Lab, tmp_path: Path) -> None:
    book = Book(lab, tmp_path, {**DIAMOND, "plot": DIAMOND["plot"] + "\nHOLD\n"})
    run = book.start()
    lab.until((lab.folder(run).path / "early" / "plot" / "process.json").exists)
    done = lab.engine.control(run.name, "stop")
    assert (done.phase, phases(done)["plot"]) == ("Stopped", "Skipped")
    lab.until(lambda: not lab.left_of(run))
    lab.until(lambda: not (lab.folder(run).path / "early").exists())


@pytest.mark.slow
def test_an_attempt_of_a_run_that_is_paused_waits(lab: Lab, tmp_path: Path) -> None:
    book = Book(lab, tmp_path, DIAMOND)
    run = book.start()
    book.tried(run, "plot")
    lab.engine.control(run.name, "pause")
    book.gate.touch()
    wait(lab.engine, run.name, lambda now: phases(now)["fit"] == "Succeeded")
    assert phases(lab.engine.get(run.name))["plot"] == "Pending"
    lab.engine.control(run.name, "unpause")
    done = wait(lab.engine, run.name)
    assert (done.phase, messages(done)) == ("Succeeded", {"plot": "ran beside fit, verified"})


@pytest.mark.slow
def test_a_run_that_lost_its_supervisor_shows_nothing_of_an_attempt(lab: Lab, tmp_path: Path) -> None:
    book = Book(lab, tmp_path, {**DIAMOND, "plot": DIAMOND["plot"] + "\nHOLD\n"})
    run = book.start()
    lab.until((lab.folder(run).path / "early" / "plot" / "process.json").exists)
    supervisor = lab.supervisor(run)
    os.kill(int(str(supervisor["pid"])), signal.SIGKILL)
    lab.until(lambda: not alive(supervisor))
    done = wait(lab.engine, run.name)
    assert (done.phase, done.failure and done.failure.code) == ("Error", "interrupted")
    assert phases(done)["plot"] == "Skipped"
    lab.until(lambda: not lab.left_of(run))
    again = book.bench.resume(done.name)
    finished = book.end(again)
    assert finished.phase == "Succeeded", finished.failure


def pid_of(pod: Path) -> int | None:
    """Of a pod's process; between two tries there is none."""
    with suppress(FileNotFoundError):
        return int(json.loads((pod / "process.json").read_text())["pid"])
    return None


@pytest.mark.slow
def test_an_attempt_is_good_for_whichever_try_of_the_step_before_ends_well(lab: Lab, tmp_path: Path) -> None:
    book = Book(lab, tmp_path, DIAMOND)
    cells = json.loads(book.path.read_text())
    cells["cells"][1]["metadata"]["mlops"] = {"retries": 2}
    cells["cells"][2]["metadata"]["mlops"] = {"retries": 1}
    book.path.write_text(json.dumps(cells))
    run = book.start()
    book.tried(run, "plot")
    first = json.loads((lab.folder(run).pod("fit") / "process.json").read_text())
    os.kill(first["pid"], signal.SIGKILL)
    lab.until(lambda: pid_of(lab.folder(run).pod("fit")) not in {None, first["pid"]})
    done = book.end(run)
    assert done.phase == "Succeeded", done.failure
    assert (messages(done), book.texts(done)[3]) == ({"plot": "ran beside fit, verified"}, "6 3 5\n")


@pytest.mark.slow
def test_what_met_once_is_not_tried_again_nor_is_what_a_person_pinned(lab: Lab, tmp_path: Path) -> None:
    steps = {
        "load": "import random\nx = [1]",
        "fit": "HOLD\na = random.random()",
        "plot": "b = random.random()",
        "show": "print(x)",
    }
    book = Book(lab, tmp_path, steps)
    run = book.start()
    book.tried(run, "plot")
    assert messages(book.end(run))["plot"] == "ran again in order: fit changed the process (random)"
    pinned = Book(lab, tmp_path, DIAMOND)
    cells = json.loads(pinned.path.read_text())
    cells["cells"][2]["metadata"]["tags"].append("prev:fit")
    for notebook in (Book(lab, tmp_path, steps).path.read_text(), json.dumps(cells)):
        book.gate.unlink(missing_ok=True)
        book.path.write_text(notebook)
        again = book.start()
        wait(lab.engine, again.name, lambda now: phases(now)["fit"] == "Running")
        done = book.end(again)
        assert "plot" not in messages(done)
        assert not [tag for tag in book.tags(done) if tag.endswith(".early")]

"""A paused run finishes what runs and starts nothing more, until it may go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from jupyter_mlops.engine.base import Run
from jupyter_mlops.errors import Conflict, WrongUsage
from jupyter_mlops.testing.engine import phases, wait

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.engine.conftest import Lab


def held(lab: Lab, gate: Path) -> Run:
    """A run of two steps whose first waits for a file."""
    source = f"say(event='cell', phase='started', cell=0, k=1, n=1)\nwhile not os.path.exists({str(gate)!r}):\n    time.sleep(0.02)"
    run = lab.submit(("a", source), ("b", "pass"))
    return wait(lab.engine, run.name, lambda now: now.steps[0].phase == "Running")


def test_nothing_starts_while_it_is_paused(lab: Lab, tmp_path: Path) -> None:
    run = held(lab, tmp_path / "gate")
    paused = lab.engine.control(run.name, "pause")
    assert (paused.paused, paused.phase) == (True, "Running")
    (tmp_path / "gate").touch()
    still = wait(lab.engine, run.name, lambda now: now.steps[0].phase == "Succeeded")
    assert (still.phase, still.paused, phases(still)) == ("Running", True, {"a": "Succeeded", "b": "Pending"})
    assert lab.another().get(run.name).paused
    assert not lab.engine.control(run.name, "unpause").paused
    done = wait(lab.engine, run.name)
    assert (done.phase, done.paused) == ("Succeeded", False)
    assert "suspend" not in done.workflow["spec"]


def test_doing_it_twice_is_no_error(lab: Lab, tmp_path: Path) -> None:
    run = held(lab, tmp_path / "gate")
    assert lab.engine.control(run.name, "pause").paused
    assert lab.engine.control(run.name, "pause").paused
    assert not lab.engine.control(run.name, "unpause").paused
    assert not lab.engine.control(run.name, "unpause").paused
    (tmp_path / "gate").touch()
    wait(lab.engine, run.name)


@pytest.mark.slow
def test_a_paused_run_can_be_stopped_and_deleted(lab: Lab, tmp_path: Path) -> None:
    run = held(lab, tmp_path / "gate")
    lab.engine.control(run.name, "pause")
    assert lab.engine.control(run.name, "stop").phase == "Stopped"
    other = held(lab, tmp_path / "gate")
    lab.engine.control(other.name, "pause")
    lab.engine.control(other.name, "delete")
    assert [one.name for one in lab.engine.list()] == [run.name]


@pytest.mark.parametrize("verb", ["pause", "unpause", "approve"])
def test_what_is_over_cannot_be_paused(lab: Lab, verb: Any) -> None:
    run = lab.run(("a", "pass"))
    with pytest.raises(Conflict, match="is over") as caught:
        lab.engine.control(run.name, verb)
    assert caught.value.code == "run-over"


def test_nothing_here_waits_for_an_approval(lab: Lab, tmp_path: Path) -> None:
    run = held(lab, tmp_path / "gate")
    with pytest.raises(Conflict) as caught:
        lab.engine.control(run.name, "approve")
    assert caught.value.code == "nothing-waits"
    (tmp_path / "gate").touch()
    wait(lab.engine, run.name)


def test_an_unknown_verb_names_those_that_there_are(lab: Lab) -> None:
    with pytest.raises(WrongUsage) as caught:
        lab.engine.control(lab.run(("a", "pass")).name, "dance")  # type: ignore[arg-type]
    assert "unpause" in caught.value.fix

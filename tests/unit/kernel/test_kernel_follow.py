"""Following a run: every end is seen, none is invented, and nobody waits for ever."""

from __future__ import annotations

import threading

import pytest

from jupyter_mlops.engine.base import LogLine
from jupyter_mlops.errors import NotFound, Unavailable
from jupyter_mlops.kernel.follow import TAIL, follow
from tests.unit.kernel.kernel_story import ScriptedEngine, a_run

LINES = [LogLine("load", f"line {n}\n") for n in range(TAIL + 5)] + [
    LogLine("load", '@mlops {"event": "cell"}', event={"event": "cell"})
]


def followed(engine, **options):
    shown = []
    last = follow(engine, engine.story[0], lambda run, tail: shown.append((run.phase, tuple(tail))), every=0.0, **options)
    return last, shown


def test_the_last_picture_is_shown_with_the_end_of_the_log():
    last, shown = followed(ScriptedEngine([a_run("Pending"), a_run("Running"), a_run("Succeeded")], LINES))
    assert last.phase == "Succeeded"
    assert shown[-1] == ("Succeeded", tuple(f"line {n}" for n in range(5, TAIL + 5)))
    assert len(shown[-1][1]) == TAIL


def test_a_run_that_is_done_already():
    done = a_run("Failed")
    last, shown = followed(ScriptedEngine([done]))
    assert last is done
    assert {phase for phase, _ in shown} == {"Failed"}


@pytest.mark.parametrize("error", [Unavailable("the engine does not answer"), ValueError("a bug")])
def test_what_watch_raises_comes_out(error):
    with pytest.raises(type(error), match=str(error)):
        followed(ScriptedEngine([a_run()], error=error))


def test_a_log_that_is_gone_hides_nothing_else():
    last, shown = followed(ScriptedEngine([a_run(), a_run("Succeeded")], log_error=NotFound("no log")))
    assert (last.phase, shown[-1]) == ("Succeeded", ("Succeeded", ()))


def test_leaving_early_leaves_the_run_alone():
    left, go = threading.Event(), threading.Event()
    engine = ScriptedEngine([a_run(), a_run("Succeeded")], hold=go)
    try:
        last = follow(engine, a_run(), lambda *_: left.set(), every=0.0, left=left)
        assert last.phase == "Running"
        assert engine.controlled == []
    finally:
        go.set()


def test_a_display_that_fails_ends_the_watching():
    def broken(*_):
        raise RuntimeError("the front end is gone")

    with pytest.raises(RuntimeError, match="front end is gone"):
        follow(ScriptedEngine([a_run("Succeeded")]), a_run(), broken, every=0.0)

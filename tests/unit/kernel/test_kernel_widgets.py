"""The live view: with controls, without them, stopped, failed, closed."""

from __future__ import annotations

import sys
import threading

import pytest

from jupyter_mlops.engine.base import LogLine
from jupyter_mlops.errors import NotFound, Unavailable
from jupyter_mlops.kernel.widgets import Controls, Plain, RunView, progress
from tests.unit.kernel.kernel_story import FAILURE, ScriptedEngine, a_run


class Bench:
    """The one room of a workbench that the view uses."""

    def __init__(self, engine: ScriptedEngine) -> None:
        self.engine = engine


def test_controls_follow_the_run():
    view = RunView(a_run(), Bench(ScriptedEngine([a_run(), a_run("Succeeded")], [LogLine("train", "epoch <3>\n")])))
    controls = view._surface
    assert isinstance(controls, Controls)
    assert view.wait(timeout=20).phase == "Succeeded"
    assert "Succeeded" in controls._steps.value
    assert (controls._bar.value, controls._bar.max, controls._bar.bar_style) == (5, 5, "success")
    assert "epoch &lt;3&gt;" in controls._log.value
    assert controls._button.layout.display == "none"


def test_a_failed_run_is_shown_as_one():
    view = RunView(a_run(), Bench(ScriptedEngine([a_run("Failed", failure=FAILURE)])))
    view.wait(timeout=20)
    assert "ZeroDivisionError" in view._surface._steps.value
    assert view._surface._bar.bar_style == "danger"


def test_a_name_is_looked_up():
    engine = ScriptedEngine([a_run("Succeeded")])
    assert RunView("churn-x7k2q", Bench(engine)).wait(20).phase == "Succeeded"
    with pytest.raises(NotFound):
        RunView("nobody", Bench(engine))


def test_the_button_stops_the_run_and_the_view_sees_it():
    go = threading.Event()
    engine = ScriptedEngine([a_run(), a_run("Stopped")], hold=go)
    stopped = threading.Event()
    original = engine.control

    def control(name, verb):
        go.set()
        stopped.set()
        return original(name, verb)

    engine.control = control
    view = RunView(a_run(), Bench(engine))
    view._surface._button.click()
    assert stopped.wait(20)
    assert view.wait(20).phase == "Stopped"
    assert ("churn-x7k2q", "stop") in engine.controlled
    assert view._surface._button.disabled


def test_a_stop_that_fails_can_be_tried_again():
    go = threading.Event()
    engine = ScriptedEngine([a_run(), a_run("Succeeded")], hold=go)
    tried = threading.Event()

    def control(name, verb):
        raise Unavailable("the engine <does> not answer")

    engine.control = control
    view = RunView(a_run(), Bench(engine))
    button = view._surface._button
    button.observe(lambda change: tried.set() if change["new"] == "Stop" else None, "description")
    button.click()
    assert tried.wait(20)
    assert not button.disabled
    assert "&lt;does&gt;" in view._surface._trouble.value
    go.set()
    view.wait(20)


def test_an_engine_that_fails_is_said_in_the_view():
    view = RunView(a_run(), Bench(ScriptedEngine([a_run()], error=Unavailable("the disk is gone"))))
    view.wait(20)
    assert "the disk is gone" in view._surface._trouble.value


def test_closing_ends_the_thread_and_leaves_the_run():
    go = threading.Event()
    engine = ScriptedEngine([a_run(), a_run("Succeeded")], hold=go)
    view = RunView(a_run(), Bench(engine))
    view.close()
    assert not view._thread.is_alive()
    assert engine.controlled == []
    go.set()


def test_without_ipywidgets_it_is_a_plain_output(monkeypatch, shell, capsys):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    go = threading.Event()
    view = RunView(a_run(), Bench(ScriptedEngine([a_run(), a_run("Succeeded")], hold=go)))
    assert isinstance(view._surface, Plain)
    view._ipython_display_()
    assert "Running: churn-x7k2q" in capsys.readouterr().out
    go.set()
    view.wait(20)
    assert "Succeeded: churn-x7k2q" in capsys.readouterr().out
    assert "Succeeded: churn-x7k2q" in repr(view)


def test_the_bundle_has_words_beside_the_controls(shell):
    from IPython.utils.capture import capture_output

    view = RunView(a_run(), Bench(ScriptedEngine([a_run("Succeeded")])))
    view.wait(20)
    with capture_output() as seen:
        view._ipython_display_()
    data = seen.outputs[0].data
    assert "application/vnd.jupyter.widget-view+json" in data
    assert "Succeeded: churn-x7k2q" in data["text/plain"]
    assert "<table" in data["text/html"]


@pytest.mark.parametrize(("phase", "expected"), [("Running", (3, 5)), ("Succeeded", (5, 5)), ("Failed", (3, 5))])
def test_progress_counts_cells(phase, expected):
    assert progress(a_run(phase)) == expected

"""What a terminal shows of a run, and what a log file does."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from jupyter_mlops.cli.console import Console
from jupyter_mlops.cli.progress import Live, Plain, show_progress
from jupyter_mlops.engine.base import LogLine, Run, StepRun
from jupyter_mlops.errors import NotFound, PlatformError


class Terminal(io.StringIO):
    """Standard error of a terminal."""

    def isatty(self) -> bool:
        return True


def run(*steps: StepRun, phase: Any = "Running") -> Run:
    return Run("churn-1", "churn", phase, steps, 0.0, started=0.0)


def step(name: str, phase: Any = "Pending", **more: Any) -> StepRun:
    return StepRun(name, phase, **more)


def screen(painted: str) -> list[str]:
    """What is left on a screen after cursor movements."""
    lines: list[str] = [""]
    row = 0
    for part in re.findall(r"\x1b\[\d*[A-Za-z]|\x1b\[[0-9;]*m|\r|\n|[^\x1b\r\n]+", painted):
        if part == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif up := re.fullmatch(r"\x1b\[(\d+)A", part):
            row -= int(up.group(1))
            assert row >= 0, "painted above its own lines"
        elif part == "\x1b[J":
            del lines[row:]
            lines.append("")
        elif not part.startswith("\x1b") and part != "\r":
            lines[row] = part
    return lines[: len(lines) - 1] if lines[-1] == "" else lines


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("LINES", "12")
    return Terminal()


def test_each_paint_replaces_the_one_before(terminal: Terminal) -> None:
    live = Live(Console(io.StringIO(), terminal), clock=lambda: 5.0)
    live.show(run(step("load", "Running", started=1.0, progress=(1, 4)), step("train")))
    live.log(LogLine("load", "reading \x1b[2Jrows"))
    live.log(LogLine("load", "", event={"event": "cell"}))
    live.tick()
    shown = screen(terminal.getvalue())
    assert shown[0].startswith("▸ load")
    assert "1/4" in shown[0]
    assert "4.0 s" in shown[0]
    assert shown[1] == "· train"
    assert shown[2] == "load │ reading rows"
    assert len(shown) == 3
    live.show(
        run(
            step("load", "Succeeded", started=1.0, finished=3.0), step("train", "Failed", started=3.0, finished=4.0), phase="Failed"
        )
    )
    assert screen(terminal.getvalue()) == ["✓ load   2.0 s", "✗ train  1.0 s"]


def test_more_steps_than_lines_stay_on_the_screen(terminal: Terminal) -> None:
    live = Live(Console(io.StringIO(), terminal))
    for now in range(40):
        phases = ["Succeeded"] * now + ["Running"] + ["Pending"] * (39 - now)
        live.show(run(*(step(f"s{index}", phase) for index, phase in enumerate(phases))))
        shown = screen(terminal.getvalue())
        assert len(shown) <= 11
        assert any(line.startswith(f"▸ s{now}") for line in shown)


def test_a_long_line_of_the_log_does_not_wrap(terminal: Terminal) -> None:
    live = Live(Console(io.StringIO(), terminal))
    live.show(run(step("load", "Running")))
    live.log(LogLine("load", "x" * 500))
    live.tick()
    assert max(map(len, screen(terminal.getvalue()))) < 60


def test_plain_lines_tell_each_change_once() -> None:
    err = io.StringIO()
    plain = Plain(Console(io.StringIO(), err))
    for state in (step("load"), step("load", "Running", started=1.0), step("load", "Running", started=1.0, progress=(1, 2))):
        plain.show(run(state))
    plain.show(run(step("load", "Succeeded", started=1.0, finished=2.5)))
    plain.show(run(step("load", "Succeeded", started=1.0, finished=2.5)))
    plain.show(run(replace(step("plot", "Succeeded", started=1.0, finished=2.0), message="ran beside fit, verified")))
    assert err.getvalue().splitlines() == [
        "step load: Running",
        "step load: Succeeded in 1.5 s",
        "step plot: Succeeded in 1.0 s (ran beside fit, verified)",
    ]
    assert "\x1b" not in err.getvalue()


class Breaks:
    """An engine whose disk is lost while somebody watches: a failure that cannot be made here."""

    def watch(self, name: str) -> Iterator[Run]:
        yield run(step("load", "Running"))
        raise PlatformError("the disk is gone", fix="Bring it back.")

    def logs(self, name: str, **_: Any) -> Iterator[LogLine]:
        return iter(())


class Deleted(Breaks):
    """An engine of a cluster on which somebody deletes the run that is watched."""

    def watch(self, name: str) -> Iterator[Run]:
        yield run(step("load", "Running"))

    def get(self, name: str) -> Run:
        raise NotFound(f"there is no run {name}")


def test_a_run_that_is_deleted_while_it_is_watched_ends_the_waiting(terminal: Terminal) -> None:
    engine: Any = Deleted()
    with pytest.raises(NotFound, match="there is no run"):
        show_progress(engine, run(), Console(io.StringIO(), terminal))


def test_what_the_engine_raises_while_watching_reaches_who_waits(terminal: Terminal) -> None:
    engine: Any = Breaks()
    with pytest.raises(PlatformError, match="the disk is gone"):
        show_progress(engine, run(), Console(io.StringIO(), terminal))

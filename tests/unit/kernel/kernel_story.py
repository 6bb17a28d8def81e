"""Runs, and an engine whose story is written down by the test."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from jupyter_mlops.engine.base import DONE, Failure, LogLine, Run, StepRun
from jupyter_mlops.errors import NotFound


def a_run(phase: str = "Running", **changes: object) -> Run:
    """A run of two steps, five cells."""
    ended = phase in DONE
    steps = (
        StepRun("load", "Succeeded", (1, 2), (), 100.0, 101.5, (2, 2)),
        StepRun("train", phase, (3, 4, 6), ("load",), 101.5, 109.0 if ended else None, (3, 3) if phase == "Succeeded" else (1, 3)),
    )
    made = Run("churn-x7k2q", "churn", phase, steps, created=99.0, started=100.0, finished=109.0 if ended else None)
    return replace(made, **changes)


FAILURE = Failure(
    "step-failed",
    "ZeroDivisionError: division by zero",
    4,
    2,
    "train",
    fix="Change the cell and run again.",
    traceback=("Traceback", "  1/0"),
)


@dataclass
class ScriptedEngine:
    """An engine that tells a story: the pictures of one run, the lines of its log, then an error if there is one."""

    story: Sequence[Run]
    lines: Sequence[LogLine] = ()
    error: BaseException | None = None
    log_error: BaseException | None = None
    hold: threading.Event | None = None
    """Where set, the story waits before its last picture."""

    controlled: list[tuple[str, str]] = field(default_factory=list)

    def submit(self, submission):
        return self.story[0]

    def get(self, name: str) -> Run:
        if name != self.story[-1].name:
            raise NotFound(f"no run {name}")
        return self.story[-1] if self.hold is None or self.hold.is_set() else self.story[0]

    def list(self, *, pipeline=None, limit=50, before=None) -> Sequence[Run]:
        return [self.story[-1]][:limit]

    def watch(self, name: str) -> Iterator[Run]:
        for index, run in enumerate(self.story):
            if self.hold is not None and index == len(self.story) - 1:
                assert self.hold.wait(timeout=20)
            yield run
        if self.error is not None:
            raise self.error

    def logs(self, name: str, *, step=None, follow=False) -> Iterator[LogLine]:
        if self.log_error is not None:
            raise self.log_error
        yield from (line for line in self.lines if step in {None, line.step})

    def control(self, name: str, verb: str) -> Run:
        if name != self.story[-1].name:
            raise NotFound(f"no run {name}")
        self.controlled.append((name, verb))
        return replace(self.story[-1], phase="Stopped") if verb == "stop" else self.story[-1]

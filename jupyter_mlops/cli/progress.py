"""Shows a run while it goes: painted over itself on a terminal, a line a change elsewhere.

The engine blocks while it watches, and a terminal wants a clock that ticks, so watching and reading the log happen in
threads that feed one queue; painting happens here.
"""

from __future__ import annotations

import queue
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, cast

from jupyter_mlops.cli.console import Console, clean, duration
from jupyter_mlops.engine.base import DONE
from jupyter_mlops.errors import MlopsError
from jupyter_mlops.views import seconds

if TYPE_CHECKING:
    from jupyter_mlops.engine.base import Engine, LogLine, Run, StepRun

TICK = 0.2
"""Seconds between repaints."""

TAIL = 4
"""Lines of the log under the steps."""

BAR = 20
MARKS = {"Pending": "·", "Running": "▸", "Succeeded": "✓", "Failed": "✗", "Error": "✗", "Stopped": "■", "Skipped": "-"}
COLOURS = {"Running": "blue", "Succeeded": "green", "Failed": "red", "Error": "red", "Stopped": "yellow"}


class Painter(Protocol):
    """Shows the state of a run."""

    def show(self, run: Run) -> None:
        """The run changed."""

    def log(self, line: LogLine) -> None:
        """A step printed a line."""

    def tick(self) -> None:
        """Time passed."""

    def close(self) -> None:
        """Leave the terminal as it was."""


def show_progress(engine: Engine, started: Run, console: Console) -> Run:
    """Follow a run until it is done; the last state of it. Raises what the engine raises, and KeyboardInterrupt."""
    painter: Painter = Live(console) if console.live else Plain(console)
    last = started
    try:
        for news in _follow(engine, started.name, with_log=console.live):
            if news is None:
                painter.tick()
            elif hasattr(news, "phase"):
                last = cast("Run", news)
                painter.show(last)
            else:
                painter.log(news)
    finally:
        painter.close()
    return last


class Plain:
    """A line for each step that starts or ends, for logs of other tools."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._phases: dict[str, str] = {}
        self._causes: dict[str, str] = {}

    def show(self, run: Run) -> None:
        """Only what changed."""
        for step in run.steps:
            if self._phases.get(step.name, "Pending") != step.phase:
                took = f" in {duration(seconds(step.started, step.finished))}" if step.finished and step.started else ""
                cached = " (cached)" if step.cached else ""
                said = f" ({step.message})" if step.message and step.phase == "Succeeded" else ""
                self._console.note(f"step {step.name}: {step.phase}{took}{cached}{said}")
                self._phases[step.name] = step.phase
            told = told_early(step)
            said = " ".join(told[:2]) if told else ""
            if told and self._causes.get(step.name) != said:
                self._console.note(f"step {step.name} {told[0]}: {told[1]}")
                if told[2]:
                    self._console.note(f"  fix: {told[2]}")
            self._causes[step.name] = said

    def log(self, line: LogLine) -> None:
        """Not shown: ``jupyter mlops logs`` has it all."""

    def tick(self) -> None:
        """Nothing moves."""

    def close(self) -> None:
        """Nothing to undo."""


def told_early(step: StepRun) -> tuple[str, str, str] | None:
    """What is said of a step before its phase says it: ``waits`` or ``failed``, why, and what to do; None if nothing is."""
    if step.cause is None or step.phase in DONE or not (step.failing or step.phase == "Pending"):
        return None
    return "failed" if step.failing else "waits", step.cause.message, step.cause.fix


class Live:
    """Steps with bars, and the end of the log, painted over itself."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.time) -> None:
        self._console = console
        self._clock = clock
        self._run: Run | None = None
        self._tail: deque[str] = deque(maxlen=TAIL)
        self._painted = 0

    def show(self, run: Run) -> None:
        """Keep the state and paint it."""
        self._run = run
        self.tick()

    def log(self, line: LogLine) -> None:
        """Keep the last lines."""
        if line.event is None:
            self._tail.append(f"{line.step} │ {line.text}")

    def tick(self) -> None:
        """Paint all lines over those of before."""
        if self._run is None:
            return
        lines = [line for step in self._shown(self._run) for line in (self._step(step), *self._waits(step))]
        if self._run.phase not in DONE:
            lines += [
                self._console.styled(clean(text)[: self._console.width - 3], "grey", on=self._console.err) for text in self._tail
            ]
        up = f"\x1b[{self._painted}A\r" if self._painted else ""
        body = "".join(f"{line}\x1b[K\n" for line in lines)
        self._console.err.write(f"{up}{body}\x1b[J")
        self._console.err.flush()
        self._painted = len(lines)

    def _shown(self, run: Run) -> Sequence[StepRun]:
        """The steps that fit: a terminal cannot paint over what has left its upper edge. Finished ones go first."""
        told = 2 * sum(told_early(step) is not None for step in run.steps)
        room = max(1, shutil.get_terminal_size((100, 24)).lines - TAIL - 2 - told)
        steps = run.steps
        if len(steps) <= room:
            return steps
        first = next((index for index, step in enumerate(steps) if step.phase not in DONE), len(steps))
        start = min(max(0, first - 1), len(steps) - room)
        return steps[start : start + room]

    def close(self) -> None:
        """What is painted stays; the cursor is below it already."""
        self._painted = 0

    def _step(self, step: StepRun) -> str:
        mark = MARKS.get(step.phase, "?")
        if step.phase in COLOURS:
            mark = self._console.styled(mark, COLOURS[step.phase], on=self._console.err)
        took = seconds(step.started, step.finished, self._clock())
        parts = [f"{mark} {step.name:<{self._widest()}}"]
        if step.phase == "Running" and step.progress:
            parts.append(bar(*step.progress))
        parts.append("cached" if step.cached else "" if took is None else duration(took))
        return "  ".join(part for part in parts if part)

    def _waits(self, step: StepRun) -> list[str]:
        """Why a step cannot start or has just failed, and what to do, while that is so; as long as the terminal is wide."""
        told = told_early(step)
        if told is None:
            return []
        state, why, fix = told
        said = [f"{state}: {why}", *(f"fix: {line}" for line in fix.splitlines()[:1])]
        return [
            self._console.styled(f"  {clean(text)}"[: self._console.width - 1], "yellow", on=self._console.err) for text in said
        ]

    def _widest(self) -> int:
        steps = self._run.steps if self._run else ()
        return max((len(step.name) for step in steps), default=0)


def bar(done: int, total: int) -> str:
    """``━━━━━╌╌╌╌╌ 3/6``."""
    filled = 0 if total <= 0 else min(BAR, BAR * done // total)
    return f"{'━' * filled}{'╌' * (BAR - filled)} {done}/{total}"


def _follow(engine: Engine, name: str, *, with_log: bool) -> Iterator[Run | LogLine | None]:
    """What the run does and prints, as it happens, and None now and then; ends when the run is done."""
    news: queue.Queue[Run | LogLine | BaseException | None] = queue.Queue()
    sources: list[Callable[[], Iterator[Run | LogLine]]] = [lambda: _watched(engine, name)]
    if with_log:
        sources.append(lambda: engine.logs(name, follow=True))
    for source in sources:
        threading.Thread(target=_feed, args=(source, news), daemon=True).start()
    while True:
        try:
            found = news.get(timeout=TICK)
        except queue.Empty:
            yield None
            continue
        if isinstance(found, BaseException):
            raise found
        yield found
        if found is not None and getattr(found, "phase", None) in DONE:
            return


def _watched(engine: Engine, name: str) -> Iterator[Run]:
    """The run until it is over. One that somebody deletes meanwhile is asked for once more: the answer says that it is gone."""
    phase = ""
    for run in engine.watch(name):
        phase = run.phase
        yield run
    if phase not in DONE:
        yield engine.get(name)


def _feed(source: Callable[[], Iterator[Run | LogLine]], news: queue.Queue[Run | LogLine | BaseException | None]) -> None:
    try:
        for item in source():
            news.put(item)
    except MlopsError as error:
        news.put(error)
    except Exception as error:  # noqa: BLE001  (a thread must not end in silence: the one who waits raises it)
        news.put(error)

"""Follow a run: one loop that both the plain display and the widget use.

An engine's ``watch`` and ``logs`` block until there is news, each on its own; a person wants one picture of both, not
more often than an eye can read. Two daemon threads collect, the caller's thread shows: displaying from the thread that runs
the cell keeps outputs where they belong, and an interrupted cell ends the watching, never the run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jupyter_mlops.errors import MlopsError

if TYPE_CHECKING:
    from jupyter_mlops.engine.base import Engine, Run

Show = Callable[["Run", Sequence[str]], None]

EVERY = 0.25
"""Seconds between two pictures at least: four a second is live to an eye and cheap for a browser."""

TAIL = 12
"""Log lines in a picture."""


@dataclass
class _News:
    """What the collecting threads know. ``changed`` is set with every news, ``done`` when the run's watch has ended."""

    run: Run
    tail: tuple[str, ...] = ()
    """Replaced, never changed: the other thread may be reading it."""

    changed: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)
    failed: BaseException | None = None


def follow(engine: Engine, run: Run, show: Show, *, every: float = EVERY, left: threading.Event | None = None) -> Run:
    """Show a run until it is done, and return its last picture.

    Args:
        engine: Where the run is.
        run: The run as it was submitted.
        show: Called with the run and the last lines of its logs, at most once in ``every`` seconds, and once at the end.
        every: Seconds between two calls.
        left: Set by somebody else to end the watching early.

    Raises:
        MlopsError: Whatever the engine's ``watch`` raised.
    """
    news = _News(run)
    watcher = threading.Thread(target=_watch, args=(engine, news), name=f"mlops-watch-{run.name}", daemon=True)
    reader = threading.Thread(target=_read, args=(engine, news), name=f"mlops-logs-{run.name}", daemon=True)
    watcher.start()
    reader.start()
    pause = left or threading.Event()
    while not news.done.is_set() and not pause.is_set():
        show(news.run, news.tail)
        news.changed.wait(timeout=1.0)  # not for ever: `left` may be set without news
        news.changed.clear()
        pause.wait(every)
    if news.failed is not None:
        raise news.failed
    if not pause.is_set():
        reader.join(timeout=2.0)  # the last lines are on their way; a reader that hangs must not hold the cell
    show(news.run, news.tail)
    return news.run


def _watch(engine: Engine, news: _News) -> None:
    try:
        for run in engine.watch(news.run.name):
            news.run = run
            news.changed.set()
    except BaseException as error:  # noqa: BLE001  (raised again in the caller's thread)
        news.failed = error
    finally:
        news.done.set()
        news.changed.set()


def _read(engine: Engine, news: _News) -> None:
    try:
        for line in engine.logs(news.run.name, follow=True):
            if line.event is None:
                news.tail = (*news.tail, line.text.rstrip("\n"))[-TAIL:]
                news.changed.set()
    except MlopsError:
        return  # a run whose log is gone still has its states to show

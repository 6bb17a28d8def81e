"""Log files as lines: structured ``@mlops`` lines told apart from what the notebook printed, and following without haste.

A step writes straight into its file, so that nothing is lost when nobody reads. A reader therefore only ever sees bytes that
are there; a last line without its end is kept back until it is whole or the run is over.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from jupyter_mlops.engine.base import LogLine
from jupyter_mlops.engine.times import moment

PREFIX = "@mlops "
POLL = 0.1
"""Seconds between two looks at a file that is being followed: a person sees no delay, a machine no load."""

_CHUNK = 1 << 20
_LONGEST = 1 << 20
"""Bytes after which a line without an end counts as one, so that a reader's memory is bounded."""


class Tail:
    """Reads whole lines from a growing file, from where it stopped the last time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0
        self._rest = b""

    def lines(self, *, final: bool = False) -> Iterator[str]:
        """Lines that have come since the last call; with ``final`` also a last one without its end."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                while chunk := file.read(_CHUNK):
                    self._offset += len(chunk)
                    *whole, self._rest = (self._rest + chunk).split(b"\n")
                    for line in whole:
                        yield _text(line)
                    if len(self._rest) > _LONGEST:
                        yield _text(self._rest)
                        self._rest = b""
        except FileNotFoundError:
            pass
        if final and self._rest:
            yield _text(self._rest)
            self._rest = b""


def event_of(text: str) -> Mapping[str, Any] | None:
    """The object of a structured line; None for any other line, and for one that only looks like it."""
    if not text.startswith(PREFIX):
        return None
    try:
        found = json.loads(text[len(PREFIX) :])
    except ValueError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("event"), str) else None


def log_line(step: str, text: str) -> LogLine:
    """A line as the port gives it; its time is that of the event, where it is one."""
    event = event_of(text)
    said = event.get("time") if event else None
    return LogLine(step, text, float(said) if isinstance(said, int | float) else moment(said), event)


def read(look: Callable[[], tuple[Mapping[str, Path], bool]], *, follow: bool) -> Iterator[LogLine]:
    """Lines of several steps' logs.

    Args:
        look: the logs by step, in the order in which the steps started, and whether nothing more will be written; asked
            again while following.
        follow: stay until nothing more will be written.
    """
    tails: dict[str, Tail] = {}
    while True:
        files, over = look()  # before reading: what was written before the end is then surely read
        final = over or not follow
        for step, path in files.items():
            for text in tails.setdefault(step, Tail(path)).lines(final=final):
                yield log_line(step, text)
        if final:
            return
        time.sleep(POLL)


def _text(line: bytes) -> str:
    return line.removesuffix(b"\r").decode(errors="replace")

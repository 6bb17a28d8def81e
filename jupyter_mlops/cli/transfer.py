"""How far a transfer is, painted over itself in a terminal; where nobody looks (a pipe, ``--json``), nothing is written."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from jupyter_mlops.cli.console import size

if TYPE_CHECKING:
    from jupyter_mlops.cli.console import Console

BETWEEN = 0.1
"""Seconds between two paintings at least."""

_WIDTH = 24
_ERASE = "\r\x1b[K"


class Transfer:
    """One line for all blobs of a transfer: a bar, bytes of how many, blobs of how many. Safe for threads."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock``: seconds, for the pauses."""
        self._err, self._clock, self._width = console.err, clock, console.width
        self._shown = console.live and not console.as_json
        self._lock = threading.Lock()
        self._blobs: dict[str, tuple[int, int]] = {}
        self._next = float("-inf")

    def __call__(self, digest: str, done: int, total: int) -> None:
        """A blob has come so far: see ``oci.progress.Progress``."""
        if not self._shown:
            return
        with self._lock:
            self._blobs[digest] = (done, total)
            if self._clock() >= self._next:
                self._next = self._clock() + BETWEEN
                self._err.write(_ERASE + self.text()[: self._width - 1])
                self._err.flush()

    def text(self) -> str:
        """What is painted; the total grows while more blobs become known."""
        done, total = (sum(each) for each in zip(*self._blobs.values(), strict=True))
        whole = sum(moved == of for moved, of in self._blobs.values())
        filled = _WIDTH * done // total if total else _WIDTH
        bar = "━" * filled + "╌" * (_WIDTH - filled)
        return f"{bar} {size(done)} of {size(total)}, {whole}/{len(self._blobs)} blobs"

    def __enter__(self) -> Transfer:  # noqa: PYI034 - typing.Self needs Python 3.11
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """The line goes: what was moved, or why not, is said in its place."""
        if self._blobs:
            self._err.write(_ERASE)
            self._err.flush()

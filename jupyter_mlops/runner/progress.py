"""The step's standard output: the notebook's text as it comes, and structured lines between.

A structured line starts at the beginning of a line, whatever the notebook printed before; all go through one lock, since
threads of the notebook may print at any time.
"""

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from jupyter_mlops.runner.keptlog import KeptLog

MARK = "@mlops "


class Log:
    """Writes to the real standard output of the process."""

    def __init__(self, stream: IO[str] | None = None) -> None:
        """``stream``: where to; what is the process's standard output now, whatever becomes of that later, by default."""
        self._stream = stream or os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace")
        self._lock = threading.RLock()
        self._fresh_line = True
        self._kept = KeptLog()

    def text(self, text: str) -> None:
        """The notebook's output, as it is."""
        if not text:
            return
        with self._lock:
            self._write(text)
            self._fresh_line = text.endswith("\n")

    def event(self, event: str, **fields: Any) -> None:
        """One structured line. Fields that are None are left out."""
        document = {"event": event, **{key: value for key, value in fields.items() if value is not None}}
        line = MARK + json.dumps(document, default=str) + "\n"
        with self._lock:
            self._write(line if self._fresh_line else "\n" + line)
            self._fresh_line = True

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._kept.size

    def content(self) -> bytes:
        """What was written, for the report."""
        with self._lock:
            return self._kept.content()

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
        self._kept.add(text.encode(errors="replace"))


def tell_argo(done: int, cells: int) -> None:
    """Progress where Argo looks for it and shows it to other tools; nothing where there is no Argo."""
    if place := os.environ.get("ARGO_PROGRESS_FILE"):
        with suppress(OSError):
            Path(place).write_text(f"{done}/{cells}\n", encoding="ascii")


def now() -> str:
    """The time in UTC, as RFC 3339 writes it, to the millisecond."""
    seconds = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1000):03d}Z"

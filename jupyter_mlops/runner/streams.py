"""Standard output and error of a step, from Python and from everything below it.

What Python prints goes to the cell's outputs and, at once, to the log. What child processes and C libraries write goes to
the file numbers 1 and 2: these are pipes here, as in a kernel, and are read by a thread while something runs, and by whoever
prints next or ends the cell, so that the order of the texts is that in which they were written.
"""

from __future__ import annotations

import codecs
import faulthandler
import os
import select
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from jupyter_mlops.runner.outputs import Outputs
from jupyter_mlops.runner.progress import Log

_NAMES = {1: "stdout", 2: "stderr"}
_CHUNK = 1 << 16
_WAIT = 0.2
"""Seconds after which the reading thread looks whether it is still wanted."""


class Streams:
    """Both streams of the process, while its cells run."""

    def __init__(self, outputs: Outputs, log: Log) -> None:
        """Nothing is changed until :meth:`redirected`."""
        self._outputs = outputs
        self._log = log
        self._lock = threading.RLock()
        self._readers: dict[int, int] = {}
        """Read end of a pipe → the file number it stands for."""

        self._decoders: dict[int, codecs.IncrementalDecoder] = {}
        self._ended = threading.Event()

    def emit(self, name: str, text: str) -> None:
        """Text of a stream, to where it belongs."""
        if text:
            self._outputs.stream(name, text)
            self._log.text(text)

    def drain(self) -> None:
        """Take over everything that has been written below Python so far."""
        with self._lock:
            for reader, number in self._readers.items():
                while select.select([reader], [], [], 0)[0]:
                    data = os.read(reader, _CHUNK)
                    if not data:
                        break
                    self.emit(_NAMES[number], self._decoders[number].decode(data))

    @contextmanager
    def redirected(self) -> Iterator[None]:
        """For the time of the block, everything that is written comes here."""
        saved_python = sys.stdout, sys.stderr
        for stream in saved_python:
            stream.flush()
        saved = {number: os.dup(number) for number in _NAMES}
        with suppress(RuntimeError, ValueError, OSError):  # a crash is told on the real stream: nobody reads a pipe then
            faulthandler.enable(saved[2])
        for number in _NAMES:
            reader, writer = os.pipe()
            os.dup2(writer, number)
            os.close(writer)
            self._readers[reader] = number
            self._decoders[number] = codecs.getincrementaldecoder("utf-8")("replace")
        sys.stdout, sys.stderr = Tee("stdout", 1, self), Tee("stderr", 2, self)
        thread = threading.Thread(target=self._read, name="mlops-streams", daemon=True)
        thread.start()
        try:
            yield
        finally:
            sys.stdout, sys.stderr = saved_python
            self.drain()
            self._ended.set()
            faulthandler.disable()
            for number, kept in saved.items():
                os.dup2(kept, number)
                os.close(kept)
            thread.join()
            for reader in self._readers:
                os.close(reader)
            self._readers.clear()

    def _read(self) -> None:
        while not self._ended.is_set():
            if select.select(list(self._readers), [], [], _WAIT)[0]:
                self.drain()
                if select.select(list(self._readers), [], [], 0)[0]:  # the end of a pipe, which stays readable
                    self._ended.wait(_WAIT)


class Tee:
    """``sys.stdout`` and ``sys.stderr`` of a step: to the cell's outputs and, at once, to the log."""

    encoding = "utf-8"
    errors = "replace"
    closed = False

    def __init__(self, name: str, number: int, streams: Streams) -> None:
        """``number`` is the file number, 1 or 2, that stands for the same stream outside Python."""
        self.name = f"<{name}>"
        self._stream = name
        self._number = number
        self._streams = streams
        self._process = os.getpid()

    def write(self, text: str) -> int:
        """Write text. Raises TypeError for anything else, as files do."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if os.getpid() != self._process:  # a fork of the notebook: what it writes comes back through the pipe
            os.write(self._number, text.encode(errors="replace"))
        elif text:
            self._streams.drain()
            self._streams.emit(self._stream, text)
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Nothing waits here."""

    def fileno(self) -> int:
        """Of the process's own stream."""
        return self._number

    def isatty(self) -> bool:
        """Never a terminal."""
        return False

    def readable(self) -> bool:
        """Only written to."""
        return False

    def writable(self) -> bool:
        """Only written to."""
        return True

    def seekable(self) -> bool:
        """Only written to."""
        return False

    def close(self) -> None:
        """A notebook cannot close its output."""

    def __reduce__(self) -> Any:
        """Where it arrives, the stream of the same name of that process."""
        return getattr, (sys, self._stream)

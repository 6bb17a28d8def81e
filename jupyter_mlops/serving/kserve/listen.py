"""Threads that read what a cluster sends, and end when nobody wants it any more.

Each reads one stream (a watch, a log) and hands on what comes. Closing a stream ends the thread that waits in it, so that
nothing is left behind: no thread, and no connection.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from jupyter_mlops.errors import MlopsError

T = TypeVar("T")

PATIENCE = 5.0
"""Seconds for a thread whose stream was closed to end."""


class Listeners:
    """Threads of one purpose; ``end`` ends them all."""

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []
        self._streams: dict[int, object] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()

    def end(self) -> None:
        """End all, and wait for that."""
        self._over.set()
        with self._lock:
            streams = list(self._streams.values())
        for stream in streams:
            _close(stream)
        for thread in self._threads:
            thread.join(PATIENCE)

    def listen(
        self, name: str, begin: Callable[[], Iterable[T]], hear: Callable[[T], None], over: Callable[[], None] = lambda: None
    ) -> None:
        """Read a stream in a thread; when it ends by itself or by an error, ``over`` is called.

        Args:
            name: of the thread.
            begin: opens the stream; called in the thread.
            hear: gets each item; called in the thread.
            over: called last, in the thread.
        """

        def run() -> None:
            try:
                for item in self._read(begin):
                    hear(item)
            finally:
                over()

        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _read(self, begin: Callable[[], Iterable[T]]) -> Iterator[T]:
        """The items of a stream until it, or everything, ends. An error of the cluster ends it too: others tell of that."""
        with suppress(MlopsError):
            stream = begin()
            with self._lock:
                self._streams[id(stream)] = stream
            try:
                for item in stream:
                    if self._over.is_set():
                        break
                    yield item
            finally:
                with self._lock:
                    del self._streams[id(stream)]
                _close(stream)


def _close(stream: object) -> None:
    """End a stream from any thread. A plain generator that is waited in cannot be closed: it ends by itself."""
    with suppress(ValueError):
        getattr(stream, "close", lambda: None)()


@contextmanager
def ending(listeners: Listeners) -> Iterator[Listeners]:
    """Leaving the block ends the listeners."""
    try:
        yield listeners
    finally:
        listeners.end()

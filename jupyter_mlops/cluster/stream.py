"""Iterators over what a server sends for hours, which any thread may end."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Generic, TypeVar

from jupyter_mlops.cluster.wire import hang_up

if TYPE_CHECKING:
    import urllib3

T = TypeVar("T")

_CHUNK = 1 << 16


class Stream(Generic[T]):
    """What a server sends, as an iterator that one thread reads. ``close`` may be called from any thread, at any time.

    A generator alone does not do: it cannot be closed while another thread waits in it.
    """

    def __init__(self) -> None:
        """Nothing is sent before the first ``next``."""
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._hang_up: Callable[[], None] | None = None
        self._items = self._run()

    def __iter__(self) -> Iterator[T]:
        """Itself."""
        return self

    def __next__(self) -> T:
        """The next one; waits for it."""
        return next(self._items)

    def __del__(self) -> None:
        """A stream that nobody has any more holds no connection."""
        with contextlib.suppress(AttributeError):
            self.close()

    def close(self) -> None:
        """End it: whoever waits gets the end of the iteration. From any thread, any number of times."""
        self._closed.set()
        with self._lock:
            if self._hang_up is not None:
                self._hang_up()
        with contextlib.suppress(ValueError):  # somebody waits in it, and now comes to its end
            self._items.close()

    def _run(self) -> Generator[T, None, None]:
        """The items; ends soon after ``_closed`` is set."""
        raise NotImplementedError

    @contextlib.contextmanager
    def _waits_for(self, hang: Callable[[], None]) -> Iterator[None]:
        """Within the block, closing calls ``hang`` so that the thread that waits goes on."""
        with self._lock:
            self._hang_up = hang
        try:
            if self._closed.is_set():
                hang()
            yield
        finally:
            with self._lock:
                self._hang_up = None

    @contextlib.contextmanager
    def _reading(self, response: urllib3.BaseHTTPResponse) -> Iterator[None]:
        """Within the block, this answer is read; its connection ends with the block."""
        try:
            with self._waits_for(lambda: hang_up(response)):
                yield
        finally:
            response.close()


def lines(response: urllib3.BaseHTTPResponse, *, rest: bool = False) -> Iterator[bytes]:
    """Lines of an answer as they come, without their end; ``rest``: also what stands after the last end."""
    held = bytearray()
    for chunk in response.stream(_CHUNK):
        searched, begin = len(held), 0
        held += chunk
        while (end := held.find(b"\n", max(searched, begin))) >= 0:
            yield bytes(held[begin:end])
            begin = end + 1
        del held[:begin]
    if rest and held:
        yield bytes(held)

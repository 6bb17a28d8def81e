"""SIGTERM ends a step in order, also when it comes at a bad moment.

Python runs a signal's handler in the main thread, between two instructions. A signal that arrives after the last look and
before a system call that waits (``time.sleep``), or one that the kernel hands to another thread, would be looked at when the
call is over. So a thread reads the wake-up file that Python writes to at once, and knocks at the main thread until it listens.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

from jupyter_mlops.runner.failure import Terminated

_AGAIN = 0.05
"""Seconds between two knocks."""


class Stopping:
    """The handler of SIGTERM of this process; ``seen`` is called once, right before ``Terminated`` is raised."""

    def __init__(self, seen: Callable[[], None]) -> None:
        """Nothing is changed until :meth:`install`."""
        self._seen = seen
        self._masks = threading.local()
        self._main = threading.main_thread().ident or 0
        self._heard = threading.Event()

    def install(self) -> None:
        """Take over SIGTERM, in the main thread. A fork of the notebook is ended by it at once, as it is in a kernel."""
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.signal(signal.SIGTERM, self._handle)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        os.register_at_fork(before=self._hold, after_in_parent=self._release, after_in_child=self._forked)
        threading.Thread(target=self._listen, args=(reader,), name="mlops-stopping", daemon=True).start()

    def remove(self) -> None:
        """From here on SIGTERM ends the process at once."""
        self._heard.set()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _forget()

    def _handle(self, number: int, _: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)
        self._heard.set()
        self._seen()
        raise Terminated

    def _hold(self) -> None:
        """Let SIGTERM wait while a fork is made: the child would forget one, and its wake-up byte would be taken for ours."""
        self._masks.held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def _release(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._masks.held)

    def _forked(self) -> None:
        _forget()
        if signal.getsignal(signal.SIGTERM) == self._handle:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self._release()

    def _listen(self, reader: int) -> None:
        while signal.SIGTERM not in os.read(reader, 64):
            pass
        while not self._heard.wait(_AGAIN):
            with suppress(ProcessLookupError):
                signal.pthread_kill(self._main, signal.SIGTERM)


def _forget() -> None:
    """Stop telling the thread: in a fork, its signals would be taken for ours."""
    signal.set_wakeup_fd(-1)

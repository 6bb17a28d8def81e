"""Locks between processes and threads.

``fcntl.flock`` and not the ``filelock`` package, because this room travels into every step, where only the standard
library is. The kernel frees such a lock when its holder dies, so that none is ever stale.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jupyter_mlops.errors import Unavailable

LOCK_PATIENCE = 60.0
"""Seconds that a lock is waited for. It is held for milliseconds; longer means that its holder hangs."""


@contextmanager
def locked(path: Path, patience: float = LOCK_PATIENCE) -> Iterator[None]:
    """Hold a lock between processes and threads. Not reentrant.

    Raises:
        Unavailable: code ``locked``: somebody held it all the time.
        OSError: the lock file cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _acquire(handle, path, patience)
        yield
    finally:
        os.close(handle)


def _acquire(handle: int, path: Path, patience: float) -> None:
    """Wait for the lock. Polling, since a blocking flock cannot be given a limit outside the main thread."""
    deadline, pause = time.monotonic() + patience, 0.001
    while not _try(handle):
        if time.monotonic() > deadline:
            raise Unavailable(
                f"{path} has been locked for {patience:.0f} s",
                code="locked",
                fix="Another process hangs while it writes there: find it with fuser or lsof, and end it.",
            )
        time.sleep(pause)
        pause = min(pause * 1.5, 0.02)


def _try(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

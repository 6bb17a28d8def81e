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
    """Hold a lock alone. Not reentrant.

    Raises:
        Unavailable: code ``locked``: somebody held it all the time.
        OSError: the lock file cannot be made.
    """
    handle = open_lock(path)
    try:
        acquire(handle, path, fcntl.LOCK_EX, patience)
        yield
    finally:
        os.close(handle)


def open_lock(path: Path) -> int:
    """The file descriptor of a lock file, which is made if need be and never removed. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)


def acquire(handle: int, path: Path, kind: int, patience: float) -> None:
    """Wait for a lock of this kind. Polling, since a blocking flock cannot be given a limit outside the main thread."""
    deadline, pause = time.monotonic() + patience, 0.001
    while not try_lock(handle, kind):
        if time.monotonic() > deadline:
            raise Unavailable(
                f"{path} has been locked for {patience:.0f} s",
                code="locked",
                fix="Another process hangs while it writes there: find it with fuser or lsof, and end it.",
            )
        time.sleep(pause)
        pause = min(pause * 1.5, 0.02)


def try_lock(handle: int, kind: int = fcntl.LOCK_EX) -> bool:
    """Whether the lock was got at once."""
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

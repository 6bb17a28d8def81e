"""Who is between a blob and its manifest: what the collector must not take away.

A publisher puts blobs first and the manifest that points to them last; in between nothing says that they are needed. While
a process has such blobs in a repository it shares a lock on the repository's lease. The collector that can take the lease
alone knows that nobody is in between, so that it need not wait for blobs to grow old. The kernel ends the lease of a
process that dies.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from jupyter_mlops.oci.lock import LOCK_PATIENCE, acquire, open_lock, try_lock


class Leases:
    """The leases of this process. ``path_of`` tells the lease file of a repository."""

    def __init__(self, path_of: Callable[[str], Path]) -> None:
        self._path_of = path_of
        self._mutex = threading.Lock()
        self._pending: dict[str, set[str]] = {}
        self._handles: dict[str, int] = {}

    def hold(self, repository: str, digest: str) -> None:
        """A blob is about to be put, or reused. Waits while the collector is at work. Raises OSError, Unavailable."""
        with self._mutex:
            if repository not in self._handles:
                path = self._path_of(repository)
                handle = open_lock(path)
                try:
                    acquire(handle, path, fcntl.LOCK_SH, LOCK_PATIENCE)
                except BaseException:
                    os.close(handle)
                    raise
                self._handles[repository] = handle
            self._pending.setdefault(repository, set()).add(digest)

    def settle(self, repository: str, digests: Iterable[str]) -> None:
        """A manifest points at these now, or they were given up."""
        with self._mutex:
            pending = self._pending.get(repository)
            if pending is not None:
                pending.difference_update(digests)
                if not pending:
                    del self._pending[repository]
                    os.close(self._handles.pop(repository))

    def __del__(self) -> None:
        """Nobody can finish what a forgotten store began."""
        for handle in self._handles.values():
            os.close(handle)


@contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Whether nobody holds a lease; if so nobody gets one before the block ends. Raises OSError."""
    handle = open_lock(path)
    try:
        yield try_lock(handle)
    finally:
        os.close(handle)

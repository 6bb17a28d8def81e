"""Durable writing: a file is there whole, under its name, or not at all.

Everything is written to a temporary file of the same file system, synced, and renamed. A process that dies in between
(power, kill -9) leaves at most a temporary file, which is recognised because nobody holds its lock any more.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jupyter_mlops.errors import PlatformError, StorageFull
from jupyter_mlops.oci.digest import CHUNK
from jupyter_mlops.oci.lock import try_lock

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FORBIDDEN = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


def _size(count: int) -> str:
    """Bytes as people read them."""
    amount = float(count)
    for unit in ("bytes", "KiB", "MiB"):
        if amount < 1024:  # noqa: PLR2004 - the next unit
            return f"{amount:.0f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"


def _free(folder: Path) -> int:
    """Bytes left on the file system of a folder that need not exist yet."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turn what the operating system says about writing below a folder into an error that names the folder.

    Raises:
        StorageFull: disk or quota exhausted, or the file exceeds a limit.
        PlatformError: code ``read-only``: not allowed, or a read-only file system; code ``platform``: anything else.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull(
                f"no room left in {folder}: {error.strerror} ({_size(_free(folder))} free)",
                fix="Free some space, delete old runs and models, or set JUPYTER_MLOPS_HOME to a larger disk.",
            ) from error
        if error.errno in _FORBIDDEN:
            raise PlatformError(
                f"cannot write in {folder}: {error.strerror}",
                code="read-only",
                fix="Make the folder writable, or set JUPYTER_MLOPS_HOME to one that is.",
            ) from error
        raise PlatformError(f"cannot use {folder}: {error}", fix="Check the disk and the folder.") from error


def sync_folder(folder: Path) -> None:
    """Make renames within a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_all(handle: int, data: bytes | memoryview) -> None:
    """Write all bytes to a file descriptor; one ``os.write`` may take fewer."""
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


class Upload:
    """A file on its way in, hashed while it is written; at the end it gets its name or it is gone.

    It holds a lock on its temporary file for as long as it lives, by which :func:`is_live` knows it from what a killed
    process left.
    """

    def __init__(self, folder: Path) -> None:
        """Start an empty file in ``folder``, which must be on the file system of the final place."""
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / os.urandom(16).hex()
        self.size = 0
        self._hash = hashlib.sha256()
        self._handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try_lock(self._handle)

    @property
    def digest(self) -> str:
        """Digest of what was written so far."""
        return "sha256:" + self._hash.hexdigest()

    def write(self, data: bytes | memoryview) -> None:
        """Append. Raises OSError."""
        self._hash.update(data)
        write_all(self._handle, data)
        self.size += len(data)

    def commit(self, target: Path) -> None:
        """Sync and rename to ``target``, replacing what is there. Raises OSError."""
        os.fchmod(self._handle, 0o644)
        os.fsync(self._handle)
        target.parent.mkdir(parents=True, exist_ok=True)
        self.path.replace(target)
        self._close()

    def discard(self) -> None:
        """Remove the temporary file; no error if there is none."""
        if self._handle >= 0:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)
            self._close()

    def _close(self) -> None:
        handle, self._handle = self._handle, -1
        os.close(handle)


@contextmanager
def upload(folder: Path) -> Iterator[Upload]:
    """An :class:`Upload` that is discarded unless the block committed it."""
    running = Upload(folder)
    try:
        yield running
    finally:
        running.discard()


def is_live(path: Path) -> bool:
    """Whether some process still writes this temporary file."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return True  # it got its name this moment
    try:
        return not try_lock(handle)
    finally:
        os.close(handle)


def replace_file(target: Path, data: bytes, temporary: Path) -> None:
    """Replace a small file at once and durably; readers see the old bytes or the new. Raises OSError."""
    with upload(temporary) as running:
        running.write(data)
        running.commit(target)
    sync_folder(target.parent)


def read_chunks(path: Path) -> Iterator[memoryview]:
    """The bytes of a file in one reused buffer: a chunk is valid until the next is asked for.

    Raises:
        PlatformError: code ``unreadable``: the file cannot be read, or its size changed meanwhile.
    """
    buffer = memoryview(bytearray(CHUNK))
    try:
        with path.open("rb", buffering=0) as file:
            left = os.fstat(file.fileno()).st_size
            while count := file.readinto(buffer):
                left -= count
                yield buffer[:count]
    except OSError as error:
        raise PlatformError(f"cannot read {path}: {error.strerror}", code="unreadable", fix="Check the file.") from error
    if left:
        raise PlatformError(
            f"{path} changed while it was read", code="unreadable", fix="Let whatever writes the file finish first."
        )

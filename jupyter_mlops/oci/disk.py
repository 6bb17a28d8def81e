"""Durable writing: a file is there whole, under its name, or not at all.

Everything is written to a temporary file of the same file system, synced, and renamed. A process that dies in between
(power, kill -9) leaves at most a temporary file, which is recognised because nobody holds its lock any more.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mlops.errors import PlatformError, StorageFull
from jupyter_mlops.oci.digest import CHUNK, SHA256, hasher
from jupyter_mlops.oci.lock import try_lock

if TYPE_CHECKING:
    from hashlib import _Hash

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FORBIDDEN = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})

_AHEAD = 8 << 20
"""Bytes of a file that goes on growing which are worth a request to the disk: a gigabyte that is on its way there from the first
bytes on is synced in 0.97 s, hashed all the while, where it takes 1.35 s if the disk hears of it only in the end."""


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


def has_size(path: Path, size: int) -> bool:
    """Whether a file of this size is there."""
    try:
        return path.stat().st_size == size
    except OSError:
        return False


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what the operating system says about reading a file into an error; that it is not there is left to the caller.

    Raises:
        PlatformError: code ``unreadable``.
    """
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise PlatformError(f"cannot read {path}: {error.strerror}", code="unreadable", fix="Check the folder.") from error


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


def _start_writing(handle: int, start: int, count: int) -> None:
    """Ask that a part of a file goes to the disk now, and do not wait for it.

    It is said as "not needed any more", which on Linux begins to write what is not written yet; pages that are on their way stay
    in memory. Only advice: where there is none (macOS), or it is refused, the bytes wait for the sync, as they would have.
    """
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):
            os.posix_fadvise(handle, start, count, os.POSIX_FADV_DONTNEED)


class Upload:
    """A file on its way in, hashed while it is written; at the end it gets its name or it is gone.

    It holds a lock on its temporary file for as long as it lives, by which :func:`is_live` knows it from what a killed
    process left. One algorithm runs along; only where another digest is asked for in the end, or another process wrote the
    beginning, the file is read once more: to run two hashes over every byte would cost all for the sake of the very few.
    """

    def __init__(self, folder: Path, algorithm: str = SHA256, *, name: str = "", resume: bool = False) -> None:
        """Start an empty file in ``folder``, which must be on the file system of the final place.

        Args:
            folder: made if need be.
            algorithm: the one that runs along.
            name: of the file; '' for one that nobody can guess.
            resume: go on with a file that another process began and nobody holds now.

        Raises:
            OSError: no such file (``FileNotFoundError``), held by somebody (``BlockingIOError``), or it cannot be made.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / (name or os.urandom(16).hex())
        self._algorithm = algorithm
        self._hash: _Hash | None = None if resume else hasher(algorithm)
        self._handle = os.open(self.path, os.O_RDWR | (0 if resume else os.O_CREAT | os.O_EXCL), 0o600)
        if not try_lock(self._handle) and resume:
            self._close()
            raise BlockingIOError(errno.EWOULDBLOCK, "another process writes it", str(self.path))
        self.size = self._asked = os.lseek(self._handle, 0, os.SEEK_END)

    @property
    def digest(self) -> str:
        """Digest of what was written so far. Raises OSError."""
        return self.digest_by(self._algorithm)

    def digest_by(self, algorithm: str) -> str:
        """Digest by this algorithm; reads the file if it did not run along. Raises OSError."""
        running = self._hash if algorithm == self._algorithm else None
        if running is None:
            running = hasher(algorithm)
            offset = 0
            while chunk := os.pread(self._handle, CHUNK, offset):
                running.update(chunk)
                offset += len(chunk)
        return f"{algorithm}:{running.hexdigest()}"

    def write(self, data: bytes | memoryview) -> None:
        """Append all of it, or nothing: a client goes on from what it is told was received. Raises OSError."""
        try:
            write_all(self._handle, data)
        except OSError:
            os.ftruncate(self._handle, self.size)
            os.lseek(self._handle, self.size, os.SEEK_SET)
            raise
        if self._hash is not None:
            self._hash.update(data)
        self.size += len(data)
        if self.size - self._asked >= _AHEAD:
            _start_writing(self._handle, self._asked, self.size - self._asked)
            self._asked = self.size

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

    def leave(self) -> None:
        """Let go of the file without removing it, for another process to go on with; no error if there is none."""
        if self._handle >= 0:
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


def clock_of(folder: Path) -> float:
    """What time it is where a folder lies, in seconds since the epoch: files are dated by their server's clock, not by ours.

    Ours, where the folder is not there or cannot be written.
    """
    path = folder / f"{os.urandom(16).hex()}.clock"
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except OSError:
        return time.time()
    try:
        return os.fstat(handle).st_mtime
    finally:
        os.close(handle)
        path.unlink(missing_ok=True)


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

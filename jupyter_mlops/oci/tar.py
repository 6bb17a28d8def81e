"""Deterministic tar: the same files give the same bytes, and nothing can be unpacked outside its folder.

Uncompressed, since weights do not compress, and since then the digest of a layer is its ``diff_id`` and a blob can serve an
image and a ModelPack at once. USTAR, with PAX records only where a name or a size needs one; sorted, time 0, owner 0,
modes 0644 and 0755, so that neither the machine nor the hour shows.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from jupyter_mlops.errors import Corrupt, PlatformError, WrongUsage
from jupyter_mlops.oci.digest import CHUNK
from jupyter_mlops.oci.disk import explained
from jupyter_mlops.oci.parallel import each

if TYPE_CHECKING:
    from typing import BinaryIO

BLOCK = tarfile.BLOCKSIZE
PIECE = 128 << 10
"""Bytes that are unpacked at a time: tarfile holds several copies, and several archives are unpacked beside each other."""


def files_below(folder: Path) -> dict[str, Path]:
    """Name relative to the folder (with ``/``) → path of every file below it; links to files are followed.

    Raises:
        WrongUsage: code ``invalid-folder``: it is none, holds nothing, or something that is no file.
    """
    found: dict[str, Path] = {}
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in names:
            path = Path(place, name)
            if not path.is_file():
                raise WrongUsage(
                    f"{path} is not a file",
                    code="invalid-folder",
                    fix="Only files can be stored: no sockets, pipes or broken links.",
                )
            found[path.relative_to(folder).as_posix()] = path
    if not found:
        raise WrongUsage(f"{folder} holds no files", code="invalid-folder", fix="Give a folder with at least one file.")
    return dict(sorted(found.items()))


def tar_chunks(files: Mapping[str, Path | bytes], *, prefix: str = "") -> Iterator[bytes | memoryview]:
    """The bytes of a tar of these files and the folders above them. A chunk is valid until the next is asked for.

    All but the last are of :data:`CHUNK` bytes, wherever members begin: who writes them down writes whole pages, which takes half
    the time, and many small files are few chunks.

    Args:
        files: name in the archive → path or bytes.
        prefix: folder put before each name, such as ``models/``.
    """
    buffer, used = memoryview(bytearray(CHUNK)), 0
    for source in _sources(files, prefix):
        while count := source.readinto(buffer[used:]):
            used += count
            if used == CHUNK:
                yield buffer
                used = 0
    if used:
        yield buffer[:used]


class _Source(Protocol):
    """Bytes that are read into where they are wanted; 0 at their end."""

    def readinto(self, buffer: memoryview, /) -> int:
        """How many came."""


def _sources(files: Mapping[str, Path | bytes], prefix: str) -> Iterator[_Source]:
    """What a tar consists of, one after the other."""
    for header, content, size in _members(files, prefix):
        yield BytesIO(header)
        if isinstance(content, Path):
            with closing(_Member(content, size)) as file:
                yield file
        elif content is not None:
            yield BytesIO(content)
        yield BytesIO(bytes(-size % BLOCK))
    yield BytesIO(bytes(2 * BLOCK))


class _Member:
    """The bytes of a file, which must be as many as its header said."""

    def __init__(self, path: Path, size: int) -> None:
        self._path, self._left = path, size
        with _explained(path):
            self._file = path.open("rb", buffering=0)

    def close(self) -> None:
        """Let it go."""
        self._file.close()

    def readinto(self, buffer: memoryview, /) -> int:
        """As a file. Raises WrongUsage, PlatformError."""
        with _explained(self._path):
            count = self._file.readinto(buffer) or 0
        self._left -= count
        if self._left < 0 or (self._left and not count):
            raise WrongUsage(f"{self._path} changed while it was read", code="invalid-folder", fix="Wait until it is written.")
        return count


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what the operating system says about reading a file into an error that names it."""
    try:
        yield
    except OSError as error:
        raise PlatformError(f"cannot read {path}: {error.strerror}", code="unreadable", fix="Check the file.") from error


def _members(files: Mapping[str, Path | bytes], prefix: str) -> Iterator[tuple[bytes, Path | bytes | None, int]]:
    """Header, content (None: a folder) and size of each member."""
    folders: set[str] = set()
    for name, content in sorted(files.items()):
        full = prefix + name
        for parent in _parents(full):
            if parent not in folders:
                folders.add(parent)
                yield _header(parent + "/", tarfile.DIRTYPE, 0, 0o755), None, 0
        size = _size(content)
        yield _header(full, tarfile.REGTYPE, size, 0o644), content, size


def _size(content: Path | bytes) -> int:
    if isinstance(content, bytes):
        return len(content)
    with _explained(content):
        return content.stat().st_size


class Archive:
    """The bytes of a tar, as :func:`tar_chunks` gives them, as often as they are wanted."""

    def __init__(self, files: Mapping[str, Path | bytes], *, prefix: str = "") -> None:
        self._files, self._prefix = files, prefix

    def __iter__(self) -> Iterator[bytes | memoryview]:
        """From the start."""
        return tar_chunks(self._files, prefix=self._prefix)

    @property
    def size(self) -> int:
        """Bytes of all of it, by the sizes that the files have now."""
        members = _members(self._files, self._prefix)
        return sum(len(header) + size + -size % BLOCK for header, _, size in members) + 2 * BLOCK


def read_member(stream: BinaryIO, name: str, limit: int) -> bytes | None:
    """The bytes of one file of a tar, or None. The stream is read to its end, so that a verified one was verified.

    Raises:
        Corrupt: it is no tar, or the file has more than ``limit`` bytes.
    """
    with _archive(stream) as archive:
        for member in archive:
            if member.name == name and member.isreg():
                if member.size > limit:
                    raise Corrupt(f"{name} has {member.size} bytes, more than {limit}", code="member-too-large")
                file = archive.extractfile(member)
                found = file.read() if file else b""
                _drain(stream)
                return found
    return None


def extract_all(streams: Iterable[AbstractContextManager[BinaryIO]], folder: Path, *, below: str = "", at_once: int = 1) -> None:
    """Unpack tars into a folder that does not exist yet. It appears whole, after all was verified, or not at all.

    Args:
        streams: each is opened and read to its end, so that a verified stream has been verified.
        folder: must not exist, or be empty.
        below: only members below this folder (``models/``) are taken; anything else is an error.
        at_once: how many are read beside each other.

    Raises:
        Corrupt: no tar, or a member that is no file or folder, or whose name leads outside.
        StorageFull, PlatformError: it cannot be written.
        WrongUsage: code ``folder-exists``.
    """
    if folder.exists() and any(folder.iterdir()):
        raise WrongUsage(f"{folder} is not empty", code="folder-exists", fix="Give a folder that does not exist.")
    with explained(folder.parent):
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            each(lambda opened: _extract(opened, fresh, below), streams, at_once)
            fresh.chmod(0o755)
            fresh.replace(folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)


def _extract(opened: AbstractContextManager[BinaryIO], folder: Path, below: str) -> None:
    """Unpack one tar. Only folders and files, and only under names without ``..``: links could lead anywhere."""
    with opened as stream, _archive(stream, PIECE) as archive:
        for member in archive:
            target = folder.joinpath(*_safe(member, below))
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            source = archive.extractfile(member)
            assert source is not None
            with target.open("xb") as file:
                shutil.copyfileobj(source, file, PIECE)


@contextmanager
def _archive(stream: BinaryIO, buffer: int = CHUNK) -> Iterator[tarfile.TarFile]:
    """A tar read from a stream. Nonsense in it is most likely damage, which the stream itself names when it is drained."""
    try:
        with tarfile.open(fileobj=stream, mode="r|", bufsize=buffer) as archive:
            yield archive
        _drain(stream)
    except (tarfile.TarError, FileExistsError, NotADirectoryError) as error:
        _drain(stream)
        raise Corrupt(f"what should be a tar cannot be unpacked: {error}", fix="Make it again.") from error


def _drain(stream: BinaryIO) -> None:
    while stream.read(CHUNK):
        pass


def _safe(member: tarfile.TarInfo, below: str) -> tuple[str, ...]:
    """The parts of a member's name, if it may be unpacked."""
    parts = tuple(part for part in member.name.split("/") if part not in {"", "."})
    inside = not below or (member.name + "/").startswith(below)
    if not (member.isdir() or member.isreg()) or member.name.startswith("/") or ".." in parts or not inside:
        raise Corrupt(
            f"{member.name!r} may not be unpacked: only files and folders below {below or 'the archive'} are taken",
            code="unsafe-member",
            fix="Whoever made this archive is not to be trusted.",
        )
    return parts


def _parents(name: str) -> Iterator[str]:
    parts = name.split("/")[:-1]
    for depth in range(1, len(parts) + 1):
        yield "/".join(parts[:depth])


def _header(name: str, kind: bytes, size: int, mode: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.mode = kind, size, mode
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")

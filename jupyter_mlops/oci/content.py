"""What is to be stored, before it has a digest: its size, its digest, and a place on disk for what comes only once."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

from jupyter_mlops.oci.digest import CHUNK
from jupyter_mlops.oci.disk import Upload, explained, read_chunks, readable
from jupyter_mlops.oci.store import Content


@runtime_checkable
class Sized(Protocol):
    """Chunks that tell how many bytes they have before they are read, as an archive of files does."""

    @property
    def size(self) -> int:
        """Bytes."""


class FileChunks:
    """The bytes of a file, as often as they are wanted."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __iter__(self) -> Iterator[memoryview]:
        """From the start."""
        return read_chunks(self._path)


def known_size(data: Content) -> int:
    """Bytes of what tells how many it has before it is read; else 0."""
    if isinstance(data, Path):
        with readable(data):
            return data.stat().st_size
    return data.size if isinstance(data, Sized) else 0


def measure(chunks: Iterable[bytes | memoryview]) -> tuple[str, int]:
    """Digest and size of all of them."""
    total, size = hashlib.sha256(), 0
    for chunk in chunks:
        total.update(chunk)
        size += len(chunk)
    return "sha256:" + total.hexdigest(), size


def beginning(chunks: Iterable[bytes | memoryview]) -> tuple[bytes, Iterator[bytes | memoryview]]:
    """The first chunks, to a little more than a mebibyte, and the rest: what is small need not go over the disk."""
    rest, start = iter(chunks), bytearray()
    for chunk in rest:
        start += chunk
        if len(start) > CHUNK:
            break
    return bytes(start), rest


@contextmanager
def spooled(chunks: Iterable[bytes | memoryview]) -> Iterator[Upload]:
    """What is to be sent, on disk, with its size and digest. Raises StorageFull, PlatformError."""
    folder = Path(tempfile.gettempdir())
    with explained(folder):
        spool = Upload(folder)
    try:
        for chunk in chunks:
            with explained(folder):
                spool.write(chunk)
        yield spool
    finally:
        spool.discard()

"""How far a transfer is: told by whoever moves bytes, shown by whoever has somebody who looks."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from jupyter_mlops.oci.content import FileChunks, known_size

if TYPE_CHECKING:
    from typing import BinaryIO

    from jupyter_mlops.oci.store import Content, Descriptor, Store

Progress = Callable[[str, int, int], None]
"""Told of a blob, by a name of its own, how many of its bytes have moved, and how many there are; called by several threads.

What is hashed before it is sent goes by twice: then the number is smaller than before.
"""


class Told:
    """Chunks that tell how many of them went by, each time around."""

    def __init__(self, chunks: Iterable[bytes | memoryview], size: int, name: str, progress: Progress) -> None:
        self._chunks, self.size, self._name, self._progress = chunks, size, name, progress

    def __iter__(self) -> Iterator[bytes | memoryview]:
        """From the start."""
        done = 0
        for chunk in self._chunks:
            done += len(chunk)
            self._progress(self._name, done, max(done, self.size))  # first: nobody comes back after the last chunk
            yield chunk


def told(content: Content, name: str, progress: Progress | None) -> Content:
    """Content that tells of itself while it is stored, if somebody listens and it says how large it is."""
    size = known_size(content)
    if progress is None or not size or isinstance(content, bytes):
        return content
    return Told(FileChunks(content) if isinstance(content, Path) else content, size, name, progress)


@contextmanager
def opened(store: Store, repository: str, blob: Descriptor, progress: Progress | None) -> Iterator[BinaryIO]:
    """``store.open_blob``, and told of. Raises as it does."""
    with store.open_blob(repository, blob.digest) as stream:
        yield stream if progress is None else cast("BinaryIO", _Watched(stream, blob, progress))


def opened_all(
    store: Store, repository: str, blobs: Iterable[Descriptor], progress: Progress | None
) -> Iterator[AbstractContextManager[BinaryIO]]:
    """Several, one after the other; all of them are told of at first, so that it is known how much there is."""
    listed = list(blobs)
    if progress is not None:
        for blob in listed:
            progress(blob.digest, 0, blob.size)
    return (opened(store, repository, blob, progress) for blob in listed)


class _Watched(io.RawIOBase):
    """A stream that tells how much of it was read."""

    def __init__(self, source: Any, blob: Descriptor, progress: Progress) -> None:
        super().__init__()
        self._source, self._blob, self._progress, self._done = source, blob, progress, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        count = int(self._source.readinto(buffer) or 0)
        self._done += count
        self._progress(self._blob.digest, self._done, self._blob.size)
        return count

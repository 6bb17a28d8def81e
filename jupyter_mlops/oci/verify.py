"""Reading that cannot be fooled: a stream that checks its bytes against their digest while they pass.

The check falls together with the last byte, and the last bytes are handed out only after it, so that a reader who takes
all of them has never taken wrong ones without an error.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Protocol

from jupyter_mlops.errors import Corrupt
from jupyter_mlops.oci.digest import CHUNK, algorithm_of, hasher

if TYPE_CHECKING:
    from typing import BinaryIO


class Source(Protocol):
    """What is read from: a file, or the body of an HTTP response."""

    def readinto(self, buffer: Any, /) -> int | None:
        """Fill the buffer; 0 at the end."""

    def close(self) -> None:
        """Free what is held."""


class _Verifying(io.RawIOBase):
    """Counts and hashes what passes. ``size`` is what the source says it will give."""

    def __init__(self, source: Source, digest: str, size: int, place: str) -> None:
        super().__init__()
        self._source, self._digest, self._left, self._place = source, digest, size, place
        self._size = size
        self._algorithm = algorithm_of(digest)
        self._hash = hasher(self._algorithm)
        if size == 0:
            self._check()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        if not self._left:
            return 0
        view = memoryview(buffer).cast("B")[: self._left]
        count = self._source.readinto(view) or 0
        if not count:
            raise self._wrong(f"ends {self._left} bytes early")
        self._hash.update(view[:count])
        self._left -= count
        if not self._left:
            self._check()
        return count

    def close(self) -> None:
        if not self.closed:
            self._source.close()
        super().close()

    def _check(self) -> None:
        found = f"{self._algorithm}:{self._hash.hexdigest()}"
        if found != self._digest:
            raise self._wrong(f"its {self._size} bytes have the digest {found}")

    def _wrong(self, why: str) -> Corrupt:
        return Corrupt(
            f"{self._digest} in {self._place} is damaged: {why}",
            fix="Delete what refers to it and make it again; if it happens twice, check the disk or the registry.",
        )


def verified(source: Source, digest: str, size: int, place: str) -> BinaryIO:
    """A buffered stream over a source, verified at its last byte.

    Args:
        source: closed together with the stream.
        digest: what the bytes must have.
        size: bytes that the source will give.
        place: path or URL, for the error.

    Raises:
        Corrupt: here (an empty blob) or from a read: the bytes do not have the digest, or end early.
    """
    try:
        return io.BufferedReader(_Verifying(source, digest, size, place), min(CHUNK, max(size, 1)))
    except Corrupt:
        source.close()
        raise

"""A blob on its way from a registry: when the connection breaks it is gone on with, where it broke.

Whoever reads checks the digest over the whole (``verify.py``), so that no part of it has to be believed.
"""

from __future__ import annotations

import http.client
from collections.abc import Callable, Mapping
from typing import Any

from jupyter_mlops.errors import Unavailable, WrongUsage
from jupyter_mlops.oci.connection import Answer
from jupyter_mlops.oci.digest import CHUNK
from jupyter_mlops.oci.http import Patience

PARTIAL = 206


class Download:
    """The bytes of an answer, over breaks; a ``verify.Source``."""

    def __init__(self, answer: Answer, size: int, again: Callable[[Mapping[str, str]], Answer], patience: Patience) -> None:
        """``again`` asks for the same with headers of its own; ``size``: bytes there are in all."""
        self._answer: Answer | None = answer
        self._size, self._again, self._patience = size, again, patience
        self._at = 0

    def readinto(self, buffer: Any, /) -> int:
        """Fill the buffer; 0 at the end, or where the registry says again and again that this is the end.

        Raises:
            Unavailable: the connection broke too often without a byte in between.
            NotFound, NotAllowed: it was deleted meanwhile.
        """
        while self._at < self._size:
            problem: Exception | None = None
            try:
                count = self._answer.readinto(buffer) if self._answer else 0
            except (OSError, http.client.HTTPException) as error:
                count, problem = 0, error
            if count:
                self._at += count
                self._patience.reset()
                return count
            self.close()
            try:
                self._patience.wait(problem or EOFError("the connection ended early"))
                self._answer = self._rest()
            except Unavailable:
                if problem is None:
                    return 0
                raise
        return 0

    def _rest(self) -> Answer | None:
        """What is left, from a registry that knows ranges, or by reading over what is known. Raises as ``Transport.ask``."""
        try:
            answer = self._again({"Range": f"bytes={self._at}-"})
        except WrongUsage:  # 416: for this registry it ends here
            return None
        if answer.status == PARTIAL:
            if answer.headers.get("Content-Range", f"bytes {self._at}-").startswith(f"bytes {self._at}-"):
                return answer
            answer.close()
            return None
        buffer, left = memoryview(bytearray(CHUNK)), self._at
        while left:
            try:
                count = answer.readinto(buffer[:left])
            except (OSError, http.client.HTTPException):
                count = 0
            if not count:
                answer.close()
                return None
            left -= count
        return answer

    def close(self) -> None:
        """Done with it."""
        if self._answer is not None:
            self._answer.close()
            self._answer = None


def read_part(ask: Callable[[Mapping[str, str]], Answer], start: int, count: int, patience: Patience) -> bytes:
    """Up to ``count`` bytes from ``start``, fewer where it ends, and little more over the wire.

    Of a registry that knows no ranges what stands before is read over, and the connection ended after the part.

    Raises:
        NotFound: there is no such blob.
        Unavailable: the connection broke too often, or another part came than was asked for.
    """
    while count > 0:
        try:
            with ask({"Range": f"bytes={start}-{start + count - 1}"}) as answer:
                return _taken(answer, start, count)
        except WrongUsage as error:  # noqa: PERF203 - the next try is for what breaks
            if error.code != "registry-refused":
                raise
            return b""  # 416: it ends before
        except (OSError, http.client.HTTPException, EOFError) as error:
            patience.wait(error)
    return b""


def _taken(answer: Answer, start: int, count: int) -> bytes:
    """The part that was asked for, from an answer that is it, or from the whole. Raises EOFError: it broke off."""
    ranged, said = answer.status == PARTIAL, answer.length
    if ranged and not answer.headers.get("Content-Range", f"bytes {start}-").startswith(f"bytes {start}-"):
        raise Unavailable(
            f"a registry sent {answer.headers['Content-Range']!r} where the bytes from {start} were asked for",
            code="registry-failed",
            fix="A proxy or cache in between may be at fault.",
        )
    skip = 0 if ranged else start
    while skip and (passed := len(answer.read(min(skip, CHUNK)))):
        skip -= passed
    taken = b"" if skip else answer.read(count)
    if said is not None and len(taken) < min(count, said - (0 if ranged else min(start, said))):
        raise EOFError("the connection ended early")
    return taken

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

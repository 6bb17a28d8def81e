"""Chunks whose digest becomes known while they go somewhere: what is sent need not be read before it is sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from jupyter_mlops.oci.digest import SHA256, hasher


class Hashing:
    """The first ``size`` bytes of chunks that can be had again and again; each time around the digest begins anew.

    A chunk is valid until the next is asked for, as in :class:`jupyter_mlops.oci.store.Store`.
    """

    def __init__(self, chunks: Iterable[bytes | memoryview], size: int) -> None:
        self._chunks, self.size = chunks, size
        self._digest = ""

    def __iter__(self) -> Iterator[memoryview]:
        """From the start. Ends early where the chunks do."""
        self._digest, running, count = "", hasher(SHA256), 0
        for chunk in self._chunks:
            view = memoryview(chunk)[: self.size - count]
            running.update(view)
            count += len(view)
            if count == self.size:
                self._digest = f"{SHA256}:{running.hexdigest()}"
            yield view
            if count == self.size:
                return
        if count == self.size:
            self._digest = f"{SHA256}:{running.hexdigest()}"

    @property
    def digest(self) -> str:
        """Their digest. Where they did not all go yet, they are read for it; '' where there are fewer than there were."""
        if not self._digest:
            for _ in self:
                pass
        return self._digest

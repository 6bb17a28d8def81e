"""A layer that takes a while to make, kept as a file beside unpacked bundles: no run on this machine may pay for it again.

Its name tells what it was made from and what it holds, so that one which was made from something else, or was damaged, is none.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress

from jupyter_mlops.settings import default_home

_KEPT = 12
"""Layers: three of a kind for each of what is installed in a few environments."""


class KeptLayer:
    """One layer of the cache."""

    def __init__(self, *made_from: str) -> None:
        self._folder = default_home() / "cache" / "layers"
        self._key = hashlib.sha256("\n".join(made_from).encode()).hexdigest()[:16]

    def read(self) -> bytes:
        """The layer; b'' if it is not there, or not what it was."""
        for path in self._folder.glob(f"{self._key}-*.layer"):
            with suppress(OSError):
                data = path.read_bytes()
                if path.name == self._name(data):
                    return data
        return b""

    def write(self, data: bytes) -> None:
        """Keep it, in the place of older ones; a folder that cannot be written to only costs the time."""
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for old in sorted(self._folder.glob("*.layer"), key=lambda path: path.stat().st_mtime)[:-_KEPT]:
                old.unlink()
            fresh = self._folder / f".{os.getpid()}"
            fresh.write_bytes(data)
            fresh.replace(self._folder / self._name(data))

    def _name(self, data: bytes) -> str:
        return f"{self._key}-{hashlib.sha256(data).hexdigest()}.layer"

"""Version and place: the first thing the front end asks, to compare versions and to show how much room is taken."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from jupyter_server.auth.decorator import authorized
from tornado import web

import jupyter_mlops
from jupyter_mlops.server.handlers.base import DISK_BYTES, MlopsHandler

KEEP = 30.0
"""Seconds that a count of the disk stays."""


class StatusHandler(MlopsHandler):
    """``/status``."""

    @web.authenticated
    @authorized("read", "mlops:doctor")
    async def get(self) -> None:
        """Version, target and bytes in use."""
        place = await self.place()
        self.answer({"version": jupyter_mlops.__version__, "target": place.name, "disk_bytes": await self._disk_bytes()})

    async def _disk_bytes(self) -> int:
        """Counted anew at most every half minute: with thousands of runs it is thousands of files."""
        known: tuple[float, int] | None = self.settings.get(DISK_BYTES)
        if known is None or time.monotonic() - known[0] > KEEP:
            known = (time.monotonic(), await self.work(disk_bytes, self.bench.settings.storage.home))
            self.settings[DISK_BYTES] = known
        return known[1]


def disk_bytes(folder: Path) -> int:
    """Bytes of all files below a folder; what vanishes meanwhile counts nothing, links are not followed."""
    return sum(_sizes(os.fspath(folder)))


def _sizes(folder: str) -> Iterator[int]:
    try:
        entries = os.scandir(folder)
    except OSError:
        return
    with entries:
        for entry in entries:
            with suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    yield from _sizes(entry.path)
                else:
                    yield entry.stat(follow_symlinks=False).st_size

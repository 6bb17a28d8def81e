"""Version and place: the first thing the front end asks, to compare versions and to show how much room is taken."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from jupyter_server.auth.decorator import authorized
from tornado import web

import jupyter_mlops
from jupyter_mlops.server.handlers.base import MlopsHandler

TARGET = "This machine"


class StatusHandler(MlopsHandler):
    """``/status``."""

    @web.authenticated
    @authorized("read", "mlops:doctor")
    async def get(self) -> None:
        """Version, target and bytes in use."""
        used = await self.work(disk_bytes, self.bench.settings.storage.home)
        self.answer({"version": jupyter_mlops.__version__, "target": TARGET, "disk_bytes": used})


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

"""An embedded registry for tests: the real server over a real folder, in a thread of this process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_mlops.registry.server import Options, listen

STARTUP = 10.0
"""Seconds that the thread is waited for."""


@contextmanager
def embedded_registry(root: Path, token: str | None = None, **more: Any) -> Iterator[str]:
    """Serve a folder while the block runs; gives the address, ``http://127.0.0.1:<port>``. ``more``: other options."""
    addresses: list[str] = []
    failures: list[BaseException] = []
    started, stopped = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def run() -> None:
        try:
            listening = listen(Options(root, token=token, **more))
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            failures.append(error)
            started.set()
            return
        loops.append(asyncio.get_running_loop())
        addresses.append(listening.url)
        started.set()
        try:
            await stopped.wait()
        finally:
            await listening.close()

    thread = threading.Thread(target=asyncio.run, args=(run(),), name="embedded-registry")
    thread.start()
    try:
        if not started.wait(STARTUP):
            raise TimeoutError("the registry did not start")
        if failures:
            raise failures[0]
        yield addresses[0]
    finally:
        for loop in loops:
            loop.call_soon_threadsafe(stopped.set)
        thread.join()

"""One process per run: ``python -m jupyter_mlops.engine.local.supervisor RUN_FOLDER``.

It detaches before it does anything else, so that whoever submitted the run (a terminal, a notebook's kernel, a Jupyter
Server) can go away, and returns to the submitter as soon as it is up. From then on it alone writes ``workflow.json``.
SIGTERM stops the run as ``stop`` does.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mlops.engine.local.folder import RunFolder
from jupyter_mlops.engine.local.identity import own

if TYPE_CHECKING:
    from jupyter_mlops.engine.local.run import LocalRun

_TICK = 0.1
"""Seconds between two looks at logs and time limits; a step's end is noticed at once."""


def main(arguments: list[str]) -> int:
    """Detach, tell the submitter, run."""
    folder = RunFolder(Path(arguments[0]))
    reader, writer = os.pipe()
    if os.fork():
        os.close(writer)
        up = os.read(reader, 1)
        os._exit(0 if up else 1)
    os.close(reader)
    os.setsid()
    _forget_terminal(folder)
    record_supervisor(folder)
    os.write(writer, b"1")
    os.close(writer)

    try:
        from jupyter_mlops.engine.local.run import LocalRun

        supervise(LocalRun.open(folder))
    except Exception:  # noqa: BLE001  whatever it is, the run must not stay without an end
        traceback.print_exc()
        from jupyter_mlops.engine.local.recover import settle

        settle(folder, defect=traceback.format_exc(limit=-1).strip().rpartition("\n")[2])
        return 1
    return 0


def record_supervisor(folder: RunFolder) -> None:
    """Write down who supervises the run."""
    document = folder.read_request()
    folder.write_request({**document, "supervisor": own()}, document["created"])


def supervise(run: LocalRun) -> None:
    """Drive a run to its end: look when a step ends or a signal comes, and ten times a second."""
    woken, waker = socket.socketpair()
    for end in (woken, waker):
        end.setblocking(False)
    asked: list[int] = []
    signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGHUP):  # a handler, not SIG_IGN: steps would inherit that
        signal.signal(number, lambda *_: None)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _frame: asked.append(got))
    run.begin()
    while not run.over:
        if asked or run.folder.stop.exists():
            run.stop()
        run.pause(paused=run.folder.pause.exists())
        run.tick()
        if not run.over:
            _wait(woken)
    run.end()


def _wait(woken: socket.socket) -> None:
    select.select([woken], [], [], _TICK)
    with suppress(BlockingIOError):
        while woken.recv(4096):
            pass


def _forget_terminal(folder: RunFolder) -> None:
    """Nothing of the submitter's is held open: it may be waiting for the end of our output."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(folder.path / "supervisor.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

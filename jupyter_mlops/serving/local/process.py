"""Processes by identity: a number alone may belong to somebody else by now.

An identity is the process id with the moment the process started, which the kernel never gives twice. A zombie counts as
gone: it does nothing any more, and who must collect it is not always we.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Identity:
    """A process that cannot be mistaken for a later one."""

    pid: int
    started: str

    def save(self, path: Path) -> None:
        """Write it for others."""
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(asdict(self)))
        temporary.replace(path)


def saved(path: Path) -> Identity | None:
    """The identity in a file; None where there is none that can be read."""
    try:
        document = json.loads(path.read_text())
        return Identity(int(document["pid"]), str(document["started"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def identify(pid: int) -> Identity | None:
    """The identity of a process that lives; None for one that is gone or a zombie."""
    started = _started_linux(pid) if sys.platform == "linux" else _started_ps(pid)
    return Identity(pid, started) if started else None


def _started_linux(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name before it may hold spaces
    state, ticks = fields[0], fields[19]
    return None if state in {"Z", "X"} else f"{boot}/{ticks}"


def _started_ps(pid: int) -> str | None:
    found = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, started = found.stdout.strip().partition(" ")
    return started.strip() if started and not state.startswith("Z") else None


def alive(identity: Identity | None) -> bool:
    """Whether that very process lives."""
    return identity is not None and identify(identity.pid) == identity


def terminate(identity: Identity | None, grace: float) -> None:
    """End it: SIGTERM, then after ``grace`` seconds SIGKILL to its whole group. Returns when it is gone."""
    if identity is None or not alive(identity):
        return
    _signal(identity, signal.SIGTERM)
    if not _gone_within(identity, grace):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getpgid(identity.pid) == identity.pid:
                os.killpg(identity.pid, signal.SIGKILL)
        _signal(identity, signal.SIGKILL)
        _gone_within(identity, grace)


def _signal(identity: Identity, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        if alive(identity):
            os.kill(identity.pid, number)


def _gone_within(identity: Identity, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while alive(identity):
        if time.monotonic() >= until:
            return False
        time.sleep(POLL_SECONDS)
    return True

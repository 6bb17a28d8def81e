"""Which process it is, beyond its number: a number is given again after a while, a number with its start time is not.

The start time is counted from the machine's start, so it also tells a process of before a reboot (``boot``) from one of now.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

_PROC = Path("/proc")
_STATE, _PARENT, _START = 0, 1, 19  # fields 3, 4 and 22 of /proc/<pid>/stat, counted after the command's name


def identity(pid: int) -> dict[str, Any] | None:
    """``{"pid", "started", "boot"}`` of a living process; None if there is none, or only its zombie."""
    if (_PROC / "self" / "stat").exists():
        fields = _stat(pid)
        if fields is None or fields[_STATE] in "ZX":
            return None
        return {"pid": pid, "started": fields[_START], "boot": _boot()}
    found = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, started = found.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else {"pid": pid, "started": started.strip(), "boot": ""}


def alive(known: Mapping[str, Any] | None) -> bool:
    """Whether the very process that was recorded still runs."""
    if not known or not isinstance(known.get("pid"), int):
        return False
    return identity(known["pid"]) == dict(known)


def carriers_of(mark: str) -> Iterator[int]:
    """Processes of this user with a variable that starts with ``mark`` (``NAME=value…``); only where /proc tells, else none.

    A child can leave its process group, its session and its parent; it cannot easily leave its environment behind. This is
    how nothing of a step outlives it, as nothing outlives a container.
    """
    wanted = b"\0" + mark.encode()
    for entry in _PROC.glob("[0-9]*"):
        with suppress(OSError):  # ended meanwhile, or another user's
            if wanted in b"\0" + (entry / "environ").read_bytes():
                yield int(entry.name)


def _stat(pid: int) -> list[str] | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()


@lru_cache(maxsize=1)
def _boot() -> str:
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def oom_kills() -> int | None:
    """How many processes the kernel has killed for want of memory since it started; None where it does not say.

    The container's own counter (cgroup v2) where there is one, else the machine's.
    """
    for path in (Path("/sys/fs/cgroup/memory.events"), _PROC / "vmstat"):
        with suppress(OSError, ValueError):
            for line in path.read_text().splitlines():
                name, _, value = line.partition(" ")
                if name == "oom_kill":
                    return int(value)
    return None


def own() -> dict[str, Any]:
    """Identity of this process."""
    return identity(os.getpid()) or {"pid": os.getpid(), "started": "", "boot": ""}

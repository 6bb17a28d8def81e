"""One attempt of a step as a process of its own session, and how all of it is ended.

A container ends with its first process and takes every other one along. Here the first process leads a session and a process
group; what leaves both (a daemon of the notebook's own) is found by the mark in its environment. So nothing of a step
outlives it, whether it ended well, was stopped, or lost its supervisor.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_mlops.engine.local.identity import carriers_of, identity, oom_kills
from jupyter_mlops.engine.local.pod import Pod

_NOT_FOUND, _NOT_EXECUTABLE, _SIGNALLED = 127, 126, 128
_FIRST_TO_GO = "300"
"""``oom_score_adj`` of steps: when memory runs out, the system ends the step and not the Jupyter Server beside it."""

_SPARE = "1000"
"""The same of what the run can do without, which also gets processors last."""

_NICE = 5


@dataclass(slots=True)
class StepProcess:
    """A running attempt. ``identity`` is recorded by the supervisor, so that another process can end it."""

    pod: Pod
    process: subprocess.Popen[bytes]
    identity: dict[str, Any]
    began: float
    """Monotonic time of the start."""

    oom_before: int | None
    limit: int
    """Bytes of the termination message that are read."""

    ending: float | None = field(default=None)
    """Monotonic time at which SIGTERM was sent; None while nobody asked it to end."""

    @property
    def code(self) -> int | None:
        """Exit code as a container has it (128 + signal for a signal); None while it runs."""
        code = self.process.poll()
        return code if code is None or code >= 0 else _SIGNALLED - code

    def record(self) -> bytes:
        """Its identity as JSON, by which a later engine ends it if the supervisor cannot."""
        return json.dumps(self.identity).encode()

    def terminate(self) -> None:
        """Ask the whole group to end."""
        if self.ending is None:
            self.ending = time.monotonic()
            end_all(self.process.pid, self.pod.mark, signal.SIGTERM)

    def hurry(self) -> None:
        """The run cannot do without it any more: it gets processors as others do, where this user may say so."""
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, self.process.pid, 0)

    @property
    def lingers(self) -> bool:
        """Whether anything is left of its process group."""
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return True

    def kill(self) -> None:
        """End all that is left of it, now."""
        end_all(self.process.pid, self.pod.mark, signal.SIGKILL)

    def message(self, code: int) -> str:
        """What Argo would write into the node: reason, exit code, termination message; signals said in words."""
        killed = code == _SIGNALLED + signal.SIGKILL
        if killed and self.oom_before is not None and (oom_kills() or 0) > self.oom_before:
            return f"main: OOMKilled (exit code {code})"
        said = termination_message(self.pod.termination, self.limit)
        if said:
            return f"main: Error (exit code {code}): {said}"
        return f"main: Error (exit code {code})" + (f": {words}" if (words := signal_words(code)) else "")


def start(pod: Pod, log: Path, limit: int = 4096, *, spare: bool = False) -> StepProcess:
    """Start a pod; its output goes to the end of ``log``. Raises OSError where the program cannot be started.

    Args:
        pod: what to start.
        log: file of its output.
        limit: bytes of its termination message that are read.
        spare: whether the run can do without it, so that it is the first to give way.
    """
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        process = subprocess.Popen(
            list(pod.argv), cwd=pod.cwd, env=dict(pod.env), stdin=subprocess.DEVNULL, stdout=handle, stderr=handle,
            start_new_session=True,
        )  # fmt: skip
    finally:
        os.close(handle)
    with suppress(OSError):
        Path(f"/proc/{process.pid}/oom_score_adj").write_text(_SPARE if spare else _FIRST_TO_GO)
    if spare:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, process.pid, _NICE)
    known = identity(process.pid) or {"pid": process.pid, "started": "", "boot": ""}
    return StepProcess(pod, process, {**known, "mark": pod.mark}, time.monotonic(), oom_kills(), limit)


def end_all(leader: int | None, mark: str, number: signal.Signals) -> None:
    """Signal a step's process group and everything that carries its mark. What has gone already is no error."""
    if leader is not None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, number)
    for pid in _strays(leader, mark):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _strays(leader: int | None, mark: str) -> Iterator[int]:
    """Processes of the step that have left its group."""
    for pid in carriers_of(mark):
        with suppress(ProcessLookupError):
            if pid != os.getpid() and (leader is None or os.getpgid(pid) != leader):
                yield pid


def termination_message(path: Path, limit: int) -> str:
    """What the step left for people: the first ``limit`` bytes, as Kubernetes reads them; '' if nothing."""
    try:
        with path.open("rb") as file:
            return file.read(limit).decode(errors="replace").strip()
    except OSError:
        return ""


def signal_words(code: int) -> str:
    """An exit code above 128 in words; '' for others."""
    if code <= _SIGNALLED:
        return {_NOT_FOUND: "command not found", _NOT_EXECUTABLE: "the command cannot be executed"}.get(code, "")
    try:
        number = signal.Signals(code - _SIGNALLED)
    except ValueError:
        return ""
    causes = {
        signal.SIGKILL: "killed (SIGKILL): by the system for want of memory, or by somebody on this machine",
        signal.SIGSEGV: "crashed (SIGSEGV): a library with native code accessed memory that is not its own",
        signal.SIGABRT: "aborted (SIGABRT): a library with native code gave up; its last words are in the log",
        signal.SIGBUS: "crashed (SIGBUS): a memory-mapped file was cut short, or the disk is full",
        signal.SIGILL: "crashed (SIGILL): a library was built for another processor",
        signal.SIGFPE: "crashed (SIGFPE): a library with native code divided by zero",
        signal.SIGTERM: "ended (SIGTERM): somebody asked it to stop",
        signal.SIGINT: "interrupted (SIGINT)",
    }
    return causes.get(number, f"ended by {number.name}")


def refused(error: Exception, code: str, fix: str) -> str:
    """A node message for a step that could not be started at all, in the form of a termination message."""
    text = json.dumps({"code": code, "blame": "platform", "message": str(error), "fix": fix}, ensure_ascii=False)
    return f"main: Error (exit code {64}): {text}"

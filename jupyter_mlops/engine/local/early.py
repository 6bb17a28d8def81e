"""Tries steps before their turn, holds back what comes of it, and lets a process compare it when the turn has come.

An attempt runs in a copy of the working folder as it was before the running step began, begins with that state, and is seen by
nobody: its log, its report and its outputs lie in a folder of their own. When the steps between have ended well, ``--commit`` of
the runner compares (``runner/early.py``); the supervisor itself loads no state. Whatever goes wrong with an attempt, the step runs
in its turn as if there had been none.

An attempt must not harm the run: it waits until the running step has taken a while, takes only processors that are free, is the
first to go when memory runs out (it is ended before that), and there is none on a machine with GPUs, whose memory two steps would
share unasked.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from jupyter_mlops.engine.local.branches import drop_folder, make_folder
from jupyter_mlops.engine.local.folder import RunFolder, replace_file
from jupyter_mlops.engine.local.machine import Machine
from jupyter_mlops.engine.local.manifest import Program, Task
from jupyter_mlops.engine.local.order import Chance, asks_for_devices, chances
from jupyter_mlops.engine.local.pod import MARK, Host, Pod, make_pod
from jupyter_mlops.engine.local.process import StepProcess, start, termination_message
from jupyter_mlops.engine.local.workspace import Stamp, scan, shares_blocks
from jupyter_mlops.errors import MlopsError

COPIED = 256 << 20
"""Bytes of a working folder that is copied for an attempt at most, where the file system cannot share blocks."""

LOOKED_AT = 20_000
"""Files and folders of a working folder at most; to look at more, twice a step, takes longer than it is worth."""

ROOM, TIGHT = 4, 10
"""An attempt begins only where one part in so many of the memory is free, and is ended where less than one in so many is."""

GPUS = ("nvidia.com/gpu", "amd.com/gpu")

Look = Mapping[str, Stamp]


@dataclass(slots=True)
class Trial:
    """One attempt, from its start to the end of the comparison."""

    task: Task
    between: tuple[str, ...]
    word: str
    """Name of its working folder, which stands nowhere else: whoever names it was looking at where it ran."""

    process: StepProcess
    began: float
    """Seconds since the epoch."""

    cut: str = ""
    """Why it is being ended before its time; '' while it is not."""

    check: StepProcess | None = None
    good: bool = False

    @property
    def log(self) -> Path:
        """What it has written."""
        return self.process.pod.root / "step.log"

    @property
    def runs(self) -> bool:
        """Whether any process of it does."""
        return self.process.code is None or (self.check is not None and self.check.code is None)


@dataclass(frozen=True, slots=True)
class Given:
    """What the running step began with, and so what is tried beside it."""

    host: Host
    common: Mapping[str, str]
    """``{{workflow.…}}`` tags and their values."""

    state: str


@dataclass(slots=True)
class Early:
    """All attempts of one run."""

    program: Program
    needs: Mapping[str, frozenset[str]]
    """Step that may be tried → the steps it needs."""

    folder: RunFolder
    work: Path
    machine: Machine
    after: float
    """Seconds that a step has run before others are tried beside it; negative: none ever is, 0: even where no processor is free."""

    trials: dict[str, Trial] = field(default_factory=dict)
    """Those whose outcome is open, by step."""

    tried: set[str] = field(default_factory=set)
    notes: dict[str, str] = field(default_factory=dict)
    """Step → what people are told about its attempt."""

    _seen: tuple[str, Look] | None = None
    """The running step, and the working folder before it began; None where nothing can be tried beside it."""

    @property
    def busy(self) -> int:
        """Attempts that have a process."""
        return sum(trial.runs for trial in self.trials.values())

    def before(self, task: Task, phases: Mapping[str, str]) -> None:
        """A step is about to start in its turn: remember the folder, if anything can be tried beside it."""
        possible = self.after >= 0 and self.machine.processors > 1 and not any(map(self.machine.devices, GPUS))
        seen = _look(self.work) if possible and self._chances(task, phases) else None
        self._seen = (task.name, seen) if seen is not None else None

    def due(self, running: Task, since: float) -> bool:
        """Whether it is time to try others beside a step that has run for so many seconds."""
        if self._seen is None or self._seen[0] != running.name or since < self.after or not self._has_memory(ROOM):
            return False
        return self.after == 0 or self.machine.load() < self.machine.processors

    def _has_memory(self, part: int) -> bool:
        """Whether one part in so many is free; where nobody tells, it is."""
        free, whole = self.machine.free_memory(), self.machine.memory
        return free is None or whole is None or free * part >= whole

    def _chances(self, task: Task, phases: Mapping[str, str]) -> list[Chance]:
        found = chances(self.program, self.needs, task.name, {name for name, phase in phases.items() if phase == "Succeeded"})
        return [one for one in found if one.task.name not in self.tried and not asks_for_devices(one.task.template.container)]

    # -- the attempt -------------------------------------------------------------------------------------------------------

    def begin(self, running: Task, phases: Mapping[str, str], most: int, given: Given) -> None:
        """Try what may be tried beside a step that is :meth:`due`.

        Args:
            running: the only step that runs in its turn.
            phases: how others have ended.
            most: attempts at one time.
            given: what it began with.
        """
        free = min(most, self.machine.processors - 1) - self.busy
        found = self._chances(running, phases) if self._seen and free > 0 else []
        for chance in found[:free]:
            self.tried.add(chance.task.name)
            word = f"early-{secrets.token_hex(6)}"
            try:
                self._start(chance, word, given)
            except (OSError, MlopsError):  # it runs in its turn, and says then what is wrong
                drop_folder(self.folder, word)

    def _start(self, chance: Chance, word: str, given: Given) -> None:
        task = chance.task
        work = self._copy(word, self._seen[1] if self._seen else {})
        if work is None:
            return
        inputs = {"step": task.name, "state": given.state}
        pod = make_pod(task, inputs, given.common, self.folder, replace(given.host, work=work), early=True)
        more = ("--resume", "", "--lane", ",".join(chance.between), "--early", word)
        pod = replace(pod, argv=(*pod.argv, *more))
        process = start(pod, pod.root / "step.log", spare=True)
        self.trials[task.name] = Trial(task, chance.between, word, process, time.time())
        replace_file(pod.root / "process.json", process.record())

    def _copy(self, word: str, seen: Look) -> Path | None:
        """A copy of the folder as it was before the running step; None where that one has changed it, or it is too big.

        What is compared after the copy was made is the folder itself: as long as that is as it was, the copy is of that.
        """
        size = sum(stamp[0] for stamp in seen.values())
        if size > COPIED and not shares_blocks(self.work, self.folder.path):
            return None
        work = make_folder(self.folder, self.work, word, size)
        if _look(self.work) == seen and (_look(work) or {}).keys() == seen.keys():
            return work
        drop_folder(self.folder, word)
        return None

    # -- its turn ----------------------------------------------------------------------------------------------------------

    def holds(self, task: Task) -> bool:
        """Whether a step whose turn has come waits for its attempt, or for the comparison; that begins here."""
        trial = self.trials.get(task.name)
        if trial is None:
            return False
        if trial.process.code == 0 and trial.check is None and not trial.cut:
            self._check(trial)
        elif trial.process.code is None:
            trial.process.hurry()
        return task.name in self.trials

    def _check(self, trial: Trial) -> None:
        pod, mark = trial.process.pod, f"{self.folder.name}/{trial.task.name}/check/"
        with suppress(OSError):
            pod.termination.unlink()
        pod = replace(pod, argv=(*pod.argv, "--commit", "true"), cwd=self.work, env={**pod.env, MARK: mark})
        try:
            trial.check = start(pod, pod.root / "check.log")
            replace_file(pod.root / "process.json", trial.check.record())
        except OSError:
            self._drop(trial)

    def look(self, limit: int) -> list[Trial]:
        """Take notice of what has ended; gives the attempts that are good. ``limit``: bytes of a termination message."""
        good = []
        tight = bool(self.trials) and not self._has_memory(TIGHT)
        for trial in [one for one in self.trials.values() if tight and one.process.code is None]:
            trial.cut = trial.cut or "memory is running out"
            trial.process.terminate()
        for trial in [*self.trials.values()]:
            if trial.runs:
                continue
            if trial.cut or trial.process.code:
                self._drop(trial)
            elif trial.check is not None:
                if trial.check.code == 0:
                    self.notes[trial.task.name] = f"ran beside {', '.join(trial.between)}, verified"
                    good.append(trial)
                else:
                    self.notes[trial.task.name] = f"ran again in order: {_why(trial.process.pod, limit)}"
                self._drop(trial)
        return good

    def _drop(self, trial: Trial) -> None:
        """Nothing is left of an attempt but what it was good for."""
        trial.process.kill()
        self.trials.pop(trial.task.name, None)
        drop_folder(self.folder, trial.word)

    def stop(self, reason: str) -> None:
        """End all attempts."""
        for trial in self.trials.values():
            trial.cut = trial.cut or reason
            for process in (trial.process, trial.check):
                if process is not None and process.code is None:
                    process.terminate()

    def close(self) -> None:
        """The run is over: forget what is left."""
        for trial in [*self.trials.values()]:
            self._drop(trial)
        shutil.rmtree(self.folder.early, ignore_errors=True)


def _look(folder: Path) -> Look | None:
    """Names, sizes and times of all that is in a folder; None where that is too much."""
    found = {entry.path: entry.stamp for entry in islice(scan(folder, ()), LOOKED_AT + 1)}
    return found if len(found) <= LOOKED_AT else None


def _why(pod: Pod, limit: int) -> str:
    """What the comparison said, in words."""
    try:
        found = json.loads(termination_message(pod.termination, limit))
        return str(found["message"])
    except (ValueError, KeyError, TypeError):
        return "what it left could not be compared"


def hand_over(trial: Trial, log: Path) -> None:
    """Put what an attempt has written into the step's log. Raises OSError."""
    with trial.log.open("rb") as source, os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)

"""Runs the steps of a program: starts what may start, watches what runs, retries, ends, and writes down what it sees.

Everything here happens in one thread of one process, the run's supervisor; ``tick`` never blocks. The order is the
document's: of the steps that may start, the earlier one starts first, and as many run beside each other as there are
processors.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_mlops.engine.branches import branch_of
from jupyter_mlops.engine.local.again import again
from jupyter_mlops.engine.local.assemble import Executed
from jupyter_mlops.engine.local.attempt import Attempt
from jupyter_mlops.engine.local.branches import branches_of, drop_folder, make_folder
from jupyter_mlops.engine.local.early import Early, Given, Trial, hand_over
from jupyter_mlops.engine.local.folder import RunFolder, replace_file
from jupyter_mlops.engine.local.machine import Machine
from jupyter_mlops.engine.local.manifest import Program, Task, condition
from jupyter_mlops.engine.local.observe import Observed, read_outputs
from jupyter_mlops.engine.local.pod import Host, make_pod
from jupyter_mlops.engine.local.process import StepProcess, refused, start
from jupyter_mlops.engine.local.status import Status
from jupyter_mlops.engine.local.template_text import replace
from jupyter_mlops.engine.logs import Tail
from jupyter_mlops.errors import MlopsError
from jupyter_mlops.settings import Steps as StepSettings

ENDED_WELL = frozenset({"Succeeded", "Skipped"})
SHUTDOWN = "workflow shutdown with strategy: Stop"
_TIDY = 0.5
"""Seconds in which helpers of a step (a tracker of shared memory, say) may end by themselves when it has ended."""

_REFRESH = 1.0
"""Seconds between two versions of the executed notebook while a step runs."""


@dataclass(slots=True)
class Steps:
    """All steps of one run."""

    program: Program
    status: Status
    folder: RunFolder
    executed: Executed
    interpreter: Sequence[str]
    cache: Path
    notebooks: Sequence[Path]
    settings: StepSettings
    machine: Machine
    work: Path
    early: Early
    phases: dict[str, str] = field(default_factory=dict)
    """How each finished step ended."""

    running: list[Attempt] = field(default_factory=list)
    ended: list[tuple[StepProcess, float]] = field(default_factory=list)
    """Attempts that are over, and when: what is left of them may tidy up for a moment and is then ended."""

    stopping: str = ""
    paused: bool = False
    """What runs goes on; nothing else starts."""

    _written: float = 0.0
    _tails: dict[str, Tail] = field(default_factory=dict)

    claims: Path | None = None
    """Folder that holds one for each PersistentVolumeClaim."""

    copy_limit: int = 1 << 30
    """Bytes of the working folder that a branch gets a copy of; bigger files are shared."""

    _chosen: set[str] = field(default_factory=set)
    """Tasks whose condition is true."""

    _branches: dict[str, list[Task]] = field(default_factory=dict)
    """Task → its branches, once its items are known."""

    _exiting: bool = False
    _ended_as: str = ""
    """Phase of the DAG when the exit handler began."""

    @property
    def done(self) -> bool:
        """Whether nothing runs and nothing can start any more."""
        if self.running or self.early.busy:
            return False
        if not self._exiting:
            return not (self._ready() or self._undecided() or self.program.last)
        return not self._ready()

    @property
    def outcome(self) -> str:
        """Argo's phase of the run, once it is done."""
        found = {
            self.phases.get(task.name, "Omitted") for task in (*self.program.tasks, *(self.program.last if self._exiting else ()))
        }
        if "Error" in found:
            return "Error"
        return "Succeeded" if found <= ENDED_WELL else "Failed"

    def tick(self) -> None:
        """Take notice of all that has happened, and start what may start."""
        for attempt in list(self.running):
            attempt.observed.look()
            self._note(attempt)
            code = attempt.process.code
            if code is not None:
                self._finish(attempt, code)
            else:
                self._hasten(attempt)
        self._look_early()
        limit = self.program.parallelism or max(1, os.cpu_count() or 1)
        if not self.paused:
            self._decide()
            self._settle()
            self._go_on_to_exit()
        for task in () if self.paused else self._ready():
            if len(self.running) < limit and not self.early.holds(task):
                self._start(task, 0)
        self._try_early(limit)
        self._sweep()
        self._refresh()

    def stop(self, reason: str) -> None:
        """End everything that runs and start nothing more."""
        self.stopping = self.stopping or reason
        self.early.stop(reason)
        for attempt in self.running:
            if attempt.task.last:  # an exit handler is what runs when all else was stopped
                continue
            attempt.cut = attempt.cut or reason
            attempt.process.terminate()

    def close(self) -> None:
        """Say of the steps that never started that they will not."""
        self.early.close()
        for task in (*self.program.tasks, *self.program.last):
            pending = self._branches.get(task.name, [task])
            for one in pending if task.name not in self.phases or task.name in self._branches else ():
                if one.name not in self.phases:
                    self.status.omit(one, self.stopping or "omitted: a step that it needs did not succeed")
        if self._exiting:
            ends = [self.phases.get(task.name) for task in self.program.last]
            self.status.end_exit("Succeeded" if all(end == "Succeeded" for end in ends) else "Failed")
        self._refresh(now=True)
        while self.ended:
            self._sweep()
            time.sleep(0.01 if self.ended else 0)

    # -- what may start ----------------------------------------------------------------------------------------------------

    def _ready(self) -> list[Task]:
        """Steps that may start now, in document order; those of the exit handler whatever happened before."""
        busy = {attempt.task.name for attempt in self.running} | set(self.phases)
        if self._exiting:
            return [task for task in self.program.last if task.name not in busy and self._free(task)]
        if self._halted:
            return []
        found = []
        for task in self.program.tasks:
            if task.items:
                found += [branch for branch in self._branches.get(task.name, ()) if branch.name not in busy]
            elif task.name not in busy and self._free(task) and (not task.when or task.name in self._chosen):
                found.append(task)
        return found

    @property
    def _halted(self) -> bool:
        """Whether nothing more of the DAG starts."""
        return bool(self.stopping) or (self.program.fail_fast and any(phase not in ENDED_WELL for phase in self.phases.values()))

    def _free(self, task: Task) -> bool:
        """Whether all that a task needs has ended well."""
        return all(
            self.phases.get(name) == "Succeeded" or (self.phases.get(name) == "Skipped" and name in task.skippable)
            for name in task.needs
        )

    def _undecided(self) -> list[Task]:
        """Tasks whose condition or items can be read now, and have not been."""
        known = self._chosen | set(self._branches) | set(self.phases)
        tasks = () if self._halted else self.program.tasks
        return [task for task in tasks if (task.when or task.items) and task.name not in known and self._free(task)]

    def _decide(self) -> None:
        """Read conditions and items, as far as the steps before have told them."""
        while undecided := self._undecided():
            for task in undecided:
                known = self._known(self._common())
                sides = condition(replace(task.when, known)) if task.when else ("", "")
                branches = branches_of(task, replace(task.items, known)) if task.items else None
                if sides is None or sides[0] != sides[1]:
                    self._pass_over(task, f"when '{replace(task.when, known)}' evaluated false")
                elif task.items and branches is None:
                    self.status.omit(task, f"withParam is no list: {replace(task.items, known)[:200]}")
                    self.phases[task.name] = "Error"
                elif task.items and not branches:
                    self._pass_over(task, "Skipped, empty params")
                elif branches:
                    self._branches[task.name] = branches
                    self.status.begin_group(task)
                else:
                    self._chosen.add(task.name)

    def _pass_over(self, task: Task, message: str) -> None:
        self.phases[task.name] = "Skipped"
        self.status.skip(task, message)

    def _settle(self) -> None:
        """End groups all of whose branches are over, or will not start any more."""
        for task in self.program.tasks:
            branches = self._branches.get(task.name)
            if branches is None or task.name in self.phases or any(attempt.task.group == task.name for attempt in self.running):
                continue
            ends = {self.phases.get(branch.name, "Omitted") for branch in branches}
            if "Omitted" in ends and not self._halted:
                continue
            phase = "Error" if "Error" in ends else "Succeeded" if ends == {"Succeeded"} else "Failed"
            self.phases[task.name] = phase
            self.status.end_group(task, branches, phase)

    def _go_on_to_exit(self) -> None:
        """When the DAG is over, the exit handler begins."""
        over = not (self.running or self._ready() or self._undecided())
        if self.program.last and not self._exiting and over:
            self._ended_as = "Failed" if self.stopping else self.outcome
            self._exiting = True
            self.status.begin_exit(self.program.exit)

    def _common(self) -> dict[str, str]:
        metadata = self.status.document["metadata"]
        known = {"workflow.name": self.folder.name, "workflow.uid": str(metadata.get("uid", ""))}
        known["workflow.namespace"] = str(metadata.get("namespace") or "local")
        known |= {"workflow.status": self._ended_as} if self._exiting else {}
        return known | {f"workflow.parameters.{name}": value for name, value in self.program.parameters.items()}

    def _known(self, common: Mapping[str, str]) -> dict[str, str]:
        """Tags and their values, as far as tasks have ended."""
        known = dict(common)
        for task in self.program.last if self._exiting else self.program.tasks:
            if task.name in self.phases:
                known[f"tasks.{task.name}.status"] = self.phases[task.name]
                for output, value in self.status.outputs(task).items():
                    known[f"tasks.{task.name}.outputs.parameters.{output}"] = value
        return known

    def _inputs(self, task: Task, common: Mapping[str, str]) -> dict[str, str]:
        """Values of a task's inputs: its arguments with all tags filled in, else the template's defaults."""
        known = self._known(common)
        given: dict[str, str] = replace(dict(task.arguments), known)
        defaults = {name: value for name, value in task.template.inputs.items() if value is not None}
        return {**replace(defaults, common), **given}

    def _start(self, task: Task, number: int) -> None:
        common = self._common()
        inputs = self._inputs(task, common)
        node = self.status.start_step(task, number, inputs, self.machine.note(task.template.container))
        try:
            self.early.before(task, self.phases)
            work = make_folder(self.folder, self.work, task.name, self.copy_limit) if task.group else self.work
            pod = make_pod(task, inputs, common, self.folder, self._host(work), attempt=number)
            process = start(pod, self.folder.log(task.name), self.settings.termination_bytes)
            replace_file(self.folder.pod(task.name) / "process.json", process.record())
        except (OSError, MlopsError) as error:
            message = refused(error, getattr(error, "code", "not-started"), getattr(error, "fix", "") or "Look at the message.")
            self.status.end_attempt(node, "Error", message, 64, {})
            self._over(task, node, "Error")
            return
        tail = self._tails.setdefault(task.name, Tail(self.folder.log(task.name)))
        self.running.append(Attempt(task, node, number, process, Observed(tail)))

    def _host(self, work: Path) -> Host:
        return Host(self.interpreter, self.cache, os.environ, work, self.claims)

    # -- before their turn -------------------------------------------------------------------------------------------------

    def _try_early(self, limit: int) -> None:
        """Try later steps beside the only one that runs in its turn."""
        if len(self.running) != 1 or self.paused or self._halted or self._exiting:
            return
        [now] = self.running
        if self.early.due(now.task, time.monotonic() - now.process.began):
            common = self._common()
            given = Given(self._host(self.work), common, self._inputs(now.task, common).get("state", ""))
            self.early.begin(now.task, self.phases, limit - 1, given)

    def _look_early(self) -> None:
        """Take over attempts that were good; those that cannot become anything any more are ended."""
        for trial in self.early.look(self.settings.termination_bytes):
            task = trial.task
            node = self.status.start_step(task, 0, self._inputs(task, self._common()), "")
            self.status.began(node, trial.began)
            with suppress(OSError):  # a full disk: the log is in the report, too
                hand_over(trial, self.folder.log(task.name))
            tail = self._tails.setdefault(task.name, Tail(self.folder.log(task.name)))
            self.running.append(attempt := Attempt(task, node, 0, trial.process, Observed(tail)))
            self._finish(attempt, 0)
        if self._halted and not self.stopping:
            self.early.stop("a step before it failed")
        for trial in self.early.trials.values():
            self._hasten(trial)

    # -- what runs ---------------------------------------------------------------------------------------------------------

    def _note(self, attempt: Attempt) -> None:
        """Write down what a step has told."""
        self.status.tell(attempt.node, attempt.observed)

    def _hasten(self, attempt: Attempt | Trial) -> None:
        """End a step that is past its time, and kill one that does not end."""
        now, process = time.monotonic(), attempt.process
        limit = attempt.task.template.timeout
        if limit is not None and now - process.began > limit:
            attempt.cut = attempt.cut or "Step exceeded its deadline"
            process.terminate()
        if process.ending is not None and now - process.ending > self.settings.stop_grace:
            process.kill()

    def _finish(self, attempt: Attempt, code: int) -> None:
        """A step's first process has ended: so does all of it."""
        self.ended.append((attempt.process, time.monotonic()))
        self.running.remove(attempt)
        pod = attempt.process.pod
        attempt.observed.finish(pod.reports)
        self._note(attempt)
        outputs, missing = read_outputs(pod.outputs)
        message = attempt.process.message(code) if code else self.early.notes.get(attempt.task.name, "")
        phase = "Succeeded" if code == 0 else "Failed"
        if attempt.cut and code:
            message = attempt.cut
        elif code == 0 and missing:
            phase, message = "Error", f"wait: Error (exit code 64): no file {missing[0]} for the output parameter {missing[1]!r}"
        if code and self._again(attempt.task, message):
            return
        if attempt.observed.running_cell is not None and code:
            self.executed.end_cell(attempt.observed.running_cell, message)
        self.status.end_attempt(attempt.node, phase, message, code, outputs)
        self._show(attempt)
        retry = attempt.task.template
        again = {"Failed": ("OnFailure", "Always"), "Error": ("OnError", "Always")}.get(phase, ())
        if not self.stopping and attempt.number < retry.retries and retry.retry_policy in again:
            self._start(attempt.task, attempt.number + 1)
        else:
            self._over(attempt.task, attempt.node, phase)

    def _again(self, task: Task, message: str) -> bool:
        """Whether a step failed since lanes met; then these run again, in order."""
        found = None if self.stopping else again(self.program, task, self.early.needs, self.folder, message)
        if found is None:
            return False
        self.program = found.program
        for one in found.tasks:
            self.phases.pop(one.name, None)
            self.status.forget(one)
            self.early.notes[one.name] = found.why
        self.early.notes.pop(task.name)
        return True

    def _sweep(self) -> None:
        """End what is left of attempts that are over; what tidies up after them (shared memory, say) gets a moment."""
        for process, since in list(self.ended):
            if not process.lingers or time.monotonic() - since > _TIDY:
                process.kill()
                self.ended.remove((process, since))

    def _over(self, task: Task, node: str, phase: str) -> None:
        self.phases[task.name] = phase
        if task.group:
            drop_folder(self.folder, task.name)
        every = [one for main in self.program.tasks for one in self._branches.get(main.name, [main])]
        every += self.program.last if self._exiting else ()
        good = sum(1 for one in every if self.phases.get(one.name) in ENDED_WELL)
        self.status.end_step(task, node, done=good, total=len(every))

    # -- the executed notebook ---------------------------------------------------------------------------------------------

    def _show(self, attempt: Attempt) -> None:
        """Take over the outputs that a step has reported."""
        self.executed.use(self.notebooks)
        for folder in attempt.process.pod.reports:
            self.executed.add(folder, branch_of(attempt.task.name))
        attempt.observed.reported = False

    def _refresh(self, *, now: bool = False) -> None:
        """Write the executed notebook, not more often than people can see."""
        fresh = [attempt for attempt in self.running if attempt.observed.reported]
        if now or (fresh and time.monotonic() - self._written >= _REFRESH):
            for attempt in fresh:
                self._show(attempt)
            self._written = time.monotonic()
            with suppress(OSError):  # a full disk is told by the step that meets it
                self.executed.write()

"""A run in its supervisor: prepare the workspace, drive the steps, publish, record, clean up.

The order at the end matters. Files are published and the run is recorded before its last state is written: whoever waits
for the end then finds everything there. What could not be recorded is said in the run's message and changes nothing else.
"""

from __future__ import annotations

import errno
import json
import shutil
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_mlops.engine.decode import PLAN
from jupyter_mlops.engine.local.assemble import Executed, notebooks
from jupyter_mlops.engine.local.early import Early
from jupyter_mlops.engine.local.folder import RunFolder
from jupyter_mlops.engine.local.machine import Machine
from jupyter_mlops.engine.local.manifest import read_program
from jupyter_mlops.engine.local.order import needs_of_early
from jupyter_mlops.engine.local.publish import publish
from jupyter_mlops.engine.local.record import forget_attempts, record_run
from jupyter_mlops.engine.local.request import Request
from jupyter_mlops.engine.local.retention import prune
from jupyter_mlops.engine.local.status import Status
from jupyter_mlops.engine.local.steps import SHUTDOWN, Steps
from jupyter_mlops.engine.local.surroundings import give_back_around, surround, view_path
from jupyter_mlops.engine.local.workspace import Entry, copy
from jupyter_mlops.errors import MlopsError, PlatformError, StorageFull

STOPPED = "Stopped with strategy 'Stop'"


@dataclass(slots=True)
class LocalRun:
    """One run, driven by ``tick`` until it is over."""

    folder: RunFolder
    request: Request
    status: Status
    steps: Steps
    before: dict[str, Entry] = field(default_factory=dict)
    failure: dict[str, Any] | None = None
    """Why the engine itself ended the run."""

    pruned: bool = False
    late: bool = False
    """Whether the run went past its own deadline."""

    @classmethod
    def open(cls, folder: RunFolder) -> LocalRun:
        """The run that a submitter left in a folder."""
        request, document = Request.from_document(folder.read_request()), folder.read_workflow()
        program = read_program(document)
        status, storage = Status(folder, document), request.settings.storage
        sources = notebooks(program.parameters.get("mlops-bundle", ""), request)
        work = view_path(folder.work, request.home)
        annotation = (document["metadata"].get("annotations") or {}).get(PLAN)
        after = -1.0 if program.parameters.get("mlops-resume") else request.settings.steps.early_after
        steps = Steps(
            program, status, folder, Executed(folder.executed), request.interpreter or (sys.executable,), storage.cache, sources,
            request.settings.steps, Machine(), work,
            Early(program, needs_of_early(annotation), folder, work, Machine(), after),
            claims=storage.home / "claims", copy_limit=request.settings.workspace.copy_limit,
        )  # fmt: skip
        return cls(folder, request, status, steps)

    @property
    def over(self) -> bool:
        """Whether nothing is left to run."""
        return self.failure is not None or self.steps.done

    @property
    def home(self) -> Path | None:
        """The notebook's folder."""
        return self.request.home

    def begin(self) -> None:
        """Say that the run is running, and make its workspace."""
        self.status.begin(self.steps.program)
        self._save()
        try:
            self.folder.work.mkdir(mode=0o700, exist_ok=True)
            self.request.settings.storage.cache.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.home is not None:
                self._fill(self.home)
        except OSError as error:
            self.failure = failure_of(error)

    def _fill(self, home: Path) -> None:
        """Copy the notebook's folder; which files are shared instead is said in the first step's log."""
        workspace, leave = self.request.settings.workspace, self.request.settings.storage.home
        surround(self.folder.work, home)
        self.before, shared = copy(home, self.steps.work, workspace.ignore, limit=workspace.copy_limit, leave=leave)
        if shared and self.steps.program.tasks:
            names = ", ".join(sorted(shared)[:10]) + (f" and {len(shared) - 10} more" if len(shared) > 10 else "")  # noqa: PLR2004
            with self.folder.log(self.steps.program.tasks[0].name).open("a", encoding="utf-8") as log:
                log.write(f"jupyter-mlops: too big to copy, so the run shares the notebook's own {names}\n")

    def tick(self) -> None:
        """Let the steps go on, and write down how far they are."""
        limit = self.steps.program.deadline
        if limit is not None and time.time() - self.request.created > limit:
            self.late = True
            self.steps.stop("Step exceeded workflow deadline")
        self.steps.tick()
        self._save()
        if not self.pruned:
            self.pruned = True
            self._prune()

    def pause(self, *, paused: bool) -> None:
        """Start no further step, or go on, as ``spec.suspend`` does."""
        if paused != self.steps.paused:
            self.steps.paused = paused
            self.status.suspend(paused=paused)

    def stop(self) -> None:
        """Stop the run, as ``spec.shutdown`` does."""
        self.status.shut_down()
        self.steps.stop(SHUTDOWN)

    def end(self) -> None:
        """Publish, record, write the last state, clean up."""
        self.steps.close()
        phase, message = self.steps.outcome, ""
        if self.failure is not None:
            phase, message = "Error", str(self.failure["message"])
        elif self.steps.stopping:
            phase, message = "Failed", "Max duration limit exceeded" if self.late else STOPPED
        elif phase == "Succeeded":
            message = "; ".join(self._publish())
        self.status.end(phase, message, self.failure)
        forget_attempts(self.request, self.folder.name, self.steps.early.tried)
        if problem := record_run(self.folder, self.request, self.status.document):
            self.status.note("; ".join(part for part in (message, problem) if part))
        self.status.save_at_last()
        for leftover in ("work", "pods", "branches", "early"):
            shutil.rmtree(self.folder.path / leftover, ignore_errors=True)
        (self.folder.path / "reserve").unlink(missing_ok=True)

    def _publish(self) -> list[str]:
        """Give back what the run made; what people should know of it also goes to the last step's log."""
        if self.home is None or self.request.notebook is None:
            return []
        ignore = self.request.settings.workspace.ignore
        name = Path(self.request.notebook).name
        try:
            done = publish(self.steps.work, self.home, self.before, ignore, run=self.folder.name, notebook=name)
        except OSError as error:
            return [f"the files of the run could not be written to the notebook's folder: {error}"]
        lines = done.lines() + give_back_around(self.folder.work, self.home)
        if lines:
            with self.folder.log(self.steps.program.tasks[-1].name).open("a", encoding="utf-8") as log:
                log.writelines(f"jupyter-mlops: {line}\n" for line in lines)
        return done.kept

    def _prune(self) -> None:
        """Make room: older runs of this pipeline go when a new one starts."""
        from jupyter_mlops.oci.open import open_store

        try:
            prune(self.request.settings, open_store(self.request.store), self.request.pipeline)
        except (OSError, MlopsError) as error:
            print(f"older runs were not removed: {error}", file=sys.stderr)  # noqa: T201

    def _save(self) -> None:
        """Write the state; a full disk is tried again at the next tick."""
        try:
            self.status.save()
        except OSError as error:
            print(f"the state could not be written: {error}", file=sys.stderr)  # noqa: T201


def failure_of(error: OSError | MlopsError) -> dict[str, Any]:
    """A failure of the platform in the form of a termination message."""
    if isinstance(error, OSError):
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        kind = StorageFull if full else PlatformError
        error = kind(
            f"the run could not be prepared: {error}",
            fix="Free space on the disk, or delete runs that are no longer needed." if full else "Look at the message.",
        )
    return json.loads(json.dumps(error.to_dict())) | {"blame": error.blame}  # type: ignore[no-any-return]

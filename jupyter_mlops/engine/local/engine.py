"""The port of engines on this machine: a folder of runs that any number of processes share.

The engine holds no state of its own but what it has read. It starts a supervisor for each run and otherwise reads what
supervisors write, so that the command line, a notebook's kernel and two Jupyter Servers see the same runs and can each stop
or delete them.
"""

from __future__ import annotations

import contextlib
import copy
import os
import shutil
import signal
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from jupyter_mlops.engine.base import DONE, Failure, LogLine, Run, Submission, Verb
from jupyter_mlops.engine.branches import group_of
from jupyter_mlops.engine.decode import run_of
from jupyter_mlops.engine.local.folder import RunFolder
from jupyter_mlops.engine.local.identity import alive
from jupyter_mlops.engine.local.launch import check_machine, start_supervisor, storage_error
from jupyter_mlops.engine.local.manifest import read_program
from jupyter_mlops.engine.local.names import check_name, new_name
from jupyter_mlops.engine.local.recover import STARTING, end_steps, orphaned, settle
from jupyter_mlops.engine.local.request import Request
from jupyter_mlops.engine.local.retention import delete_run
from jupyter_mlops.engine.local.workspace import check_count
from jupyter_mlops.engine.logs import POLL, read
from jupyter_mlops.engine.times import rfc3339
from jupyter_mlops.errors import Conflict, Corrupt, MlopsError, NotFound, WrongUsage

if TYPE_CHECKING:
    from jupyter_mlops.oci.store import Store
    from jupyter_mlops.settings import Settings


STOP_MARGIN = 10.0
"""Seconds beyond a step's grace that a supervisor may take to stop its run, publishing its record included."""


class LocalEngine:
    """Runs Workflows as processes of this machine."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._pipelines: dict[tuple[str, float], str] = {}

    # -- starting ----------------------------------------------------------------------------------------------------------

    def submit(self, submission: Submission) -> Run:
        """Start a run and return it as soon as its supervisor is up.

        Raises:
            Refused: the Workflow is beyond what one machine runs, the notebook's folder has too many files, or a secret is not set.
            PlatformError: it asks for a device that is not here, or no process can be started.
            StorageFull: there is no room for the run's folder.
            Conflict: a run of that name exists.
        """
        program = read_program(submission.workflow)
        check_machine(program)
        document = copy.deepcopy(dict(submission.workflow))
        try:
            folder = self._claim(document)
        except OSError as error:
            raise storage_error(error, self._settings.storage.runs) from error
        try:
            self._check_folder(submission)
            self._write(folder, document, submission)
            start_supervisor(folder)
        except BaseException as error:
            shutil.rmtree(folder.path, ignore_errors=True)
            if isinstance(error, OSError):
                raise storage_error(error, folder.path) from error
            raise
        return self.get(folder.name)

    def _claim(self, document: dict[str, Any]) -> RunFolder:
        """A folder under a name that nobody else has, as the document says or with five letters of our own."""
        metadata = document.setdefault("metadata", {})
        runs = self._settings.storage.runs
        self._settings.storage.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        runs.mkdir(mode=0o700, exist_ok=True)
        given = metadata.get("name")
        while True:
            name = check_name(str(given)) if given else new_name(str(metadata.get("generateName") or "run-"))
            try:
                (runs / name).mkdir(mode=0o700)
            except FileExistsError as error:
                if given:
                    fix = "Delete it, or choose another name."
                    raise Conflict(f"a run named {name!r} exists", code="run-exists", fix=fix) from error
                continue
            return RunFolder(runs / name)

    def _write(self, folder: RunFolder, document: dict[str, Any], submission: Submission) -> None:
        created = round(time.time(), 6)  # as the document has it
        metadata = document["metadata"]
        metadata |= {"name": folder.name, "uid": str(uuid.uuid4()), "creationTimestamp": rfc3339(created), "resourceVersion": "1"}
        document["status"] = {"phase": "Pending"}
        folder.logs.mkdir(mode=0o700)
        (folder.path / "pods").mkdir(mode=0o700)
        folder.reserve()
        pipeline = run_of(document).pipeline
        request = Request(
            pipeline, created, self._store.address, self._settings, submission.notebook, tuple(submission.interpreter)
        )
        folder.write_request(request.to_document(), created)
        folder.write_workflow(document)

    def _check_folder(self, submission: Submission) -> None:
        """Refuse a folder that is not a notebook's before anything starts."""
        if submission.notebook is not None:
            home = Path(submission.notebook).parent
            if not home.is_dir():
                raise NotFound(f"there is no folder {home}", code="folder-not-found", fix="Check the notebook's path.")
            check_count(home, self._settings.workspace.ignore, leave=self._settings.storage.home)

    # -- looking -----------------------------------------------------------------------------------------------------------

    def get(self, name: str) -> Run:
        """The run as it is now; one whose files are damaged is an Error that says so. Raises NotFound."""
        return self._read(self._folder(name))

    def list(self, *, pipeline: str | None = None, limit: int = 50, before: float | None = None) -> Sequence[Run]:
        """Newest first. A damaged run is listed as such: it hides no other, and can be deleted."""
        found: list[Run] = []
        for created, path in self._newest_first():
            if len(found) >= limit:
                break
            if (before is not None and created >= before) or (pipeline is not None and self._pipeline(created, path) != pipeline):
                continue
            with contextlib.suppress(MlopsError, OSError):
                run = self._read(RunFolder(Path(path)))
                if (pipeline is None or run.pipeline == pipeline) and (before is None or run.created < before):
                    found.append(run)
        return found

    def watch(self, name: str) -> Iterator[Run]:
        """The run now, then at every change, until it is done or deleted."""
        run = self.get(name)
        yield run
        folder = self._folder(name)
        seen = _stamp(folder)
        last_check = time.monotonic()
        while run.phase not in DONE:
            time.sleep(POLL)
            now = _stamp(folder)
            if now == seen and time.monotonic() - last_check < 1.0:
                continue
            seen, last_check = now, time.monotonic()
            try:
                latest = self._read(folder)
            except NotFound:
                return
            if latest.revision != run.revision:
                run = latest
                yield run

    def logs(self, name: str, *, step: str | None = None, follow: bool = False) -> Iterator[LogLine]:
        """Lines in the order in which they were written; steps one after the other, as they started. Raises NotFound."""
        run, folder = self.get(name), self._folder(name)
        if step is not None and step not in {known.name for known in run.steps}:
            names = ", ".join(known.name for known in run.steps)
            raise NotFound(f"run {name!r} has no step {step!r}", code="step-not-found", fix=f"Its steps are {names}.")

        def look() -> tuple[Mapping[str, Path], bool]:
            try:
                now = self._read(folder)
            except MlopsError:
                return {}, True
            begun = sorted((known for known in now.steps if known.started is not None), key=lambda known: known.started or 0.0)
            wanted = [known for known in begun if step in {None, known.name, group_of(known.name)}]
            over = now.phase in DONE or (step is not None and all(known.phase in DONE for known in wanted) and bool(wanted))
            return {known.name: folder.log(known.name) for known in wanted}, over

        return read(look, follow=follow)

    # -- acting ------------------------------------------------------------------------------------------------------------

    def control(self, name: str, verb: Verb) -> Run:
        """Do it and return the run as it then is, or was. Raises NotFound, WrongUsage, Conflict."""
        if verb not in get_args(Verb):
            raise WrongUsage(f"a run cannot be told to {verb!r}", fix=f"Use {', '.join(get_args(Verb))}.")
        folder = self._folder(name)
        run = self.get(name)
        if verb in {"pause", "unpause", "approve"}:
            if run.phase in DONE:
                raise Conflict(f"{name} is over ({run.phase}): there is nothing to {verb}", code="run-over")
            if verb == "approve":
                raise Conflict(f"no step of {name} waits for an approval", code="nothing-waits")
            return self._pause(folder, paused=verb == "pause")
        if run.phase not in DONE:
            run = self._stop(folder)
        if verb == "delete":
            with contextlib.suppress(FileNotFoundError):
                delete_run(self._store, run.pipeline, folder)
        return run

    def _stop(self, folder: RunFolder) -> Run:
        """Ask the supervisor, and wait until it has ended the steps; a supervisor that does not is killed."""
        folder.stop.touch(mode=0o600)
        supervisor = folder.read_request().get("supervisor") or {}
        if alive(supervisor):
            with contextlib.suppress(ProcessLookupError):
                os.kill(supervisor["pid"], signal.SIGTERM)
        end = time.monotonic() + self._settings.steps.stop_grace + STOP_MARGIN
        while (run := self._read(folder)).phase not in DONE:
            if time.monotonic() > end and alive(supervisor):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(supervisor["pid"], signal.SIGKILL)
            time.sleep(POLL / 2)
        return run

    def _pause(self, folder: RunFolder, *, paused: bool) -> Run:
        """Tell the supervisor, and wait until it has written it down."""
        if paused:
            folder.pause.touch(mode=0o600)
        else:
            folder.pause.unlink(missing_ok=True)
        while (run := self._read(folder)).paused != paused and run.phase not in DONE:
            time.sleep(POLL / 2)
        return run

    # -- reading -----------------------------------------------------------------------------------------------------------

    def _folder(self, name: str) -> RunFolder:
        return RunFolder(self._settings.storage.runs / check_name(name))

    def _read(self, folder: RunFolder) -> Run:
        """A run, settled first if its supervisor is gone."""
        try:
            document, request = folder.read_workflow(), folder.read_request()
            if orphaned(document, request):
                settle(folder)
                document = folder.read_workflow()
        except Corrupt as error:
            return _damaged(folder, error)
        executed = str(folder.executed) if folder.executed.exists() else None
        return run_of(document, {"notebook": request.get("notebook"), "executed": executed})

    def _pipeline(self, created: float, path: str) -> str | None:
        """Pipeline of a run; None if it cannot be told. It never changes, so it is read once for a name and time."""
        key = (path, created)
        if key not in self._pipelines:
            with contextlib.suppress(MlopsError, KeyError):
                self._pipelines[key] = RunFolder(Path(path)).read_request()["pipeline"]
        return self._pipelines.get(key)

    def _newest_first(self) -> Sequence[tuple[float, str]]:
        """(creation, folder) of every run, from file times alone: a page of ten thousand runs opens only what it shows."""
        with contextlib.suppress(FileNotFoundError):
            found = [
                (_created(item.path), item.path)
                for item in os.scandir(self._settings.storage.runs)
                if not item.name.startswith(".") and item.is_dir(follow_symlinks=False)
            ]
            return sorted(found, key=lambda pair: (-pair[0], pair[1]))
        return []


def _created(path: str) -> float:
    """When the run in a folder was submitted; 0.0 if nothing tells. Called for every run there is, so without ``pathlib``."""
    for known in (f"{path}/request.json", path):
        with contextlib.suppress(OSError):
            return os.stat(known).st_mtime_ns / 1e9  # noqa: PTH116
    return 0.0


def _damaged(folder: RunFolder, error: Corrupt) -> Run:
    """A run whose files cannot be read, as far as anything is known of it. Raises NotFound while it is being submitted."""
    created = _created(str(folder.path))
    if not folder.workflow.exists() and time.time() - created < STARTING:
        raise NotFound(f"there is no run {folder.name!r} here", code="run-not-found", fix="See `jupyter mlops runs`.") from error
    end_steps(folder)
    failure = Failure(error.code, error.message, blame=error.blame, fix=error.fix)
    return Run(folder.name, folder.name.rpartition("-")[0] or folder.name, "Error", (), created, finished=created, failure=failure)


def _stamp(folder: RunFolder) -> tuple[int, int] | None:
    try:
        about = folder.workflow.stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_ino

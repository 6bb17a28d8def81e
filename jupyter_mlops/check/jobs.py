"""Checks that go on by themselves: one folder for each notebook, where its last check is found again.

A check takes as long as the notebook three times over, so it belongs to a detached process: a reloaded page or a stopped
server ends nothing, and every server over the same state folder sees it. The process holds the folder's lock for as long as
it lives, which is at once how it is known to live, and why no second check of the notebook starts beside it.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_mlops.check.leftovers import collect
from jupyter_mlops.errors import Bug, Conflict, MlopsError, NotFound, PlatformError
from jupyter_mlops.flow import Workbench
from jupyter_mlops.oci.lock import open_lock, try_lock
from jupyter_mlops.registry.bundles import source_digest
from jupyter_mlops.workflow.parameters import check_parameters

_PATIENCE = 1.0
"""Seconds that a start waits for the lock: somebody who only looks whether it is free holds it for microseconds."""

_START_LIMIT = 30.0
"""Seconds that the process may take to come up on a machine under load."""


@dataclass(frozen=True, slots=True)
class Job:
    """The folder of a notebook's check. Its document, ``check.json``, is replaced whole with every change."""

    folder: Path

    @property
    def document(self) -> Path:
        """How far it is, and what it found."""
        return self.folder / "check.json"

    @property
    def asked(self) -> Path:
        """There when somebody wants it to stop."""
        return self.folder / "stop"

    def read(self) -> dict[str, Any]:
        """The document; a check whose process is gone has ended, whatever it wrote last. Raises NotFound."""
        alive = self.alive()
        found = self._written()
        if found["phase"] != "Running" or alive:
            return found
        found = self._written()  # it may have said its last word between the two looks
        if found["phase"] != "Running":
            return found
        lost = PlatformError(
            "the process of the check ended", code="check-lost", fix="Check again; look whether the machine ran out of memory."
        )
        ended = {"phase": "Stopped"} if self.asked.exists() else {"phase": "Failed", "error": lost.to_dict()}
        return {**found, **ended, "finished": self.document.stat().st_mtime}

    def write(self, document: Mapping[str, Any]) -> None:
        """Replace the document. Raises OSError."""
        handle, temporary = tempfile.mkstemp(dir=self.folder, prefix=".check-")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(document, file)
        Path(temporary).replace(self.document)

    def alive(self) -> bool:
        """Whether its process holds the lock."""
        handle = open_lock(self.folder / "lock")
        try:
            return not try_lock(handle)
        finally:
            os.close(handle)

    @contextmanager
    def held(self) -> Iterator[int]:
        """The lock, as a descriptor that a process can be given. Raises Conflict while a check goes on."""
        handle = open_lock(self.folder / "lock")
        try:
            until = time.monotonic() + _PATIENCE
            while not try_lock(handle):
                if time.monotonic() > until:
                    raise Conflict(
                        "this notebook is being checked already", fix="Wait for that check, or stop it.", code="check-goes-on"
                    )
                time.sleep(0.01)
            yield handle
        finally:
            os.close(handle)

    def _written(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self.document.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise NotFound(f"no check {self.folder.name}", fix="Check the notebook first.") from error
        return found


def name_of(path: Path) -> str:
    """The name of a notebook's check: of its place, since there is one at a time."""
    return "check-" + hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]


def start(bench: Workbench, path: Path, parameters: Mapping[str, Any] | None = None, kernel: str | None = None) -> dict[str, Any]:
    """Begin to check a notebook in a process of its own; what it cannot be checked for is said at once.

    Raises:
        Refused: the notebook cannot be a pipeline.
        NotFound: there is no such notebook.
        WrongUsage: a parameter.
        Conflict: it is being checked already.
        PlatformError: the process does not come up.
    """
    path = path.resolve()
    notebook = bench.read(path)
    values = check_parameters(bench.convert(notebook, path.parent), parameters or {})
    job = Job(bench.settings.storage.checks / name_of(path))
    job.folder.mkdir(parents=True, exist_ok=True)
    settings = bench.settings
    collect(settings.storage.checks, keep=job.folder.name)
    with job.held() as lock:
        for left in (job.asked, *job.folder.glob(".check-*")):
            left.unlink(missing_ok=True)
        job.write(
            {
                "name": job.folder.name, "notebook": str(path), "phase": "Running", "source_digest": source_digest(notebook),
                "parameters": values, "progress": "", "started": time.time(), "finished": None, "verdict": None, "error": None,
            }
        )  # fmt: skip
        request = {
            "kernel": kernel, "home": str(settings.storage.home), "copy_limit": settings.workspace.copy_limit,
            "stop_grace": settings.steps.stop_grace,
        }  # fmt: skip
        _launch(job, lock, request)
    return job.read()


def stop(bench: Workbench, name: str) -> dict[str, Any]:
    """Ask a check to stop; it ends what it has started first. One that is over stays as it is. Raises NotFound."""
    job = Job(bench.settings.storage.checks / name)
    found = get(bench, name)
    if found["phase"] == "Running":
        job.asked.touch()
        if job.alive():  # only then is the number that of our process
            with suppress(OSError, ValueError):
                os.kill(int((job.folder / "pid").read_text()), signal.SIGTERM)
    return found


def get(bench: Workbench, name: str) -> dict[str, Any]:
    """One check. Raises NotFound."""
    job = Job(bench.settings.storage.checks / name)
    if not job.folder.is_dir():
        raise NotFound(f"no check {name}", fix="Check the notebook first.")
    return job.read()


def every(bench: Workbench) -> list[dict[str, Any]]:
    """The last check of each notebook, newest first."""
    found = []
    with suppress(OSError):
        for folder in sorted(bench.settings.storage.checks.iterdir()):
            with suppress(MlopsError):
                found.append(Job(folder).read())
    return sorted(found, key=lambda one: -one["started"])


def _launch(job: Job, lock: int, request: Mapping[str, Any]) -> None:
    """Bring the process up. It keeps the lock, which this one lets go of."""
    command = [sys.executable, "-m", "jupyter_mlops.check.worker", str(job.folder), str(lock), json.dumps(request)]
    try:
        with (job.folder / "log").open("wb") as log:
            done = subprocess.run(
                command, cwd=job.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(lock,),
                start_new_session=True, timeout=_START_LIMIT, check=False,
            )  # fmt: skip
        if done.returncode != 0:
            raise Bug("the process of the check did not start", fix=f"Look into {job.folder / 'log'}, and report it.")
    except subprocess.TimeoutExpired as error:
        raise PlatformError(
            "the process of the check did not start in time",
            code="not-started",
            fix="Look at the load of this machine, and try again.",
        ) from error

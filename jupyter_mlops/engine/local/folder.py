"""The folder of one run: where each file lies, and how documents are read and replaced.

``workflow.json`` is replaced as a whole, so that a reader in any process sees one state or the next, never half of one.
Everything is for its owner alone: folders 0700, files 0600. See ``docs/formats.md`` for the layout.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import Corrupt, NotFound

_RESERVE = 256 << 10


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths of a run. Nothing is created by making one."""

    path: Path

    @property
    def name(self) -> str:
        """The run's name."""
        return self.path.name

    @property
    def workflow(self) -> Path:
        """The Workflow with its status."""
        return self.path / "workflow.json"

    @property
    def request(self) -> Path:
        """What only this machine knows. Its modification time is the run's creation, so that a list need not open it."""
        return self.path / "request.json"

    @property
    def work(self) -> Path:
        """The private view of the notebook's folder."""
        return self.path / "work"

    @property
    def executed(self) -> Path:
        """The executed notebook so far."""
        return self.path / "executed.ipynb"

    @property
    def stop(self) -> Path:
        """Its presence asks the supervisor to stop."""
        return self.path / "stop"

    @property
    def pause(self) -> Path:
        """Its presence asks the supervisor to start no further step."""
        return self.path / "pause"

    @property
    def logs(self) -> Path:
        """One log a step."""
        return self.path / "logs"

    def log(self, step: str) -> Path:
        """A step's log."""
        return self.logs / f"{step}.log"

    def pod(self, step: str) -> Path:
        """What a pod's emptyDir volumes would hold."""
        return self.path / "pods" / step

    @property
    def early(self) -> Path:
        """The same for attempts before their turn, which nobody is shown."""
        return self.path / "early"

    def read_workflow(self) -> dict[str, Any]:
        """The Workflow with its status. Raises NotFound or Corrupt."""
        return _read(self.workflow, self.name)

    def read_request(self) -> dict[str, Any]:
        """What the submitter wrote. Raises NotFound or Corrupt."""
        return _read(self.request, self.name)

    def write_workflow(self, document: Mapping[str, Any]) -> None:
        """Replace the Workflow; on a full disk the reserve is given up for it, so that a run's end can always be written."""
        try:
            replace_file(self.workflow, _encode(document))
        except OSError:
            if not (self.path / "reserve").exists():
                raise
            (self.path / "reserve").unlink(missing_ok=True)
            replace_file(self.workflow, _encode(document))

    def write_request(self, document: Mapping[str, Any], created: float) -> None:
        """Replace the request, keeping the creation time."""
        replace_file(self.request, _encode(document), modified=created)

    def reserve(self) -> None:
        """Set room aside for the end of the run."""
        write_private(self.path / "reserve", b"\0" * _RESERVE)


def write_private(path: Path, data: bytes) -> None:
    """A new file of ours alone; fails if it exists."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)


def replace_file(path: Path, data: bytes, *, modified: float | None = None) -> None:
    """Put a file in place at once; its temporary name cannot be guessed and is gone if anything fails."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        if modified is not None:
            os.utime(temporary, (modified, modified))
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _encode(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _read(path: Path, run: str) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        if not path.parent.is_dir():
            raise NotFound(f"there is no run {run!r} here", code="run-not-found", fix="See `jupyter mlops runs`.") from error
        raise Corrupt(f"{path.name} of run {run!r} cannot be read: {error}", fix="Delete the run, and run it again.") from error
    if not isinstance(document, dict):
        raise Corrupt(f"{path.name} of run {run!r} is not an object", fix="Delete the run, and run it again.")
    return document

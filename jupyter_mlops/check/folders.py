"""Private copies of the notebook's folder, one for each side, so that a check changes nothing of a person's files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jupyter_mlops.check.verdict import Difference
from jupyter_mlops.engine.local.surroundings import surround, view_path
from jupyter_mlops.engine.local.workspace import copy, scan
from jupyter_mlops.settings import Settings


@dataclass(frozen=True, slots=True)
class View:
    """One copy, with links to what lies around the original, so that ``../data`` means the same."""

    folder: Path
    """Where the notebook lies in it."""

    settings: Settings

    def files(self) -> dict[str, str]:
        """What is in it now: path → digest of a file, or ``folder`` or ``link``."""
        ignore = self.settings.workspace.ignore
        return {
            entry.path: _digest(self.folder / entry.path) if entry.kind == "file" else entry.kind
            for entry in scan(self.folder, ignore)
        }


def view_of(home: Path, work: Path, settings: Settings) -> View:
    """Copy a notebook's folder to below ``work``.

    Raises:
        OSError: the disk is full.
    """
    work.mkdir(parents=True)
    surround(work, home)
    folder = view_path(work, home)
    copy(home, folder, settings.workspace.ignore, limit=settings.workspace.copy_limit, leave=settings.storage.home)
    return View(folder, settings)


def compare(before: Mapping[str, str], single: Mapping[str, str], pipeline: Mapping[str, str]) -> tuple[int, list[Difference]]:
    """How many files were written or removed equally, and those that were not."""
    touched = {path for side in (single, pipeline) for path in before.keys() | side.keys() if before.get(path) != side.get(path)}
    different = sorted(path for path in touched if single.get(path) != pipeline.get(path))
    found = [Difference("file", path, _said(before, single, path), _said(before, pipeline, path)) for path in different]
    return len(touched) - len(different), found


def _said(before: Mapping[str, str], after: Mapping[str, str], path: str) -> str:
    if path not in after:
        return "removed it" if path in before else "did not write it"
    if after[path] == before.get(path):
        return "left it as it was"
    return f"wrote {after[path][:19]}" if after[path] not in {"folder", "link"} else f"made a {after[path]}"


def _digest(path: Path) -> str:
    found = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                found.update(chunk)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return f"sha256:{found.hexdigest()}"

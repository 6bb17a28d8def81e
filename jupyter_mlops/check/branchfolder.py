"""The working folder while the branches of a step run one after the other: each finds it as it was before all of them.

What a branch wrote or removed is put aside, and the folder is as before; at the end all of it comes together.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from jupyter_mlops.check.folders import View
from jupyter_mlops.engine.local.workspace import copy


class BranchFolder:
    """One fan-out in a view of the notebook's folder."""

    def __init__(self, view: View, scratch: Path) -> None:
        """Keep the folder as it is now. Raises OSError."""
        self._view, self._scratch = view, scratch
        self._before: Mapping[str, str] = view.files()
        self._untouched = scratch / "untouched"
        self._untouched.mkdir(parents=True)
        copy(view.folder, self._untouched, view.settings.workspace.ignore, limit=view.settings.workspace.copy_limit)
        self._branches: list[tuple[Path, Mapping[str, str]]] = []

    def keep(self) -> None:
        """A branch has ended: put aside what it wrote, and make the folder what it was."""
        after, aside = self._view.files(), self._scratch / str(len(self._branches))
        touched = _touched(self._before, after)
        for path in [path for path in sorted(touched, reverse=True) if path in after]:
            if after[path] == "folder":
                (aside / path).mkdir(parents=True, exist_ok=True)
            else:
                _move(self._view.folder / path, aside / path)
        for path in [path for path in sorted(touched, reverse=True) if after.get(path) == "folder"]:
            with suppress(OSError):  # it holds what is ignored
                (self._view.folder / path).rmdir()
        for path in [path for path in sorted(touched) if path in self._before]:
            _restore(self._untouched / path, self._view.folder / path)
        self._branches.append((aside, {path: after.get(path, "") for path in touched}))

    def bring_together(self) -> None:
        """Put the files of all branches into the folder. Of a file that two of them wrote the later one stays."""
        for aside, touched in self._branches:
            for path, mark in sorted(touched.items()):
                target = self._view.folder / path
                if mark:
                    _restore(aside / path, target)
                elif target.is_dir() and not target.is_symlink():
                    shutil.rmtree(target, ignore_errors=True)
                else:
                    target.unlink(missing_ok=True)


def _touched(before: Mapping[str, str], after: Mapping[str, str]) -> set[str]:
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(source, target)


def _restore(source: Path, target: Path) -> None:
    """Put a kept file, link or folder into its place."""
    if source.is_dir() and not source.is_symlink():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    shutil.copy2(source, target, follow_symlinks=False)

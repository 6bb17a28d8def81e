"""Gives back what a run that succeeded has made in its private view: new, changed and deleted files.

A file that a person has changed while the run went on is never overwritten: the run's version is put beside it under a name
that says where it is from, and the log says so. The notebook itself is never touched.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_mlops.engine.local.workspace import Entry, Stamp, scan


@dataclass(slots=True)
class Published:
    """What was done, by paths relative to the notebook's folder."""

    written: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    """Said to people: a file of theirs that was kept, or one that could not be written."""

    def lines(self) -> list[str]:
        """As the log has it; nothing if nothing was done."""
        said = []
        for verb, paths in (("wrote", self.written), ("removed", self.removed)):
            if paths:
                shown = ", ".join(paths[:10]) + (f" and {len(paths) - 10} more" if len(paths) > 10 else "")  # noqa: PLR2004
                said.append(f"{verb} in the notebook's folder: {shown}")
        return said + self.kept


def publish(work: Path, folder: Path, before: Mapping[str, Entry], ignore: Sequence[str], *, run: str, notebook: str) -> Published:
    """Bring the folder to what the run made of it.

    Args:
        work: the private view, after the run.
        folder: the notebook's folder.
        before: what was copied into the view.
        ignore: names that are never published.
        run: the run's name, for files that cannot take their own.
        notebook: file name of the notebook, which is left alone.
    """
    result = Published()
    after = {entry.path: entry for entry in scan(work, ignore)}
    for path, entry in after.items():
        known = before.get(path)
        if path == notebook or (known is not None and _untouched(known, entry)):
            continue
        try:
            if entry.kind == "folder":
                (folder / path).mkdir(parents=True, exist_ok=True)
                continue
            _give(work / path, folder / path, None if known is None else known.stamp, run, path, result)
        except OSError as error:
            result.kept.append(f"{path} could not be written to the notebook's folder: {error.strerror or error}")
    for path, known in before.items():
        if path not in after and path != notebook and known.kind != "folder":
            _remove(folder / path, known.stamp, path, result)
    return result


def _untouched(before: Entry, after: Entry) -> bool:
    """A link of the view points elsewhere than the person's own, so its time tells nothing."""
    return before.kind == after.kind and (before.kind == "link" or before.stamp == after.stamp)


def _give(source: Path, target: Path, known: Stamp | None, run: str, path: str, result: Published) -> None:
    """Write one file, beside the person's own if that has changed meanwhile."""
    there = _stamp(target)
    if there == known or (there is not None and _same(source, target)):
        if there is None or not _same(source, target):
            _place(source, target)
            result.written.append(path)
        return
    beside = target.with_name(f"{target.name}.from-run-{run}")
    _place(source, beside)
    happened = "was deleted" if there is None else "was changed" if known is not None else "was made"
    result.kept.append(f"{path} {happened} while the run went on and is left as it is; the run's version is {beside.name}")


def _remove(target: Path, known: Stamp, path: str, result: Published) -> None:
    there = _stamp(target)
    if there == known:
        with suppress(OSError):
            target.unlink()
            result.removed.append(path)
    elif there is not None:
        result.kept.append(f"the run deleted {path}, which was changed while the run went on and is left as it is")


def _place(source: Path, target: Path) -> None:
    """Put a file or link in place at once."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".jupyter-mlops-") as folder:
        shutil.copy2(source, Path(folder) / "file", follow_symlinks=False)
        (Path(folder) / "file").replace(target)


def _stamp(path: Path) -> Stamp | None:
    try:
        about = path.lstat()
    except OSError:
        return None
    return about.st_size, about.st_mtime_ns


def _same(first: Path, second: Path) -> bool:
    """Whether two files hold the same bytes (or two links the same target)."""
    if first.is_symlink() or second.is_symlink():
        return first.is_symlink() and second.is_symlink() and first.readlink() == second.readlink()
    if not second.is_file() or first.stat().st_size != second.stat().st_size:
        return False
    with first.open("rb") as one, second.open("rb") as two:
        while chunk := one.read(1 << 20):
            if chunk != two.read(1 << 20):
                return False
    return True

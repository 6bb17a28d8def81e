"""Files of the working folder: what the notebook made, changed or removed, found by looking before and after.

A later step may run on another machine, so a file that one cell writes and another reads has to travel like a value. All
files that the run has made or changed so far are part of the state, not only those of the last step.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from hashlib import sha256
from pathlib import Path

from jupyter_mlops.errors import NotStorable, Where
from jupyter_mlops.oci.store import Store
from jupyter_mlops.session.state import FileEntry

IGNORED = (
    ".git", ".hg", ".venv", "venv", "node_modules", "__pycache__", ".ipynb_checkpoints", ".mypy_cache", ".ruff_cache",
    ".pytest_cache", "*.pyc", ".DS_Store",
)  # fmt: skip
"""Names that never travel: the same as ``settings.Workspace.ignore``, repeated since settings stay at home."""

HOME_FOLDERS = (".cache", ".config", ".ipython", ".jupyter", ".local", ".matplotlib", ".keras", ".nv", ".npm")
"""Left out as well where the working folder is HOME: what libraries write there is no part of the notebook."""

LIMIT = 4 << 30
"""Bytes of files that a run may hand on. More belongs into a bucket or a volume."""

MEDIA_TYPE = "application/octet-stream"

Stamp = tuple[int, int, int, int]
"""Size, modification time in ns, inode and mode: differs when a file was written."""


@dataclass(frozen=True)
class Rules:
    """What of the working folder travels, as the notebook's metadata says."""

    limit: int = LIMIT
    """Bytes of all files that the run has made or changed."""

    ignore: tuple[str, ...] = ()
    """Patterns: of a name at any depth, or, with a ``/``, of a path below the folder and what lies in it."""

    def leave(self, path: str, names: Iterable[str]) -> bool:
        """Whether a file or folder stays behind: its path relative to the working folder; ``names`` are patterns of ours."""
        name = path.rpartition("/")[2]
        return _matches(name, names) or any(fnmatch(path if "/" in one else name, one) for one in self.ignore)


DEFAULT = Rules()


@dataclass(frozen=True)
class Snapshot:
    """The files of a folder at one moment."""

    stamps: Mapping[str, Stamp]


def look(root: Path, excluded: Iterable[Path] = (), rules: Rules = DEFAULT) -> Snapshot:
    """All regular files, symbolic links and empty folders below a folder, without what never travels. Links are not followed."""
    left_out = {str(path) for path in excluded}
    ignored = (*IGNORED, *HOME_FOLDERS) if _is_home(root) else IGNORED
    found: dict[str, Stamp] = {}
    for place, folders, names in os.walk(root):
        below = Path(place).relative_to(root)
        folders[:] = [
            x for x in folders if not rules.leave((below / x).as_posix(), ignored) and str(Path(place, x)) not in left_out
        ]
        if not folders and not names and Path(place) != root:
            found[Path(place).relative_to(root).as_posix()] = (0, 0, 0, Path(place).lstat().st_mode)
        for name in [*names, *(x for x in folders if Path(place, x).is_symlink())]:
            path = Path(place, name)
            if rules.leave((below / name).as_posix(), ignored) or str(path) in left_out:
                continue
            with suppress(FileNotFoundError):  # a temporary file that went away while we looked
                info = path.lstat()
                if stat.S_ISREG(info.st_mode) or stat.S_ISLNK(info.st_mode):
                    found[path.relative_to(root).as_posix()] = (info.st_size, info.st_mtime_ns, info.st_ino, info.st_mode)
    return Snapshot(found)


def restore(root: Path, files: Mapping[str, FileEntry], removed: Iterable[str], store: Store, repository: str) -> None:
    """Make the folder what the state says. Raises Corrupt, NotFound, and OSError of the folder."""
    for name in removed:
        path = _inside(root, name)
        with suppress(OSError):  # gone already, or a folder that holds something now
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    for name, entry in files.items():
        path = _inside(root, name)
        if stat.S_ISDIR(entry.mode):
            path.mkdir(parents=True, exist_ok=True)
        elif stat.S_ISLNK(entry.mode):
            _link(path, entry, store, repository)
        elif _is_there(path, entry):
            if stat.S_IMODE(path.stat().st_mode) != stat.S_IMODE(entry.mode):
                path.chmod(stat.S_IMODE(entry.mode))
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = path.with_name(f".{path.name}.mlops")
            with store.open_blob(repository, entry.digest) as source, fresh.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
            fresh.chmod(stat.S_IMODE(entry.mode))
            fresh.replace(path)


def changes(
    root: Path,
    before: Snapshot,
    after: Snapshot,
    known: Mapping[str, FileEntry],
    removed: Iterable[str],
    store: Store,
    repository: str,
    limit: int = LIMIT,
) -> tuple[dict[str, FileEntry], tuple[str, ...]]:
    """Files and removed names of the next state; new bytes are stored.

    Raises:
        NotStorable: code ``files-too-large``, naming the biggest ones.
    """
    fresh = [name for name, stamp in after.stamps.items() if before.stamps.get(name) != stamp]
    kept = {name: entry for name, entry in known.items() if name in after.stamps and name not in fresh}
    _check_size({name: after.stamps[name][0] for name in fresh} | {name: entry.size for name, entry in kept.items()}, limit)
    for name in fresh:
        path, mode = _inside(root, name), after.stamps[name][3]
        content: bytes | Path = path
        if stat.S_ISDIR(mode):
            content = b""
        elif stat.S_ISLNK(mode):
            content = os.fsencode(path.readlink())
        blob = store.put_blob(repository, content, MEDIA_TYPE)
        kept[name] = FileEntry(blob.digest, blob.size, after.stamps[name][3])
    gone = (set(removed) | (set(before.stamps) - set(after.stamps))) - set(after.stamps)
    return dict(sorted(kept.items())), tuple(sorted(gone))


def _check_size(sizes: Mapping[str, int], limit: int) -> None:
    if sum(sizes.values()) > limit:
        biggest = sorted(sizes, key=lambda name: -sizes[name])[:3]
        told = ", ".join(f"{name} ({_said(sizes[name])})" for name in biggest)
        raise NotStorable(
            f"the files that the notebook wrote are {_said(sum(sizes.values()))}, more than {_said(limit)}; the biggest: {told}",
            code="files-too-large",
            fix="Write large files outside the working folder (a volume, a bucket), name what no later step reads in file_ignore "
            "of the notebook's metadata, or allow more with its file_limit.",
            where=Where(field=biggest[0]),
        )


def _said(size: int) -> str:
    """Bytes for people."""
    value = float(size)
    for unit in ("bytes", "KiB", "MiB"):
        if value < 1 << 10:
            return f"{value:.4g} {unit}"
        value /= 1 << 10
    return f"{value:.4g} GiB"


def _link(path: Path, entry: FileEntry, store: Store, repository: str) -> None:
    """Make a symbolic link, in place of whatever has its name; its text may lead anywhere, as the notebook wanted."""
    with store.open_blob(repository, entry.digest) as source:
        text = os.fsdecode(source.read())
    if path.is_symlink() and str(path.readlink()) == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        path.unlink()
    path.symlink_to(text)


def _inside(root: Path, name: str) -> Path:
    """The path of a name of the state, which must not lead out of the folder."""
    parts = Path(name).parts
    if not parts or Path(name).is_absolute() or ".." in parts:
        raise NotStorable(f"{name!r} is not a file of the working folder", code="files-outside")
    return root / name


def _is_there(path: Path, entry: FileEntry) -> bool:
    if path.is_symlink() or not path.is_file() or path.stat().st_size != entry.size:
        return False
    found = sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            found.update(chunk)
    return "sha256:" + found.hexdigest() == entry.digest


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _is_home(root: Path) -> bool:
    with suppress(OSError):
        return Path(os.environ.get("HOME") or "/").resolve() == root.resolve()
    return False

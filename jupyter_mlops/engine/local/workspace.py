"""The private view of the notebook's folder that steps run in, and what to give back of it.

Steps read and write beside the notebook, as cells do in Jupyter. They get a copy, so that a run that fails or is stopped
leaves the folder as it was, and so that two runs do not meet. Where the file system can share blocks (reflinks: Btrfs, XFS,
APFS), a copy costs nothing; else the size is limited, since a home folder would take minutes and fill the disk.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from heapq import nlargest
from pathlib import Path
from typing import Literal

from jupyter_mlops.engine.local.quantities import size_text
from jupyter_mlops.errors import Refused, Where

_FICLONE = 0x40049409
"""ioctl of Linux that makes a file share all blocks of another."""

_MOST = 200_000
"""Files at most; a folder with more is not a notebook's folder, and looking at it takes longer than a run should."""

Stamp = tuple[int, int]
"""Size in bytes and modification time in nanoseconds: what tells that a file has changed."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, symbolic link or folder, by its path relative to the folder."""

    path: str
    kind: Literal["file", "link", "folder"]
    stamp: Stamp
    """Of a folder (0, 0): that something in it has changed is told by what has changed."""


def scan(folder: Path, ignore: Sequence[str], *, leave: Path | None = None) -> Iterator[Entry]:
    """All below a folder, a folder before what is in it, but ignored names, sockets and devices, and ``leave`` with all in it.

    What cannot be read is left out: a kernel could not have read it either.
    """
    waiting = [""]
    while waiting:
        here = waiting.pop()
        try:
            found = sorted(os.scandir(folder / here), key=lambda item: item.name)
        except OSError:
            continue
        for item in found:
            if any(fnmatchcase(item.name, pattern) for pattern in ignore):
                continue
            path = f"{here}/{item.name}" if here else item.name
            with suppress(OSError):
                if item.is_dir(follow_symlinks=False):
                    if leave is None or not leave.samefile(item.path):
                        waiting.append(path)
                        yield Entry(path, "folder", (0, 0))
                    continue
                about = item.stat(follow_symlinks=False)
                kind: Literal["file", "link"] = "link" if stat.S_ISLNK(about.st_mode) else "file"
                if kind == "link" or stat.S_ISREG(about.st_mode):
                    yield Entry(path, kind, (about.st_size, about.st_mtime_ns))


def check_size(folder: Path, target: Path, ignore: Sequence[str], limit: int, *, leave: Path | None = None) -> None:
    """Raise Refused, naming the biggest files, if the folder cannot be copied within ``limit`` bytes.

    Args:
        folder: the notebook's folder.
        target: an existing folder on the file system that the copy will lie on.
        ignore: names that are not copied.
        limit: bytes; not looked at where blocks can be shared.
        leave: a folder not to enter.
    """
    files: list[tuple[int, str]] = []
    total = 0
    for entry in scan(folder, ignore, leave=leave):
        files.append((entry.stamp[0], entry.path))
        total += entry.stamp[0]
        if len(files) > _MOST:
            raise _too_big(folder, f"has more than {_MOST:,} files", files)
    if total > limit and not shares_blocks(folder, target):
        raise _too_big(folder, f"holds {size_text(total)}, and a run copies at most {size_text(limit)}", files)


def _too_big(folder: Path, why: str, files: Sequence[tuple[int, str]]) -> Refused:
    biggest = ", ".join(f"{path} ({size_text(size)})" for size, path in nlargest(3, files))
    return Refused(
        f"the notebook's folder {why}; its biggest files are {biggest}",
        code="folder-too-big",
        fix="Move the notebook into a folder of its own, and big data out of it (a symbolic link to it is enough).",
        where=Where(field=str(folder)),
    )


def shares_blocks(folder: Path, target: Path) -> bool:
    """Whether a file below ``folder`` can be copied to ``target`` by sharing its blocks. Tried out, since only that tells."""
    if sys.platform != "linux" or folder.stat().st_dev != target.stat().st_dev:
        return False
    try:
        with tempfile.TemporaryFile(dir=target) as first, tempfile.TemporaryFile(dir=target) as second:
            first.write(b"0" * 4096)
            first.flush()
            return _clone(first.fileno(), second.fileno())
    except OSError:
        return False


def copy(folder: Path, work: Path, ignore: Sequence[str], *, leave: Path | None = None) -> dict[str, Entry]:
    """Copy the folder and say what was copied. Empty folders come along; times and permissions are kept.

    Raises:
        OSError: the disk is full.
    """
    taken: dict[str, Entry] = {}
    for entry in scan(folder, ignore, leave=leave):
        source, target = folder / entry.path, work / entry.path
        try:
            if entry.kind == "folder":
                target.mkdir(exist_ok=True)
            elif entry.kind == "link":
                target.symlink_to(_link_target(source, folder, target, work))
            else:
                _copy_file(source, target, entry.stamp)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise
            continue  # gone or closed to us since the scan: a kernel would not find it either
        taken[entry.path] = entry
    return taken


def _link_target(source: Path, folder: Path, target: Path, work: Path) -> str:
    """Where the copy of a link points: into the copy if the link points into the folder, else where it points now."""
    written = source.readlink()
    real = Path(os.path.normpath(source.parent / written))
    try:
        inside = real.relative_to(folder)
    except ValueError:
        return str(real)
    return os.path.relpath(work / inside, target.parent)


def _copy_file(source: Path, target: Path, stamp: Stamp) -> None:
    with source.open("rb") as reader, target.open("xb") as writer:
        if not (sys.platform == "linux" and _clone(reader.fileno(), writer.fileno())):
            shutil.copyfileobj(reader, writer, 1 << 20)
    shutil.copymode(source, target)
    os.utime(target, ns=(stamp[1], stamp[1]))


def _clone(source: int, target: int) -> bool:
    import fcntl

    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        return False
    return True

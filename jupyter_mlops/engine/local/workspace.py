"""The private view of the notebook's folder that steps run in, and what to give back of it.

Steps read and write beside the notebook, as cells do in Jupyter. They get a copy, so that a run that fails or is stopped
leaves the folder as it was, and so that two runs do not meet. Where the file system can share blocks (reflinks: Btrfs, XFS,
APFS), a copy costs nothing. Where it cannot, only so much is copied; the biggest files beyond that are shared with the
person's folder (a hard link, or a symbolic one to another device): a notebook beside ten gigabytes of data runs at once, and
the price is that writing *into* such a file, not replacing it, changes the person's own, as it would in Jupyter.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import replace as dataclass_replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

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


def check_count(folder: Path, ignore: Sequence[str], *, leave: Path | None = None) -> None:
    """Raise Refused, naming the fullest folders, if there are more files than a notebook's folder has.

    Args:
        folder: the notebook's folder.
        ignore: names that are not copied.
        leave: a folder not to enter.
    """
    below: Counter[str] = Counter()
    for count, entry in enumerate(scan(folder, ignore, leave=leave), start=1):
        below[entry.path.partition("/")[0]] += 1
        if count > _MOST:
            fullest = ", ".join(f"{name} ({number:,})" for name, number in below.most_common(3))
            raise Refused(
                f"the notebook's folder has more than {_MOST:,} files; most of those seen are in {fullest}",
                code="folder-too-big",
                fix="Move the notebook into a folder of its own, and data out of it (a symbolic link to it is enough).",
                where=Where(field=str(folder)),
            )


def too_big(entries: Iterable[Entry], limit: int) -> frozenset[str]:
    """The biggest files, as many as have to be left out for the rest to fit into ``limit`` bytes."""
    files = sorted(((entry.stamp[0], entry.path) for entry in entries if entry.kind == "file"), reverse=True)
    left, found = sum(size for size, _ in files), set()
    for size, path in files:
        if left <= limit:
            break
        found.add(path)
        left -= size
    return frozenset(found)


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


def copy(
    folder: Path, work: Path, ignore: Sequence[str], *, limit: int | None = None, leave: Path | None = None
) -> tuple[dict[str, Entry], frozenset[str]]:
    """Copy the folder; say what was taken, and which files are shared since they are beyond ``limit`` bytes.

    Empty folders come along; times and permissions are kept.

    Raises:
        OSError: the disk is full.
    """
    entries = list(scan(folder, ignore, leave=leave))
    shared = frozenset[str]()
    if limit is not None and not shares_blocks(folder, work):
        shared = too_big(entries, limit)
    taken: dict[str, Entry] = {}
    for entry in entries:
        source, target = folder / entry.path, work / entry.path
        kind = entry.kind
        try:
            if entry.kind == "folder":
                target.mkdir(exist_ok=True)
            elif entry.kind == "link":
                target.symlink_to(_link_target(source, folder, target, work))
            elif entry.path in shared:
                kind = _share(source, target)
            else:
                _copy_file(source, target, entry.stamp)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise
            continue  # gone or closed to us since the scan: a kernel would not find it either
        taken[entry.path] = dataclass_replace(entry, kind=kind)
    return taken, shared & taken.keys()


def _share(source: Path, target: Path) -> Literal["file", "link"]:
    """Let a name of the copy mean the person's own file; on another device only a symbolic link can."""
    try:
        os.link(source, target)
    except OSError:
        target.symlink_to(source.resolve())
        return "link"
    return "file"


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

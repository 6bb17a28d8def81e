"""What checks leave behind, and its end: results of long ago, and the scratch folders of checks that were killed.

A check that ends by itself removes its scratch folder; one that is killed cannot. So each holds a lock in it, which the kernel
frees with the process, and the next check removes what nobody holds. Results are kept one a notebook, for as long as somebody
may still ask for them; folders of notebooks that are gone would otherwise pile up for good.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jupyter_mlops.oci.lock import open_lock, try_lock

PREFIX = "mlops-check-"
"""Of scratch folders, in the folder for temporary files."""

LOCK = ".lock"
"""In a scratch folder; held for as long as its check lives."""

KEPT_SECONDS = 90 * 86400.0
"""For how long the result of a check is kept after its last word."""

KEPT_COUNT = 500
"""Results that are kept at most, the newest: at some KiB each they are no weight, and listing them stays quick."""

UNLOCKED = 86400.0
"""Seconds after which a scratch folder without a lock is nobody's: it is new, or of a version that held none."""


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for one check, removed at its end; before, those of checks that were killed are.

    Raises:
        OSError: there is no room for temporary files.
    """
    sweep(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as made:
        handle = open_lock(Path(made) / LOCK)
        try:
            try_lock(handle)
            yield Path(made).resolve()
        finally:
            os.close(handle)


def sweep(temporary: Path) -> None:
    """Remove this user's scratch folders that no check holds. What cannot be removed is left for the next time."""
    with suppress(OSError):
        for folder in temporary.glob(f"{PREFIX}*"):
            with suppress(OSError):
                if _dead(folder):
                    shutil.rmtree(folder, ignore_errors=True)


def collect(checks: Path, keep: str, seconds: float = KEPT_SECONDS, count: int = KEPT_COUNT) -> None:
    """Remove results that are too old or too many; never that of a check that goes on.

    Args:
        checks: where results lie, a folder each.
        keep: name of one that stays whatever its age.
        seconds: age from which on a result is removed.
        count: how many are kept, the newest.
    """
    aged: list[tuple[float, Path]] = []
    with suppress(OSError):
        for folder in checks.iterdir():
            with suppress(OSError):
                aged.append((_changed(folder), folder))
    aged.sort(reverse=True)
    oldest = time.time() - seconds
    for place, (changed, folder) in enumerate(aged):
        if folder.name != keep and (place >= count or changed < oldest):
            with suppress(OSError):
                _remove(folder)


def _changed(folder: Path) -> float:
    """When its check said its last word."""
    document = folder / "check.json"
    return (document if document.exists() else folder).stat().st_mtime


def _remove(folder: Path) -> None:
    handle = open_lock(folder / "lock")
    try:
        if try_lock(handle):
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(handle)


def _dead(folder: Path) -> bool:
    """Whether no check lives in a scratch folder of this user. Raises OSError."""
    about = folder.lstat()
    if folder.is_symlink() or not folder.is_dir() or about.st_uid != os.getuid():
        return False
    if not (folder / LOCK).exists():
        return about.st_mtime < time.time() - UNLOCKED
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_NOFOLLOW)
    try:
        return try_lock(handle)
    finally:
        os.close(handle)

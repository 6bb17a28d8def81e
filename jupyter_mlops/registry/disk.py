"""How much room folders take, hard links counted once: the registry shares blobs between repositories by them."""

from __future__ import annotations

import os
from pathlib import Path


def disk_bytes(*folders: Path) -> int:
    """Bytes on disk below these folders together. Files that vanish meanwhile, and folders that do not exist, count nothing."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for folder in folders:
        waiting = [str(folder)]
        while waiting:
            for entry in _entries(waiting.pop()):
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                    continue
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if (key := (status.st_dev, status.st_ino)) not in seen:
                    seen.add(key)
                    total += status.st_blocks * 512
    return total


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []

"""Which manifests of a layout were made by the programs of its own user: noted beside the repositories, where no request writes.

A model that was copied, pushed or imported into the folder looks like one that was made here, whatever its annotations say; only
who publishes it knows. The note is an empty file named by the digest. It says nothing once the manifest is gone.

A folder that others may write to can hold what they put there, so that a note counts only if nobody else can have written it: it
and its folder are this user's, the folder is closed to others, and the file is no other one (a blob, whose name is a digest too)
that was brought to this place.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from jupyter_mlops.oci.digest import hex_of
from jupyter_mlops.oci.disk import explained
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.store import Store

FOLDER = "_made"
"""No repository is called so: names begin with a letter or a digit."""


def note_made(store: Store, digest: str) -> None:
    """Note that this process made a manifest; only a folder of this machine keeps such notes.

    Raises:
        StorageFull, PlatformError: it cannot be written.
    """
    if isinstance(store, Layout):
        path = _note(store.root, digest)
        with explained(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)


def was_made(store: Store, digest: str) -> bool:
    """Whether a program of this user made a manifest on this machine."""
    if not isinstance(store, Layout):
        return False
    note = _note(store.root, digest)
    try:
        folder, file = note.parent.lstat(), note.lstat()
    except OSError:
        return False
    closed = stat.S_ISDIR(folder.st_mode) and not folder.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    empty = stat.S_ISREG(file.st_mode) and file.st_size == 0
    return closed and empty and {folder.st_uid, file.st_uid} == {os.geteuid()}


def _note(root: Path, digest: str) -> Path:
    return root / FOLDER / hex_of(digest)

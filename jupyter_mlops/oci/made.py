"""Which manifests of a layout were made by the programs of its own user: noted beside the repositories, where no request writes.

A model that was copied, pushed or imported into the folder looks like one that was made here, whatever its annotations say; only
who publishes it knows. The note is a file named by the digest. It says nothing once the manifest is gone.
"""

from __future__ import annotations

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
    return isinstance(store, Layout) and _note(store.root, digest).is_file()


def _note(root: Path, digest: str) -> Path:
    return root / FOLDER / hex_of(digest)

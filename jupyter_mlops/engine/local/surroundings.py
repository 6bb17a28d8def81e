"""What lies around the notebook's folder: ``../data/train.csv`` means the same to a step as to a kernel.

The private view stands as deep below the run's folder as the notebook's folder stands below its own ancestors, under the same
names; beside it, on each level, stand links to the person's own files and folders. They are not copied: a notebook owns its
folder, what is around it is shared with others, and a kernel would write there too. Only a *new* file that a step makes
directly on such a level lies in the run, and is given back with the rest.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

LEVELS = 3
"""Ancestors that a step can reach by ``..``. More than that is the file system's own layout, which has absolute paths."""

MOST = 5_000
"""Entries of a level at most; a folder with more is no project's, and a link for each would take longer than it is worth."""


def view_path(work: Path, home: Path | None) -> Path:
    """Where the private view of a notebook's folder stands below ``work``; no I/O."""
    if home is None:
        return work
    names = home.parts[1:] if home.is_absolute() else home.parts
    return work.joinpath(*names[-LEVELS:])


def surround(work: Path, home: Path) -> None:
    """Make the levels between ``work`` and the view, each with links to what stands there in reality.

    A level that cannot be read, or is too full, stays without links: a step then finds nothing there, and says so.

    Raises:
        OSError: the disk is full.
    """
    here = view_path(work, home)
    here.mkdir(parents=True, exist_ok=True)
    while here != work:
        here, home = here.parent, home.parent
        for name in _names(home):
            with suppress(FileExistsError):
                (here / name).symlink_to(home / name)


def _names(folder: Path) -> list[str]:
    try:
        found = sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return []
    return found if len(found) <= MOST else []


def give_back_around(work: Path, home: Path) -> list[str]:
    """Move what a step has made on a level around the view to where it belongs; lines for the log.

    Nothing that is there is overwritten: on such a level a link would have stood for it.
    """
    said = []
    here = view_path(work, home)
    while here != work:
        inside, here, home = here.name, here.parent, home.parent
        for entry in sorted(here.iterdir()):
            if entry.name == inside or entry.is_symlink():
                continue
            target = home / entry.name
            try:
                if os.path.lexists(target):
                    said.append(f"{entry.name} was made in {home} while the run went on and is left as it is")
                else:
                    shutil.move(entry, target)
                    said.append(f"wrote {target}")
            except OSError as error:
                said.append(f"{entry.name} could not be written to {home}: {error.strerror or error}")
    return said

"""Fan-out on this machine: the branches of a task, and a working folder for each.

Argo gives every branch a pod, and so a folder, of its own; branches that shared one here would see each other's files. So each
gets a copy of the run's folder as it was when the branch began (blocks are shared where the file system can), which ends with it:
what a branch wrote travels in its state, as on a cluster.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyter_mlops.engine.local.folder import RunFolder
from jupyter_mlops.engine.local.manifest import Task
from jupyter_mlops.engine.local.template_text import replace as fill
from jupyter_mlops.engine.local.workspace import copy

FOLDER = "branches"


def branches_of(task: Task, items: str) -> list[Task] | None:
    """One task for each item of a JSON list, named for its place, its node as Argo names it; None where it is no list."""
    try:
        found = json.loads(items)
    except ValueError:
        return None
    if not isinstance(found, list):
        return None
    return [_branch(task, place, item_text(item)) for place, item in enumerate(found)]


def item_text(item: Any) -> str:
    """``{{item}}`` as Argo writes it."""
    return item if isinstance(item, str) else json.dumps(item, ensure_ascii=False, separators=(",", ":"))


def _branch(task: Task, place: int, text: str) -> Task:
    node = f"{task.name}({place}:{text.replace('(', '').replace(')', '')})"
    arguments: Mapping[str, str] = fill(dict(task.arguments), {"item": text})
    return replace(task, name=f"{task.name}({place})", node=node, group=task.name, items="", arguments=arguments)


def make_folder(folder: RunFolder, work: Path, name: str, limit: int) -> Path:
    """The working folder of a branch: a copy of the run's, with the same links around it. Raises OSError."""
    base = folder.path / FOLDER / name
    shutil.rmtree(base, ignore_errors=True)
    here, there = work, base / work.relative_to(folder.work)
    there.mkdir(mode=0o700, parents=True)
    copy(work, there, (), limit=limit)
    found = there
    while here != folder.work:
        inside, here, there = here.name, here.parent, there.parent
        for entry in here.iterdir():
            if entry.name != inside:
                (there / entry.name).symlink_to(entry.readlink() if entry.is_symlink() else entry)
    return found


def drop_folder(folder: RunFolder, name: str) -> None:
    """Remove it."""
    shutil.rmtree(folder.path / FOLDER / name, ignore_errors=True)

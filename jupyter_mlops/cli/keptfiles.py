"""What a finished run keeps in the registry beside its record, for ``jupyter mlops runs RUN``: files, and series of metrics."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from jupyter_mlops.cli.console import Console, size
from jupyter_mlops.errors import Corrupt, PlatformError, WrongUsage

if TYPE_CHECKING:
    from jupyter_mlops.engine.base import Run
    from jupyter_mlops.flow import Workbench


def what_it_kept(found: Run, bench: Workbench) -> Mapping[str, Any]:
    """``files`` and ``series``; both empty where no registry answers."""
    from jupyter_mlops.registry.runs import kept

    try:
        return kept(bench.store, found.pipeline, found.name)
    except (Corrupt, PlatformError, WrongUsage):
        return {"files": [], "series": []}


def say_kept(found: Run, bench: Workbench, console: Console) -> None:
    """What steps kept, and how many values each metric has."""
    from jupyter_mlops.registry.runs import ARTIFACTS

    shown = what_it_kept(found, bench)
    for name, count in Counter(point["name"] for point in shown["series"]).items():
        if count > 1:
            console.line(f"series {name}: {count} values")
    for file in shown["files"]:
        if file["name"].startswith(ARTIFACTS):
            console.line(f"file {file['name'].removeprefix(ARTIFACTS)}  {size(file['bytes'])}")


def pull(found: Run, folder: Path, console: Console, bench: Workbench) -> None:
    """Write all files of a run into a folder.

    Raises:
        NotFound: the run is not recorded yet.
        Corrupt: a file is damaged, or its name leads out of the folder.
        PlatformError: code ``unwritable``.
    """
    from jupyter_mlops.registry.runs import RunRecords

    records = RunRecords(bench.store)
    names = list(records.files(found.pipeline, found.name))
    for name in names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name:
            raise Corrupt(f"run {found.name} holds a file named {name!r}", code="unsafe-path", fix="Do not use this run.")
        target = folder / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with records.open(found.pipeline, found.name, name) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file, 1 << 20)
        except OSError as error:
            raise PlatformError(
                f"cannot write {target}: {error.strerror}", code="unwritable", fix="Name another folder."
            ) from error
    console.note(f"{len(names)} files in {folder}")

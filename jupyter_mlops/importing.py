"""The rim of the importers: reads a source and the files beside it, and writes the notebook that comes out.

The source is never changed unless it is asked for, and no other file is ever overwritten: what is there with another content
is a conflict. Reading goes no further than the source's folder and what lies beside it by a relative path, as the other tool
had it.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import Conflict, NotFound, Refused, Where, WrongUsage
from jupyter_mlops.importers.base import Imported, Item, Source, document_of
from jupyter_mlops.importers.find import importer_of
from jupyter_mlops.notebook.read import parse

YAML = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Written:
    """An import that was done: what came out, and where it lies."""

    imported: Imported
    path: Path


def import_file(path: Path, output: Path | None = None, *, in_place: bool = False) -> Written:
    """Import a file and write the notebook.

    Args:
        path: of the source.
        output: folder, or name of the notebook (ending in .ipynb); None: the folder in which its relative paths are right.
        in_place: write over the source, where that is a notebook.

    Raises:
        NotFound: no such file.
        Refused: it cannot be imported; all reasons are in ``diagnostics``.
        Conflict: code ``file-exists``: another file is where the notebook would go.
        WrongUsage: it cannot be written there, or ``in_place`` of something that is no notebook.
    """
    if in_place and output is not None:
        raise WrongUsage("--in-place and -o both say where the notebook goes", fix="Leave one of them out.")
    source = read_source(path)
    imported = importer_of(source).convert(source)
    if in_place and not imported.of_notebook:
        raise WrongUsage(f"{path.name} is no notebook, so nothing can take its place", fix="Leave --in-place out, or say -o DIR.")
    target = path if in_place else _target(path, imported, output)
    text = json.dumps(imported.document, indent=1, ensure_ascii=False) + "\n"
    if not in_place and target.exists() and target.read_text(encoding="utf-8", errors="replace") != text:
        raise Conflict(
            f"{target} is there already, and is another notebook",
            code="file-exists",
            fix="Name another with -o FILE.ipynb, or remove it; --in-place writes over the source itself.",
            where=Where(path.name),
        )
    _write(target, text)
    return Written(_elsewhere(path, imported, target), target)


def read_source(path: Path) -> Source:
    """A source with a way to its neighbours. Raises NotFound or Refused."""
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, IsADirectoryError) as error:
        fix = "Give a notebook, an Elyra .pipeline, a jupyter-scheduler job as JSON, or a same_config.yaml."
        raise NotFound(f"no file at {path}", fix=fix) from error
    except (UnicodeDecodeError, OSError) as error:
        raise Refused(f"{path.name} cannot be read as text", "not-importable", "Save it as UTF-8.", Where(path.name)) from error
    document = _yaml(text, path.name) if path.suffix in YAML else document_of(text, path.name)
    if {"cells", "nbformat", "worksheets"} & set(document):
        parse(text, path.name)  # refuses what is no sound notebook, with every reason

    def read(relative: str) -> str:
        place = path.parent / relative
        if not place.is_file():
            raise FileNotFoundError(relative)
        return place.read_text(encoding="utf-8")

    return Source(path.name, document, read)


def _yaml(text: str, name: str) -> Mapping[str, Any]:
    import yaml

    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Refused(f"{name} is not YAML", "not-importable", "Correct it, or give a notebook.", Where(name)) from error
    if not isinstance(found, dict):
        raise Refused(f"{name} is YAML, but no configuration", "not-importable", "Give a same_config.yaml.", Where(name))
    return found


def _target(path: Path, imported: Imported, output: Path | None) -> Path:
    """Where the notebook goes: beside its source under the proposed name, never onto the source itself."""
    if output is not None and output.suffix == ".ipynb":
        return output
    folder = output if output is not None else path.parent / imported.folder
    target = folder / f"{imported.stem}.ipynb"
    sources = {path.resolve(), *((path.parent / name).resolve() for name in imported.reads)}
    return folder / f"{imported.stem}_imported.ipynb" if target.resolve() in sources else target


def _elsewhere(path: Path, imported: Imported, target: Path) -> Imported:
    """The import, with a word about files beside the source where the notebook goes to another folder."""
    home = (path.parent / imported.folder).resolve()
    if target.parent.resolve() == home:
        return imported
    what = f"files and modules beside the notebook stay in {home}, and relative paths in its cells mean {target.parent}"
    item = Item("(folder)", "lost", what, "Leave -o out, or copy what the cells read.")
    return replace(imported, items=(*imported.items, item))


def _write(path: Path, text: str) -> None:
    """All or nothing, with the permissions that a new file gets."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except OSError as error:
        raise WrongUsage(f"cannot write {path}: {error.strerror}", fix="Choose a folder that you may write.") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

"""Data files beside a notebook that its cells name: what travels to a cluster, where the notebook's folder is not.

On this machine steps run in a view of the folder, so everything is there. On a cluster nothing is, except what the bundle
brings. A text in a cell that names a file of the folder, a pattern that matches some, or a folder in it is taken for data
that the cell reads. Too much of it stays behind, and is named: large data belongs into a bucket or a dataset of the registry.
A symbolic link travels as the file that it leads to.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import islice
from pathlib import Path, PurePosixPath

from jupyter_mlops.pipeline.environment import trees

LIMIT = 64 << 20
"""Bytes of data that travel at most: each step's pod fetches them."""

LONGEST = 512
"""Characters of a text that may be a path."""

MOST, SEEN = 2000, 20_000
"""Files that travel at most, and those of one folder or pattern that are looked at."""


@dataclass(frozen=True, slots=True)
class Data:
    """Files that travel, by their names relative to the folder, and those that do not fit, with their sizes in bytes."""

    files: dict[str, Path]
    left: dict[str, int]


def data_files(sources: Iterable[str], folder: Path, ignore: Iterable[str], taken: Iterable[str] = ()) -> Data:
    """The data files that these sources name.

    Args:
        sources: cells and local modules.
        folder: of the notebook; nothing outside of it travels.
        ignore: names (patterns) that never travel.
        taken: names that travel already, as modules.
    """
    folder, ignored, known = folder.resolve(), (*ignore, "*.ipynb"), set(taken)
    found: dict[str, Path] = {}
    for source in sources:
        for text in sorted(_texts(source)):
            for path in _named(text, folder):
                name = path.relative_to(folder).as_posix()
                if name not in known and not any(fnmatch(part, one) for part in PurePosixPath(name).parts for one in ignored):
                    found.setdefault(name, path)
    return _fitting(found)


def _fitting(found: dict[str, Path]) -> Data:
    """The smallest files first, as many as fit: what stays behind is then little in number, and named."""
    files: dict[str, Path] = {}
    left: dict[str, int] = {}
    total = 0
    for size, name in sorted((path.stat().st_size, name) for name, path in found.items()):
        if total + size > LIMIT or len(files) >= MOST:
            left[name] = size
        else:
            files[name] = found[name]
            total += size
    return Data(dict(sorted(files.items())), dict(sorted(left.items())))


def _texts(source: str) -> set[str]:
    """Literal texts that could be paths."""
    nodes = (node.value for tree, _ in trees(source) for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return {text for text in nodes if isinstance(text, str) and 0 < len(text) <= LONGEST and "\n" not in text and "\0" not in text}


def _named(text: str, folder: Path) -> Iterator[Path]:
    """Files of the folder that a text means: one, those of a folder, or those that a pattern matches."""
    plain = text.removeprefix("./")
    if not plain or plain.startswith(("/", "~", "..")) or ".." in PurePosixPath(plain).parts or "://" in plain:
        return
    try:
        place = folder / plain
        places: Iterator[Path] = iter([place])
        if set(plain) & set("*?["):
            places = folder.glob(plain) if any(character.isalnum() for character in plain) else iter(())
        elif place.is_dir() and place.resolve() != folder:
            places = place.rglob("*")
        yield from (path for path in islice(places, SEEN) if path.is_file())
    except (OSError, ValueError, NotImplementedError, RecursionError):
        return

"""Modules of a notebook that lie beside it: what has to travel with the notebook for its imports to work elsewhere.

Found from the import statements of the cells, then from those of the modules found; folders that the notebook puts on the
import path count as well.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path

from jupyter_mlops.errors import WrongUsage

IGNORED = ("__pycache__", ".*", "*.pyc", "node_modules")
LARGE = 1 << 20
"""Bytes from which a file inside a package counts as data and stays behind."""

TOTAL = 32 << 20
"""Bytes of local modules at most; a package above it is no module beside a notebook."""

_MAGIC = re.compile(r"^(\s*)[%!?].*$", re.MULTILINE)
_IMPORT_LINE = re.compile(r"^\s*(?:import|from)\s+([A-Za-z_]\w*)", re.MULTILINE)
_PATH_CALLS = frozenset({"append", "insert", "extend"})


def local_modules(sources: Iterable[str], folder: Path) -> dict[str, Path]:
    """Name relative to the folder → path, of every local module that the sources need.

    Raises:
        WrongUsage: code ``modules-too-large``, naming the biggest.
    """
    folder = folder.resolve()
    found: dict[str, Path] = {}
    waiting = list(sources)
    places, wanted = [folder], set[str]()
    while waiting:
        names, paths = _imports(waiting.pop())
        places += [place for place in _folders(paths, folder) if place not in places]
        for name in sorted(names - wanted):
            for file in _module(name, places):
                key = file.relative_to(folder).as_posix()
                if key not in found:
                    found[key] = file
                    if file.suffix == ".py":
                        waiting.append(file.read_text(encoding="utf-8", errors="replace"))
        wanted |= {name for name in names if any(_exists(name, place) for place in places)}
    _check_size(found)
    return dict(sorted(found.items()))


def _imports(source: str) -> tuple[set[str], set[str]]:
    """Top-level names that a source imports, and texts that it puts on the import path."""
    if "import" not in source and "path" not in source:
        return set(), set()
    text = _MAGIC.sub(r"\1pass", source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError):
            return set(_IMPORT_LINE.findall(source)), set()
    names: set[str] = set()
    paths: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
        elif isinstance(node, ast.Call) and _changes_path(node.func):
            paths |= {x.value for x in ast.walk(node) if isinstance(x, ast.Constant) and isinstance(x.value, str)}
    return names, paths


def _changes_path(function: ast.expr) -> bool:
    """Whether this is ``sys.path.append`` or one of its kin."""
    return isinstance(function, ast.Attribute) and function.attr in _PATH_CALLS and ast.unparse(function.value) == "sys.path"


def _folders(paths: Iterable[str], folder: Path) -> Iterator[Path]:
    """Folders inside the notebook's folder that these texts name."""
    for text in sorted(paths):
        with suppress(OSError, ValueError):
            place = (folder / text).resolve()
            if place.is_dir() and place.is_relative_to(folder):
                yield place


def _exists(name: str, place: Path) -> bool:
    return (place / f"{name}.py").is_file() or (place / name).is_dir()


def _module(name: str, places: Iterable[Path]) -> Iterator[Path]:
    """Files of a module or package, from the first place that has it."""
    for place in places:
        if (place / name).is_dir() and any((place / name).glob("*.py")):
            yield from _package(place / name)
            return
        if (place / f"{name}.py").is_file():
            yield place / f"{name}.py"
            return


def _package(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if any(fnmatch(path.name, pattern) for pattern in IGNORED) or path.is_symlink():
            continue
        if path.is_dir():
            yield from _package(path)
        elif path.is_file() and path.stat().st_size < LARGE:
            yield path


def _check_size(found: dict[str, Path]) -> None:
    sizes = {name: path.stat().st_size for name, path in found.items()}
    if sum(sizes.values()) > TOTAL:
        biggest = max(sizes, key=lambda name: sizes[name])
        raise WrongUsage(
            f"the modules beside the notebook have {sum(sizes.values()) >> 20} MiB of {TOTAL >> 20}; the biggest: {biggest}",
            code="modules-too-large",
            fix="Install large packages into the image instead of importing them from the notebook's folder.",
        )

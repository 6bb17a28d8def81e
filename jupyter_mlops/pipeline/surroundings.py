"""What the source names and the notebook's surroundings do not have: files, modules beside it, the names of a star import.

Pure: somebody else looks at the folder and at the Python. Said is only what surely is asked for: no file that a cell above makes
or may make, nothing inside a branch or a ``try`` that expects it to be missing, and no module where the Python that will run
the notebook is not known.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath

from jupyter_mlops.dataflow.facts import Analysis, CellFacts
from jupyter_mlops.errors import Diagnostic


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a notebook lies."""

    has_file: Callable[[str], bool]
    """Whether a path relative to the notebook's folder is there."""

    has_module: Callable[[str], bool] | None = None
    """Whether a top-level module is beside the notebook or installed for its kernel; None where that is not known."""


def absent(analysis: Analysis, around: Surroundings) -> Iterator[Diagnostic]:
    """A warning for each file and module that a cell asks for and that is not there."""
    made: set[str] = set()
    anything = installs = False
    for facts in analysis.facts:
        made |= facts.writes_files
        installs |= bool(facts.requirements)
        yield from _relative_imports(facts)
        if around.has_module is not None and not installs and not facts.flags & {"opaque", "dynamic"}:
            yield from _modules(facts, made, around.has_module)
        if not anything:
            yield from _files(facts, made, around.has_file)
        anything |= facts.makes_files or bool(facts.flags & {"opaque", "dynamic"})


def _files(facts: CellFacts, made: set[str], has_file: Callable[[str], bool]) -> Iterator[Diagnostic]:
    for path, line in facts.asks_files.items():
        if path not in made and _is_plain(path) and not has_file(path):
            message = f"cell {facts.cell} reads {path}, which is not beside the notebook, and no cell above writes it"
            fix = "Put it into the notebook's folder, correct the path, or write it in a cell above."
            yield Diagnostic("missing-file", "warning", message, facts.cell, line, fix)


def _relative_imports(facts: CellFacts) -> Iterator[Diagnostic]:
    for module, line in facts.imports.items():
        if module.startswith("."):
            message = f"cell {facts.cell} imports {module}; a notebook is in no package, so the run stops here"
            yield Diagnostic(
                "missing-module", "warning", message, facts.cell, line, f"Write: from {module.lstrip('.') or 'NAME'} import …"
            )


def _modules(facts: CellFacts, made: set[str], has_module: Callable[[str], bool]) -> Iterator[Diagnostic]:
    for module, line in facts.imports.items():
        name = module.partition(".")[0]
        if not name or name in sys.stdlib_module_names or name == "__main__" or {f"{name}.py", f"{name}/__init__.py"} & made:
            continue
        if has_module(name):
            continue
        if module in facts.star_lines:
            message = f"cell {facts.cell} imports * from {module}, which is not here: which names that binds cannot be known"
            fix = "Put the module beside the notebook, install it, or name what is imported."
            yield Diagnostic("star-import", "warning", message, facts.cell, line, fix)
        else:
            message = f"cell {facts.cell} imports {name}, which is neither beside the notebook nor installed; the run stops here"
            fix = f"Put {name}.py beside the notebook, install it for its kernel, or correct the name."
            yield Diagnostic("missing-module", "warning", message, facts.cell, line, fix)


def _is_plain(path: str) -> bool:
    """A path within the folder: no address, no pattern, no absolute path, no place outside."""
    absolute = PurePosixPath(path).is_absolute() or PureWindowsPath(path).is_absolute() or path.startswith(("~", "$"))
    return not absolute and "://" not in path and ".." not in PurePosixPath(path).parts and not set(path) & set("*?[]{}\n")

"""Cells as a step runs them: without the lines that are for this product, with every line where it was."""

from __future__ import annotations

import re
import warnings
from ast import Name, Store, parse, walk
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from jupyter_mlops.runner.plan import Parameter

_STEP_HEADER = re.compile(r"\A(\s*)(%%step\b[^\n]*)")


def runnable(source: str) -> str:
    """The source with its ``%%step`` line made a comment, so that line numbers stay what people see.

    Where another cell magic follows (``%%time``), the line is blank instead: IPython takes a cell magic only as the first line.
    """
    match = _STEP_HEADER.match(source)
    if match is None:
        return source
    body = source[match.end() :]
    return f"{match[1]}{'' if body.lstrip().startswith('%%') else f'# {match[2]}'}{body}"


def differs(given: Any, parameter: Parameter) -> bool:
    """Whether a given value is another one than the cell's own; 1, 1.0 and True are three values."""
    return type(given) is not type(parameter.default) or given != parameter.default


def value_of(given: Any, parameter: Parameter) -> Any:
    """A given value in the parameter's type: JSON has one kind of number where ``float`` may be meant."""
    return float(given) if parameter.type == "float" and isinstance(given, int) and not isinstance(given, bool) else given


def binding_line(source: str, name: str) -> int | None:
    """The first line of a cell, from 1, that binds a name; the first that says it where the cell is no plain Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = parse(source)
        lines = [node.lineno for node in walk(tree) if isinstance(node, Name) and isinstance(node.ctx, Store) and node.id == name]
    except (SyntaxError, ValueError):
        lines = []
    word = re.compile(rf"\b{re.escape(name)}\b")
    lines = lines or [number for number, line in enumerate(source.splitlines(), start=1) if word.search(line)]
    return min(lines, default=None)


def said_at(sources: Mapping[int, str], cells: Iterable[int], name: str) -> tuple[int, int] | None:
    """Cell and line that say a name first; of a file the name without its folder is enough.

    Args:
        sources: the notebook's code by cell.
        cells: which of them to look at, in order.
        name: a variable, or a file by its path below the notebook's folder.
    """
    known = list(cells)
    for said in dict.fromkeys((name, PurePosixPath(name).name)):
        word = re.compile(rf"(?<![\w.-]){re.escape(said)}(?![\w-])")
        for cell in known:
            for number, line in enumerate(sources.get(cell, "").splitlines(), start=1):
                if word.search(line):
                    return cell, number
    return None


def naming_place(sources: Mapping[int, str], cells: Iterable[int], name: str) -> tuple[int | None, int | None]:
    """Cell and line of a step that say a name, as ``said_at`` finds them; else where the step starts.

    Nothing tells which line has written a file, and its name may be put together: the first line that says it is where to look.
    A step without cells has no place.
    """
    known = list(cells)
    if (found := said_at(sources, known, name)) is not None:
        return found
    if not known:
        return None, None
    lines = sources.get(known[0], "").splitlines()
    return known[0], next((number for number, line in enumerate(lines, start=1) if line.strip()), 1)

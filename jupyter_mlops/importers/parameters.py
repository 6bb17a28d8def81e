"""Values that another tool gives a notebook become the defaults of its parameters.

Tools inject values by a cell after the one tagged ``parameters``, so lines of that cell that computed something from an old
default keep what they computed. Where no line does, the values take the places of the old defaults, and one cell says it all.
Where one does, the injected cell stays, as a second cell of parameters: the result is that of the source either way.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from jupyter_mlops.importers.base import JSON
from jupyter_mlops.importers.cells import PARAMETERS, code_cell, tags_of, text_of

INJECTED = "injected-parameters"


def literals(source: str) -> dict[str, Any] | None:
    """Name → value of a cell that only assigns literals to names, None for any other cell."""
    try:
        tree = ast.parse(source)
        found = {}
        for node in tree.body:
            if not (isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)):
                return None
            found[node.targets[0].id] = ast.literal_eval(node.value)
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        return None
    return found


def give(cells: list[JSON], values: Mapping[str, Any]) -> str:
    """Let the notebook's parameters have these values; says what was done.

    Without a cell of parameters one is put first.
    """
    place = next((i for i, cell in enumerate(cells) if cell.get("cell_type") == "code" and PARAMETERS in tags_of(cell)), None)
    if place is None:
        cells.insert(0, code_cell(_assignments(values), [PARAMETERS]))
        return "defaults in a new cell of parameters at the top"
    written = _replaced(text_of(cells[place]), values)
    if written is None:
        cells.insert(place + 1, code_cell(_assignments(values), [PARAMETERS]))
        return "defaults in a second cell of parameters, since lines of the first may compute with its own"
    cells[place]["source"] = written
    return "defaults in the cell of parameters"


def _assignments(values: Mapping[str, Any]) -> str:
    return "\n".join(f"{name} = {value!r}" for name, value in values.items())


def _replaced(source: str, values: Mapping[str, Any]) -> str | None:
    """The source with the values in place of the literals that it assigns; None where that could change another value."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return None
    places: dict[str, ast.expr] = {}
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            continue
        assigned = _literal(node)
        if assigned is None or assigned[0] in places:
            return None
        places[assigned[0]] = assigned[1]
    rows = [row.encode() for row in source.split("\n")]
    changed = [(places[name], value) for name, value in values.items() if name in places]
    for old, value in sorted(changed, key=lambda pair: (-pair[0].lineno, -pair[0].col_offset)):
        first, last = old.lineno - 1, (old.end_lineno or old.lineno) - 1
        written = rows[first][: old.col_offset] + repr(value).encode() + rows[last][old.end_col_offset or 0 :]
        rows[first : last + 1] = [written]
    text = b"\n".join(rows).decode()
    new = {name: value for name, value in values.items() if name not in places}
    return "\n".join(part for part in (text, _assignments(new)) if part.strip())


def _literal(node: ast.stmt) -> tuple[str, ast.expr] | None:
    """Name and value of a statement that only gives a name a literal, so that nothing depends on what stood there."""
    if isinstance(node, ast.Assign):
        target, value = node.targets[0], node.value if len(node.targets) == 1 else None
    elif isinstance(node, ast.AnnAssign):
        target, value = node.target, node.value
    else:
        return None
    if not isinstance(target, ast.Name) or value is None:
        return None
    try:
        ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    return target.id, value

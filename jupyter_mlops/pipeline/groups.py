"""Groups of cells, before they become steps; and the groups that a person named.

Steps are contiguous runs of cells in document order, since only that order is sure to give the result of Restart & Run All. A
cell without a name joins the step above it; cells before the first named one go to the first step. The same name on
neighbouring cells is one step; the same name again further down is refused, because joining the two would move cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jupyter_mlops.errors import Diagnostic
from jupyter_mlops.notebook.metadata import Request
from jupyter_mlops.pipeline.names import step_name


@dataclass(frozen=True, slots=True)
class Group:
    """Cells of one step to be, with the heading or tag it is called after ('' if there is none)."""

    title: str
    cells: tuple[int, ...]


def named_groups(cells: Sequence[int], requests: Mapping[int, Request]) -> tuple[list[Group], list[Diagnostic]]:
    """The groups of a notebook in which at least one cell names its step."""
    titles: list[str] = []
    members: list[list[int]] = []
    waiting: list[int] = []
    first_cell: dict[str, int] = {}
    found: list[Diagnostic] = []
    for cell in cells:
        title = requests[cell].step
        if title is None:
            (members[-1] if members else waiting).append(cell)
            continue
        if not members or not _same(titles[-1], title):
            key = step_name(title)
            if key in first_cell:
                found.append(_again(title, cell, first_cell[key]))
            first_cell.setdefault(key, cell)
            titles.append(title)
            members.append([*waiting])
            waiting = []
        members[-1].append(cell)
    return [Group(title, tuple(inside)) for title, inside in zip(titles, members, strict=True)], found


def _same(one: str, other: str) -> bool:
    """Whether two names are one step: equal after they are made fit for Kubernetes."""
    return one == other or (bool(step_name(one)) and step_name(one) == step_name(other))


def _again(title: str, cell: int, first: int) -> Diagnostic:
    message = f"cell {cell} names the step {title!r} again, which begins in cell {first}; other steps lie between them"
    fix = "Give it another name, or move the cells together: joining them would change the order of the notebook."
    return Diagnostic("duplicate-step", "error", message, cell, fix=fix)

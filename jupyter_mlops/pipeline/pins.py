"""A person pins an order: the tag ``prev:NAME`` on the first cell of a step, which is Kale's own and means the same.

A pinned step needs the other one, so that the two never run beside each other, whatever the source or an earlier run say of them.
One tag is all that is written, and taking it back leaves the notebook as it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from jupyter_mlops.errors import WrongUsage
from jupyter_mlops.notebook.document import Cell, Notebook
from jupyter_mlops.pipeline.names import step_name
from jupyter_mlops.pipeline.pipeline import Pipeline, Step

PREV = "prev:"
STEPS = "`jupyter mlops steps NOTEBOOK.ipynb` lists the steps in their order."


def pinned(notebook: Notebook, pipeline: Pipeline, first: str, second: str) -> Notebook:
    """The notebook in which one step waits for another; itself where it does so by a tag already.

    Raises:
        WrongUsage: a step is not there, or the first does not come before the second.
    """
    before, after = _steps(pipeline, first, second)
    if any(step_name(first) in _named(notebook.cells[cell]) for cell in after.cells):
        return notebook
    cell = notebook.cells[after.cells[0]]
    title = before.title if before.title and step_name(before.title) == before.name and ";" not in before.title else before.name
    return _with(notebook, {cell.index: _tagged(cell, (*cell.tags, f"{PREV}{title}"))})


def unpinned(notebook: Notebook, pipeline: Pipeline, first: str, second: str) -> Notebook:
    """The notebook without the tags that let the second step wait for the first.

    Raises:
        WrongUsage: a step is not there, or no tag says so; a value that flows between two steps cannot be taken back.
    """
    _, after = _steps(pipeline, first, second)
    changed = {
        index: _tagged(cell, tuple(kept for tag in cell.tags if (kept := _without(tag, step_name(first)))))
        for index in after.cells
        if step_name(first) in _named(cell := notebook.cells[index])
    }
    if not changed:
        raise WrongUsage(f"no tag pins {second} behind {first}", fix="Links by values are not pinned; rename the value.")
    return _with(notebook, changed)


def followed(notebook: Notebook, names: Mapping[str, str], now: Sequence[tuple[str, Sequence[int]]]) -> Notebook:
    """The notebook whose pins follow an edit of its steps.

    Args:
        notebook: after the edit.
        names: old name of a step → the name of the step that its first cell is in now.
        now: the steps after the edit, each a name and its cells: a pin on a step that has been joined with its own goes.
    """
    own = {cell: name for name, cells in now for cell in cells}

    def change(cell: Cell) -> Cell:
        tags = tuple(_without(_replaced(tag, names), own.get(cell.index, "")) for tag in cell.tags)
        return cell if tags == cell.tags else _tagged(cell, tuple(filter(None, tags)))

    return replace(notebook, cells=tuple(change(cell) if cell.kind == "code" else cell for cell in notebook.cells))


def _steps(pipeline: Pipeline, first: str, second: str) -> tuple[Step, Step]:
    steps = {step.name: step for step in pipeline.steps if step.cells}
    order = list(steps)
    for name in (first, second):
        if name not in steps:
            raise WrongUsage(f"there is no step {name}; there are {', '.join(order) or 'none'}", fix=STEPS)
    if order.index(first) >= order.index(second):
        raise WrongUsage(f"{first} does not come before {second}, and the order of the cells counts", fix=STEPS)
    return steps[first], steps[second]


def _parts(tag: str) -> list[str]:
    """The names of a ``prev:`` tag as they are written; none of another tag."""
    return [part.strip() for part in tag.removeprefix(PREV).split(";") if part.strip()] if tag.startswith(PREV) else []


def _named(cell: Cell) -> set[str]:
    return {step_name(part) for tag in cell.tags for part in _parts(tag)}


def _without(tag: str, name: str) -> str:
    """The tag without a step; '' where it names no other."""
    parts = _parts(tag)
    if name not in map(step_name, parts):
        return tag
    rest = [part for part in parts if step_name(part) != name]
    return PREV + ";".join(rest) if rest else ""


def _replaced(tag: str, names: Mapping[str, str]) -> str:
    parts = _parts(tag)
    if not any(step_name(part) in names for part in parts):
        return tag
    return PREV + ";".join(names.get(step_name(part), part) for part in parts)


def _tagged(cell: Cell, tags: tuple[str, ...]) -> Cell:
    rest = {key: value for key, value in cell.metadata.items() if key != "tags"}
    return replace(cell, metadata={**rest, "tags": list(tags)} if tags else rest)


def _with(notebook: Notebook, changed: Mapping[int, Cell]) -> Notebook:
    return replace(notebook, cells=tuple(changed.get(cell.index, cell) for cell in notebook.cells))

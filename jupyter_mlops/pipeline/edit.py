"""A person's changes to the steps: split, join, rename, pin, leave out; written into the cells' metadata as small as it can be.

An edit is thought of as the steps that are wanted, each a name and its cells, and then written so that planning the notebook
again gives exactly those: the name on the first cell of each step, and nowhere else. A name is changed where it stands (metadata,
``%%step``, tag), so that no view contradicts another. Where the steps that are wanted are those that are proposed anyway, nothing
is written and what an earlier edit wrote is taken back: splitting and joining again leaves the notebook as it was.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from jupyter_mlops.errors import Refused, WrongUsage
from jupyter_mlops.notebook.document import Cell, Notebook
from jupyter_mlops.notebook.magic import STEP, step_line
from jupyter_mlops.notebook.metadata import KEY, unfit
from jupyter_mlops.notebook.schema import KEYS
from jupyter_mlops.pipeline.names import step_name
from jupyter_mlops.pipeline.pins import followed, pinned, unpinned
from jupyter_mlops.pipeline.pipeline import Pipeline
from jupyter_mlops.pipeline.plan import plan

NAMING_TAG = re.compile(r"(?:step|block):.*")
STEPS = "`jupyter mlops steps NOTEBOOK.ipynb` lists the steps and their cells."


@dataclass(frozen=True, slots=True)
class Wanted:
    """One step as it shall be."""

    name: str
    cells: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CellEdit:
    """A cell as it shall be: its whole metadata, and its source, which changes only on a ``%%step`` line."""

    cell: int
    metadata: Mapping[str, Any]
    source: str


def split(pipeline: Pipeline, cell: int, name: str = "") -> tuple[Wanted, ...]:
    """A step begins at this cell, called ``name``, else after the step that it was in.

    Raises:
        WrongUsage: no step runs the cell, one begins there already, or the name is taken.
    """
    step = pipeline.step_of(cell)
    if step is None:
        raise WrongUsage(f"no step runs cell {cell}", fix=STEPS)
    found: list[Wanted] = []
    for one in _now(pipeline):
        if cell not in one.cells:
            found.append(one)
            continue
        if cell == one.cells[0]:
            raise WrongUsage(f"the step {one.name} begins at cell {cell} already", fix=STEPS)
        at = one.cells.index(cell)
        found += [Wanted(one.name, one.cells[:at]), Wanted(name, one.cells[at:])]
    if name:
        _free(pipeline, name)
    else:
        taken = {one.name for one in pipeline.steps}
        name = next(f"{step}-{n}" for n in count(2) if f"{step}-{n}" not in taken)
    return tuple(replace(one, name=one.name or name) for one in found)


def join(pipeline: Pipeline, first: str, second: str) -> tuple[Wanted, ...]:
    """Two neighbouring steps become one, called after the first.

    Raises:
        WrongUsage: a step is not there, or others lie between them.
    """
    names = [step.name for step in pipeline.steps]
    places = sorted(_place(names, name) for name in (first, second))
    if places[1] - places[0] != 1:
        why = "they are the same" if places[0] == places[1] else "other steps lie between them"
        raise WrongUsage(f"the steps {first} and {second} cannot be joined: {why}", fix=f"Join neighbours. {STEPS}")
    now = _now(pipeline)
    both = Wanted(now[places[0]].name, now[places[0]].cells + now[places[1]].cells)
    return (*now[: places[0]], both, *now[places[1] + 1 :])


def rename(pipeline: Pipeline, step: str, name: str) -> tuple[Wanted, ...]:
    """A step gets another name.

    Raises:
        WrongUsage: the step is not there, or the name is taken.
    """
    place = _place([one.name for one in pipeline.steps], step)
    if step_name(name) != step:
        _free(pipeline, name)
    return tuple(replace(one, name=name) if index == place else one for index, one in enumerate(_now(pipeline)))


def write(notebook: Notebook, wanted: Sequence[Wanted]) -> tuple[CellEdit, ...]:
    """The changes of cells after which planning gives the steps that are wanted; none where it does so already.

    Raises:
        WrongUsage: a step's name cannot be one.
    """
    goal = [(step_name(one.name), one.cells) for one in wanted]
    for (found, _), one in zip(goal, wanted, strict=True):
        if not found:
            raise WrongUsage(f"{one.name!r} cannot be the name of a step", fix="Use letters and digits, with - between them.")
    now = _shape(notebook)
    if now == goal:
        return ()
    inside = {cell: name for name, cells in goal for cell in cells}
    names = {name: inside[cells[0]] for name, cells in now if cells and inside.get(cells[0], name) != name}
    return _edits(notebook, followed(_written(notebook, wanted, goal), names, goal))


def _written(notebook: Notebook, wanted: Sequence[Wanted], goal: Sequence[tuple[str, tuple[int, ...]]]) -> Notebook:
    """The notebook with the names that give the steps that are wanted."""
    bare = _changed(notebook, lambda cell: _unnamed(cell, None))
    if _shape(bare) == goal:
        return bare
    first = {one.cells[0]: one.name for one in wanted}
    inside = {cell: one.name for one in wanted for cell in one.cells[1:]}
    return _changed(
        notebook, lambda cell: _named(cell, first[cell.index]) if cell.index in first else _unnamed(cell, inside.get(cell.index))
    )


def pin(notebook: Notebook, pipeline: Pipeline, first: str, second: str) -> tuple[CellEdit, ...]:
    """The change after which the second step waits for the first; none where it is pinned already. Raises WrongUsage."""
    return _edits(notebook, pinned(notebook, pipeline, first, second))


def unpin(notebook: Notebook, pipeline: Pipeline, first: str, second: str) -> tuple[CellEdit, ...]:
    """The change that takes a pin back. Raises WrongUsage where there is none."""
    return _edits(notebook, unpinned(notebook, pipeline, first, second))


def skip(notebook: Notebook, cells: Collection[int]) -> tuple[CellEdit, ...]:
    """The changes after which no step runs these cells, and every other cell is in the step that it was in.

    A name on a cell that is left out stays there, so that taking it back in finds it. A notebook that cannot be planned loses
    just these cells, which may be what mends it.

    Raises:
        WrongUsage: one of them is no code.
    """
    _code(notebook, cells)
    after = _changed(notebook, lambda cell: _set(cell, "skip", True) if cell.index in cells and not _skipped(cell) else cell)
    try:
        now = _now(plan(notebook))
    except Refused:
        return _edits(notebook, after)
    left = [Wanted(one.name, tuple(cell for cell in one.cells if cell not in cells)) for one in now]
    wanted = [one for one in left if one.cells]
    goal = [(step_name(one.name), one.cells) for one in wanted]
    if _shape(after) not in ([], goal):
        named = _written(after, wanted, goal)
        after = replace(
            after, cells=tuple(old if old.index in cells else new for old, new in zip(after.cells, named.cells, strict=True))
        )
    return _edits(notebook, after)


def unskip(notebook: Notebook, cells: Collection[int]) -> tuple[CellEdit, ...]:
    """The changes that take cells back in, by key and by tag. Raises WrongUsage where one of them is no code."""
    _code(notebook, cells)
    return _edits(notebook, _changed(notebook, lambda cell: _taken_in(cell) if cell.index in cells and _skipped(cell) else cell))


def put(notebook: Notebook, cell: int, key: str, value: Any) -> tuple[CellEdit, ...]:
    """The change after which a cell's metadata holds a value of the table of keys; None takes the key out.

    Raises:
        WrongUsage: the cell is no code, no cell has the key, or the value does not fit.
    """
    _code(notebook, (cell,))
    if key not in KEYS or not KEYS[key].cell:
        raise WrongUsage(f"no cell has the key {key!r}", fix="docs/metadata.md lists the keys.")
    for why in unfit({key: value}).values():
        raise WrongUsage(f"{key} of cell {cell}: {why}", fix=f"Give it a value such as {KEYS[key].example!r}.")
    return _edits(notebook, _changed(notebook, lambda one: _set(one, key, value) if one.index == cell else one))


def reset(notebook: Notebook) -> tuple[CellEdit, ...]:
    """The changes that take every name of a step back, so that steps are proposed; a ``%%step`` line is code, and stays."""
    return _edits(notebook, _changed(notebook, lambda cell: _unnamed(cell, None)))


def applied(raw: Mapping[str, Any], edits: Sequence[CellEdit]) -> dict[str, Any]:
    """The document with the edits, everything else as it was."""
    document = copy.deepcopy(dict(raw))
    for edit in edits:
        cell = document["cells"][edit.cell]
        cell["metadata"] = dict(edit.metadata)
        if edit.source != _joined(cell["source"]):
            cell["source"] = edit.source if isinstance(cell["source"], str) else edit.source.splitlines(keepends=True)
    return document


def _joined(source: Any) -> str:
    return source if isinstance(source, str) else "".join(source)


def _now(pipeline: Pipeline) -> tuple[Wanted, ...]:
    """The steps as they are, by the names that people gave them where they give the same step's name."""
    return tuple(Wanted(step.title if step_name(step.title) == step.name else step.name, step.cells) for step in pipeline.steps)


def _place(names: Sequence[str], name: str) -> int:
    if name not in names:
        raise WrongUsage(f"there is no step {name}; there are {', '.join(names) or 'none'}", fix=STEPS)
    return names.index(name)


def _free(pipeline: Pipeline, name: str) -> None:
    if step_name(name) in {step.name for step in pipeline.steps}:
        raise WrongUsage(f"there is a step {step_name(name)} already", fix="Choose another name.")


def _shape(notebook: Notebook) -> list[tuple[str, tuple[int, ...]]]:
    """Names and cells of the steps; none where the notebook cannot be planned, which an edit may mend."""
    try:
        return [(step.name, step.cells) for step in plan(notebook).steps]
    except Refused:
        return []


def _code(notebook: Notebook, cells: Collection[int]) -> None:
    known = {cell.index for cell in notebook.code}
    for cell in sorted(set(cells) - known):
        raise WrongUsage(f"cell {cell} is no code cell", fix=STEPS)


def _changed(notebook: Notebook, change: Callable[[Cell], Cell]) -> Notebook:
    return replace(notebook, cells=tuple(change(cell) if cell.kind == "code" else cell for cell in notebook.cells))


def _edits(before: Notebook, after: Notebook) -> tuple[CellEdit, ...]:
    pairs = zip(before.cells, after.cells, strict=True)
    return tuple(CellEdit(new.index, new.metadata, new.source) for old, new in pairs if old != new)


def _named(cell: Cell, name: str) -> Cell:
    """The cell with a name for its step, where it has one already, else in its metadata."""
    own = cell.metadata.get(KEY)
    line = step_line(cell.source)
    if isinstance(own, Mapping) and "step" in own:
        return _with_step(cell, name)
    if line is not None and line.name:
        return _renamed_line(cell, line.name, name)
    tags = list(cell.tags)
    place = next((i for i, tag in enumerate(tags) if NAMING_TAG.fullmatch(tag)), None)
    if place is None:
        return _with_step(cell, name)
    tags = [f"step:{name}" if i == place else tag for i, tag in enumerate(tags) if i == place or not NAMING_TAG.fullmatch(tag)]
    return replace(cell, metadata={**cell.metadata, "tags": tags})


def _unnamed(cell: Cell, name: str | None) -> Cell:
    """The cell without a name of its own; a ``%%step`` line cannot do without, and names the step that it is in."""
    cell = _with_step(cell, None)
    if any(NAMING_TAG.fullmatch(tag) for tag in cell.tags):
        tags = [tag for tag in cell.tags if not NAMING_TAG.fullmatch(tag)]
        rest = {key: value for key, value in cell.metadata.items() if key != "tags"}
        cell = replace(cell, metadata={**rest, "tags": tags} if tags else rest)
    line = step_line(cell.source)
    return _renamed_line(cell, line.name, name) if line is not None and line.name and name else cell


def _with_step(cell: Cell, name: str | None) -> Cell:
    own = cell.metadata.get(KEY)
    if name is None and (not isinstance(own, Mapping) or "step" not in own):
        return cell
    values = {key: value for key, value in (own if isinstance(own, Mapping) else {}).items() if key != "step"}
    return _own(cell, {"step": name, **values} if name else values)


def _own(cell: Cell, values: Mapping[str, Any]) -> Cell:
    """The cell with other metadata under ``mlops``; nothing of it where there is none."""
    rest = {key: value for key, value in cell.metadata.items() if key != KEY}
    return replace(cell, metadata={**rest, KEY: dict(values)} if values else rest)


def _set(cell: Cell, key: str, value: Any) -> Cell:
    """The cell with a value under ``mlops``; without the key where the value is None."""
    own = cell.metadata.get(KEY)
    values = dict(own) if isinstance(own, Mapping) else {}
    if values.get(key) == value and type(values.get(key)) is type(value):
        return cell
    if value is None:
        del values[key]
    else:
        values[key] = value
    return _own(cell, values)


def _skipped(cell: Cell) -> bool:
    """Whether no step runs the cell: its key counts more than its tag, as a conversion has it."""
    own = cell.metadata.get(KEY)
    said = own.get("skip") if isinstance(own, Mapping) else None
    return said if isinstance(said, bool) else "skip" in cell.tags


def _taken_in(cell: Cell) -> Cell:
    cell = _set(cell, "skip", None)
    if "skip" not in cell.tags:
        return cell
    tags = [tag for tag in cell.tags if tag != "skip"]
    rest = {key: value for key, value in cell.metadata.items() if key != "tags"}
    return replace(cell, metadata={**rest, "tags": tags} if tags else rest)


def _renamed_line(cell: Cell, old: str, new: str) -> Cell:
    """The cell with another name on its ``%%step`` line, whose options stay as they are written."""
    if step_name(old) == step_name(new):
        return cell
    blank = len(cell.source) - len(cell.source.lstrip("\n \t"))
    match = STEP.match(cell.source[blank:])
    if match is None:
        return cell
    word = re.compile(r"(?<!\S)(['\"]?)" + re.escape(old) + r"\1(?!\S)")
    quoted = f"'{new}'" if re.search(r"\s", new) else new
    line = word.sub(lambda _: quoted, match["line"], count=1)
    start = blank + match.start("line")
    return replace(cell, source=cell.source[:start] + line + cell.source[start + len(match["line"]) :])

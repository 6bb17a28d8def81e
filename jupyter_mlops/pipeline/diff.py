"""The difference between two conversions: what a change of a notebook does to its pipeline. Pure.

Steps are paired by name, then, where a name is new, by the cells that they share most. Cells are paired by their source, in
order, so that a cell that only moved down because one was added above it is no change.
"""

from __future__ import annotations

import ast
import difflib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from jupyter_mlops.notebook.document import Notebook
from jupyter_mlops.pipeline.options import set_options
from jupyter_mlops.pipeline.pipeline import Pipeline, Step

Change = Literal["same", "added", "removed", "changed", "renamed"]
ALIKE = 0.5
"""Share of common cells from which on a step with a new name is the old one renamed."""


@dataclass(frozen=True, slots=True)
class StepChange:
    """What became of one step. ``reruns``: a run that resumes one of before would run it again."""

    name: str
    change: Change
    before: str = ""
    """Its name before, where that was another."""

    cells: tuple[int, ...] = ()
    cells_before: tuple[int, ...] = ()
    lines: tuple[str, ...] = ()
    """Its source as a unified diff: ``+`` and ``-`` lines, each cell under a ``@@`` line."""

    options: Mapping[str, tuple[Any, Any]] | None = None
    """Option → (before, after)."""

    reruns: bool = False


@dataclass(frozen=True, slots=True)
class Diff:
    """Two conversions compared."""

    steps: tuple[StepChange, ...]
    links_added: tuple[tuple[str, str, str], ...]
    """Each (from step, to step, name), by the names that steps have now."""

    links_removed: tuple[tuple[str, str, str], ...]
    parameters: Mapping[str, tuple[Any, Any]]
    """Parameter → (type and default before, now); None where there is none."""

    @property
    def same(self) -> bool:
        """Whether both are one pipeline."""
        return all(step.change == "same" for step in self.steps) and not (self.links_added or self.links_removed or self.parameters)

    def to_json(self) -> dict[str, Any]:
        """The contract of ``diff --json``."""
        return {
            "same": self.same,
            "steps": [_step_json(step) for step in self.steps],
            "links": {
                key: [{"from": source, "to": target, "name": name} for source, target, name in links]
                for key, links in (("added", self.links_added), ("removed", self.links_removed))
            },
            "parameters": {name: {"before": old, "after": new} for name, (old, new) in self.parameters.items()},
            "reruns": [step.name for step in self.steps if step.reruns],
        }


def diff(before: tuple[Notebook, Pipeline], after: tuple[Notebook, Pipeline]) -> Diff:
    """Compare two conversions."""
    (old_notebook, old), (new_notebook, new) = before, after
    pairs = _pairs(old_notebook, old, new_notebook, new)
    renamed = {earlier.name: step.name for step, earlier in pairs if step is not None and earlier is not None}
    links = [_links(old, renamed), _links(new, {})]
    parameters = _parameters(old, new)
    found = [_step(step, earlier, old_notebook, new_notebook) for step, earlier in pairs]
    gone = any(x.change == "removed" for x in found)
    again = _reruns(new, found, removed=gone and bool(new.steps))
    return Diff(
        tuple(StepChange(x.name, x.change, x.before, x.cells, x.cells_before, x.lines, x.options, x.name in again) for x in found),
        tuple(sorted(links[1] - links[0])),
        tuple(sorted(links[0] - links[1])),
        parameters,
    )


def _pairs(a: Notebook, old: Pipeline, b: Notebook, new: Pipeline) -> list[tuple[Step | None, Step | None]]:
    """(now, before) for each step in document order; removed ones last."""
    left = {step.name: step for step in old.steps}
    found: dict[str, Step | None] = {step.name: left.pop(step.name, None) for step in new.steps}
    for step in new.steps:
        if found[step.name] is not None:
            continue
        sources = set(_sources(b, step))
        shares = {name: _share(sources, set(_sources(a, other))) for name, other in left.items()}
        best = max(shares, key=lambda name: shares[name], default="")
        if best and shares[best] >= ALIKE:
            found[step.name] = left.pop(best)
    return [*((step, found[step.name]) for step in new.steps), *((None, step) for step in left.values())]


def _share(one: set[str], other: set[str]) -> float:
    return len(one & other) / max(len(one | other), 1)


def _step(step: Step | None, earlier: Step | None, a: Notebook, b: Notebook) -> StepChange:
    if step is None:
        assert earlier is not None
        lines = [f"-{line}" for source in _sources(a, earlier) for line in source.splitlines()]
        return StepChange(earlier.name, "removed", cells_before=earlier.cells, lines=tuple(lines))
    if earlier is None:
        lines = [f"+{line}" for source in _sources(b, step) for line in source.splitlines()]
        return StepChange(step.name, "added", cells=step.cells, lines=tuple(lines))
    lines = _lines(earlier, step, a, b)
    ours, theirs = set_options(step.options), set_options(earlier.options)
    options = {key: (theirs.get(key), ours.get(key)) for key in sorted(ours | theirs) if theirs.get(key) != ours.get(key)}
    name = earlier.name if earlier.name != step.name else ""
    change: Change = "changed" if lines or options else "renamed" if name else "same"
    return StepChange(step.name, change, name, step.cells, earlier.cells, tuple(lines), options or None)


def _lines(earlier: Step, step: Step, a: Notebook, b: Notebook) -> list[str]:
    """A unified diff of the sources, with the cells of now (or, of what is gone, of before) in its heads."""
    one, other = _sources(a, earlier), _sources(b, step)
    found: list[str] = []
    for kind, i1, i2, j1, j2 in difflib.SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        cells = [f"cell {cell}" for cell in step.cells[j1:j2]] or [f"cell {cell} of before" for cell in earlier.cells[i1:i2]]
        found.append(f"@@ {', '.join(cells)}")
        before = [line for source in one[i1:i2] for line in source.splitlines()]
        after = [line for source in other[j1:j2] for line in source.splitlines()]
        found += [line for line in difflib.unified_diff(before, after, lineterm="", n=1) if line[:2] not in {"--", "++", "@@"}]
    return found


def _reruns(new: Pipeline, steps: Sequence[StepChange], *, removed: bool) -> set[str]:
    """What a resumed run would not take over: the first step that differs, and every later one.

    Each step is given the whole state that the one before it reached. A step that reaches the state that it reached before lets
    the next be taken over all the same; only a run can tell that.
    """
    differs = {x.name for x in steps if x.change in {"added", "renamed"} or x.before or x.options or _code_differs(x)}
    names = [step.name for step in new.steps]
    first = 0 if removed else next((place for place, name in enumerate(names) if name in differs), len(names))
    return set(names[first:])


def _code_differs(step: StepChange) -> bool:
    """Whether more than comments and layout has changed, as the key of a step has it."""
    sides = ["\n".join(line[1:] for line in step.lines if line[:1] in {sign, " "}) for sign in ("-", "+")]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.dump(ast.parse(sides[0])) != ast.dump(ast.parse(sides[1]))
    except (SyntaxError, ValueError):
        return True


def _links(pipeline: Pipeline, renamed: Mapping[str, str]) -> set[tuple[str, str, str]]:
    found = set()
    for link in pipeline.links:
        source, target = pipeline.step_of(link.source), pipeline.step_of(link.target)
        if source and target and source != target:
            found |= {(renamed.get(source, source), renamed.get(target, target), name) for name in link.names}
    return found


def _parameters(old: Pipeline, new: Pipeline) -> dict[str, tuple[Any, Any]]:
    one, other = ({x.name: {"type": x.type, "default": x.default} for x in side.parameters} for side in (old, new))
    return {name: (one.get(name), other.get(name)) for name in {**one, **other} if repr(one.get(name)) != repr(other.get(name))}


def _sources(notebook: Notebook, step: Step) -> list[str]:
    return [notebook.cells[cell].source for cell in step.cells]


def _step_json(step: StepChange) -> dict[str, Any]:
    return {
        "name": step.name,
        "change": step.change,
        "before": step.before,
        "cells": list(step.cells),
        "cells_before": list(step.cells_before),
        "lines": list(step.lines),
        "options": {key: {"before": old, "after": new} for key, (old, new) in (step.options or {}).items()},
        "reruns": step.reruns,
    }

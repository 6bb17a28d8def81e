"""Order that people declared with Kale's ``prev:`` tags, checked against the order of the notebook.

The notebook's order always counts; a declared order adds a need where no value flows (a step that fills a database another
one reads). Declarations that contradict each other are refused; those that contradict the notebook are said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from jupyter_mlops.errors import Diagnostic
from jupyter_mlops.notebook.metadata import Request
from jupyter_mlops.pipeline.groups import Group
from jupyter_mlops.pipeline.names import step_name


def declared_needs(groups: Sequence[Group], requests: Mapping[int, Request]) -> tuple[list[set[int]], list[Diagnostic]]:
    """For each group the earlier groups that its tags name, and what is wrong with the tags."""
    places = {step_name(group.title): place for place, group in reversed(list(enumerate(groups)))}
    named: list[set[int]] = [set() for _ in groups]
    cell_of: dict[tuple[int, int], int] = {}
    found: list[Diagnostic] = []
    for place, group in enumerate(groups):
        for cell in group.cells:
            for name in requests[cell].prev:
                other = places.get(step_name(name))
                if other is None:
                    message = f"the tag prev:{name} of cell {cell} names no step"
                    found.append(Diagnostic("unknown-step", "warning", message, cell, fix="Correct or remove the tag."))
                else:
                    named[place].add(other)
                    cell_of[place, other] = cell
    titles = [group.title for group in groups]
    cycle = _cycle(named)
    if cycle:
        way = " → ".join(titles[place] for place in cycle)
        cell = cell_of[cycle[1], cycle[0]]
        message = f"the steps wait for each other: {way}"
        found.append(
            Diagnostic("cycle", "error", message, cell, fix="Remove one of the prev: tags; the order of the cells counts anyway.")
        )
    else:
        for place, others in enumerate(named):
            for other in sorted(others):
                if other > place:
                    cell = cell_of[place, other]
                    message = f"the tag prev: of cell {cell} names the later step {titles[other]}; the order of the cells counts"
                    fix = "Move the cells, or remove the tag."
                    found.append(Diagnostic("order-conflict", "warning", message, cell, fix=fix))
    return [{other for other in others if other < place} for place, others in enumerate(named)], found


def _cycle(named: Sequence[set[int]]) -> list[int]:
    """A cycle of declared needs, each waiting for the one before it; empty if there is none."""
    for place, others in enumerate(named):
        if place in others:
            return [place, place]
    try:
        TopologicalSorter(dict(enumerate(named))).prepare()
    except CycleError as error:
        cycle: list[int] = error.args[1]
        return cycle
    return []

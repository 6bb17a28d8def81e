"""Steps for a notebook in which nobody named any: few, coarse, and cut where the author divided or the data narrows.

Each step of a cluster run costs seconds before it does anything, so a cut needs a reason: a heading, or the point where a
notebook without headings goes from loading to training to evaluating. A part that only imports, defines and sets constants
is no step; it goes to the one that follows. At most ``MOST`` steps are proposed; one step when nothing justifies a cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from jupyter_mlops.dataflow.facts import Analysis, CellFacts
from jupyter_mlops.notebook.document import Notebook
from jupyter_mlops.pipeline.groups import Group
from jupyter_mlops.pipeline.headings import headings

MOST = 8
"""Steps proposed at most: what a person takes in at a glance, and a minute of overhead on a cluster."""

WIDEST = 8
"""Names that may cross a cut made without a heading: more of them say that the parts are one."""

LEAST_WORK = 2
"""Cells with work on either side of such a cut."""

TITLES: Mapping[str, str] = {"load": "Load", "train": "Train", "evaluate": "Evaluate", "": "Prepare"}


def proposed_groups(notebook: Notebook, cells: Sequence[int], analysis: Analysis) -> list[Group]:
    """The groups proposed for these cells; none where no cell holds code."""
    facts = {found.cell: found for found in analysis.facts}
    if all(facts[cell].empty for cell in cells):
        return []
    groups = _by_headings(notebook, cells)
    if len(groups) < 2:  # noqa: PLR2004 - one part is not divided
        title = groups[0].title if groups else ""
        groups = _by_roles(cells, facts, analysis) or [Group(title or notebook.name, tuple(cells))]
    groups = _with_work(groups, facts)
    groups = _keep_together(groups, analysis)
    while len(groups) > MOST:
        groups = _merge_smallest(groups)
    return groups


def _by_headings(notebook: Notebook, cells: Sequence[int]) -> list[Group]:
    """One group for each heading that has code below it; code above the first heading goes to the first."""
    wanted = set(cells)
    titles: list[str] = [""]
    members: list[list[int]] = [[]]
    for cell in notebook.cells:
        if cell.kind == "markdown":
            found = list(headings(cell))
            if found:
                titles.append(found[-1][1])
                members.append([])
        elif cell.index in wanted:
            members[-1].append(cell.index)
    groups = [Group(title, tuple(inside)) for title, inside in zip(titles, members, strict=True) if inside]
    if len(groups) > 1 and not groups[0].title:
        groups[:2] = [Group(groups[1].title, groups[0].cells + groups[1].cells)]
    return groups


def _by_roles(cells: Sequence[int], facts: Mapping[int, CellFacts], analysis: Analysis) -> list[Group]:
    """Cuts where training and evaluating begin, if few names cross them and there is work on both sides."""
    work = [cell for cell in cells if facts[cell].work]
    starts: list[int] = []
    titles: list[str] = []
    for role in ("train", "evaluate"):
        first = next((cell for cell in work if facts[cell].role == role and cell > (starts[-1] if starts else -1)), None)
        begins = starts[-1] if starts else cells[0]
        if first is None or sum(begins <= cell < first for cell in work) < LEAST_WORK or _width(first, analysis) > WIDEST:
            continue
        if sum(cell >= first for cell in work) >= LEAST_WORK:
            starts.append(first)
            titles.append(TITLES[role])
    if not starts:
        return []
    begin = next((facts[cell].role for cell in work if facts[cell].role), "")
    bounds = [cells[0], *starts, cells[-1] + 1]
    titles = [TITLES["load" if begin == "load" else ""], *titles]
    return [
        Group(title, tuple(cell for cell in cells if low <= cell < high))
        for title, low, high in zip(titles, bounds, bounds[1:], strict=False)
    ]


def _width(cut: int, analysis: Analysis) -> int:
    """How many values cross the place before a cell."""
    crossing = (flow for flow in analysis.flows if flow.source < cut <= flow.target and flow.kind != "code")
    return len({name for flow in crossing for name in flow.names})


def _with_work(groups: Sequence[Group], facts: Mapping[int, CellFacts]) -> list[Group]:
    """Groups without work go to the one that follows, at the end to the one before."""
    result: list[Group] = []
    waiting: tuple[int, ...] = ()
    for group in groups:
        if any(facts[cell].work for cell in group.cells):
            result.append(Group(group.title, waiting + group.cells))
            waiting = ()
        else:
            waiting += group.cells
    if waiting and result:
        result[-1] = Group(result[-1].title, result[-1].cells + waiting)
    return result or [Group(groups[-1].title, waiting)]


def _keep_together(groups: list[Group], analysis: Analysis) -> list[Group]:
    """A value that no store can hold (a generator, an open file) keeps the cells that make and use it in one step."""
    unstorable = {found.cell: {name for name, bind in found.defs.items() if bind.unstorable} for found in analysis.facts}
    for flow in analysis.flows:
        if flow.kind == "data" and unstorable.get(flow.source, set()) & flow.names:
            first = next(i for i, group in enumerate(groups) if flow.source in group.cells)
            last = next(i for i, group in enumerate(groups) if flow.target in group.cells)
            groups = _merge(groups, first, last)
    return groups


def _merge(groups: list[Group], first: int, last: int) -> list[Group]:
    """One group in place of those from first to last, called after the first."""
    cells = tuple(cell for group in groups[first : last + 1] for cell in group.cells)
    return [*groups[:first], Group(groups[first].title, cells), *groups[last + 1 :]]


def _merge_smallest(groups: list[Group]) -> list[Group]:
    """The two neighbours with the fewest cells between them become one."""
    sizes = [len(one.cells) + len(two.cells) for one, two in pairwise(groups)]
    place = sizes.index(min(sizes))
    return _merge(groups, place, place + 1)

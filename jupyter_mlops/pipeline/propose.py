"""Steps for a notebook in which nobody named any: few, coarse, and cut where the author divided or the data narrows.

Each step of a cluster run costs seconds before it does anything, so a cut needs a reason: a heading, or the point where a
notebook without headings goes from loading to training to evaluating, begins or ends to use a GPU, or has just done what took
minutes when it was last run. A part that only imports, defines and sets constants is no step; it goes to the one that
follows. At most ``MOST`` steps are proposed; one step when nothing justifies a cut. What is kept together against a heading
is said, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from jupyter_mlops.dataflow.facts import Analysis, Bind, CellFacts
from jupyter_mlops.errors import Diagnostic
from jupyter_mlops.notebook.document import Notebook
from jupyter_mlops.pipeline.gpu import Use
from jupyter_mlops.pipeline.groups import Group
from jupyter_mlops.pipeline.headings import headings
from jupyter_mlops.pipeline.recorded import recorded_seconds

MOST = 8
"""Steps proposed at most: what a person takes in at a glance, and a minute of overhead on a cluster."""

WIDEST = 8
"""Names that may cross a cut made without a heading: more of them say that the parts are one."""

LEAST_WORK = 2
"""Cells with work on either side of such a cut; what took ``LONG`` is enough alone."""

LONG = 60.0
"""Recorded seconds from which on a cell's result is worth a step: what fails later then does not repeat it."""

TITLES: Mapping[str, str] = {"load": "Load", "train": "Train", "evaluate": "Evaluate", "": "Prepare"}


@dataclass(frozen=True, slots=True)
class Proposal:
    """The groups, and what a person should know about them."""

    groups: tuple[Group, ...]
    diagnostics: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True, slots=True)
class _Notes:
    """What is known about the cells, by index."""

    facts: Mapping[int, CellFacts]
    seconds: Mapping[int, float] = field(default_factory=dict)
    gpu: Mapping[int, Use] = field(default_factory=dict)

    def work(self, cells: Sequence[int]) -> list[int]:
        """Those of the cells that do something."""
        return [cell for cell in cells if self.facts[cell].work]

    def enough(self, cells: Sequence[int]) -> bool:
        """Whether the cells are worth a step."""
        return len(self.work(cells)) >= LEAST_WORK or any(self.seconds.get(cell, 0) >= LONG for cell in cells)

    def weight(self, cells: Sequence[int]) -> float:
        """Recorded seconds where all that work have some, else the number of cells."""
        known = [self.seconds[cell] for cell in cells if cell in self.seconds]
        return sum(known) if self.timed else len(cells)

    @property
    def timed(self) -> bool:
        """Whether every cell with work has a time."""
        return all(cell in self.seconds for cell, facts in self.facts.items() if facts.work)


def proposed_groups(notebook: Notebook, cells: Sequence[int], analysis: Analysis, gpu: Mapping[int, Use]) -> Proposal:
    """The groups proposed for these cells; none where no cell holds code.

    Args:
        notebook: for its headings and the recorded times.
        cells: indices of the code cells that run.
        analysis: of these cells.
        gpu: the cells that use a GPU.
    """
    times = {cell.index: took for cell in notebook.code if (took := recorded_seconds(cell)) is not None}
    notes = _Notes({found.cell: found for found in analysis.facts}, times, gpu)
    if all(notes.facts[cell].empty for cell in cells):
        return Proposal(())
    groups = _by_headings(notebook, cells)
    if len(groups) < 2:  # noqa: PLR2004 - one part is not divided
        title = groups[0].title if groups else ""
        groups = _by_cuts(cells, notes, analysis) or [Group(title or notebook.name, tuple(cells))]
    groups = _with_work(groups, notes.facts)
    groups, found = _keep_together(groups, analysis)
    while len(groups) > MOST:
        groups = _merge_lightest(groups, notes)
    return Proposal(tuple(groups), tuple(found))


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


def _by_cuts(cells: Sequence[int], notes: _Notes, analysis: Analysis) -> list[Group]:
    """Cuts where something else begins, if few names cross them and both sides are worth a step."""
    starts: list[int] = []
    titles: list[str] = []
    for first, title in _reasons(cells, notes):
        begins = starts[-1] if starts else cells[0]
        before = [cell for cell in cells if begins <= cell < first]
        after = [cell for cell in cells if cell >= first]
        if first > begins and notes.enough(before) and notes.enough(after) and _width(first, analysis) <= WIDEST:
            starts.append(first)
            titles.append(title)
    if not starts:
        return []
    begin = next((notes.facts[cell].role for cell in notes.work(cells) if notes.facts[cell].role), "")
    bounds = [cells[0], *starts, cells[-1] + 1]
    titles = [TITLES["load" if begin == "load" else ""], *titles]
    return [
        Group(title, tuple(cell for cell in cells if low <= cell < high))
        for title, low, high in zip(titles, bounds, bounds[1:], strict=False)
    ]


def _reasons(cells: Sequence[int], notes: _Notes) -> list[tuple[int, str]]:
    """(cell, title) of each place where something else begins, in document order."""
    work = notes.work(cells)
    found: dict[int, str] = {}
    last = -1
    for role in ("train", "evaluate"):
        first = next((cell for cell in work if notes.facts[cell].role == role and cell > last), None)
        if first is not None:
            found[first] = TITLES[role]
            last = first
    uses = [cell for cell in work if cell in notes.gpu]
    if uses:
        found.setdefault(uses[0], TITLES[notes.facts[uses[0]].role] if notes.facts[uses[0]].role else "Use the GPU")
    for ended in [*uses[-1:], *(cell for cell in work if notes.seconds.get(cell, 0) >= LONG)]:
        follows = next((cell for cell in work if cell > ended), None)
        if follows is not None:
            found.setdefault(follows, TITLES[notes.facts[follows].role] if notes.facts[follows].role else "Continue")
    return sorted(found.items())


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


def _keep_together(groups: list[Group], analysis: Analysis) -> tuple[list[Group], list[Diagnostic]]:
    """A value that no store can hold (a generator, an open file) keeps the cells that make and use it in one step."""
    found: list[Diagnostic] = []
    for source, target, name, bind in unstorable_flows(analysis):
        first = next(i for i, group in enumerate(groups) if source in group.cells)
        last = next(i for i, group in enumerate(groups) if target in group.cells)
        if first == last:
            continue
        groups = _merge(groups, first, last)
        message = f"cells {source} to {target} stay in one step: {name} is {bind.unstorable}, which cannot be handed on"
        fix = f"Nothing has to be done. To have two steps, make {name} in cell {target}, or hand on a list or a file's name."
        found.append(Diagnostic("kept-together", "info", message, source, bind.line, fix))
    return groups, found


def unstorable_flows(analysis: Analysis) -> Iterator[tuple[int, int, str, Bind]]:
    """(cell, cell, name, bind) of each value that no store can hold and that another cell reads."""
    binds = {facts.cell: facts.defs for facts in analysis.facts}
    for flow in analysis.flows:
        for name in sorted(flow.names) if flow.kind == "data" else ():
            bind = binds[flow.source].get(name)
            if bind is not None and bind.unstorable:
                yield flow.source, flow.target, name, bind


def _merge(groups: list[Group], first: int, last: int) -> list[Group]:
    """One group in place of those from first to last, called after the first."""
    cells = tuple(cell for group in groups[first : last + 1] for cell in group.cells)
    return [*groups[:first], Group(groups[first].title, cells), *groups[last + 1 :]]


def _merge_lightest(groups: list[Group], notes: _Notes) -> list[Group]:
    """The two neighbours with the least between them become one."""
    weights = [notes.weight(one.cells + two.cells) for one, two in pairwise(groups)]
    place = weights.index(min(weights))
    return _merge(groups, place, place + 1)

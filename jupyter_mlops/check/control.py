"""The order in which one kernel runs a notebook: document order, and what ``each``, ``when`` and ``finally`` mean in it.

A step with ``each`` runs its cells once for each item, every time from a copy of the same (``runner/fanout.py``), and its names are
lists afterwards; one with ``when`` is left out where its expression is false; ``finally`` comes last. That is decision 0013 as
plain Python: the pipeline's own means (states, processes, folders of branches) have no part in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from jupyter_mlops.check.branchfolder import BranchFolder
from jupyter_mlops.check.folders import View
from jupyter_mlops.check.side import Stopped
from jupyter_mlops.pipeline.control import asks, literal_items, loop_of
from jupyter_mlops.pipeline.pipeline import Pipeline, Step


class Cells(Protocol):
    """A kernel that runs cells."""

    def cell(self, cell: int) -> Stopped | None:
        """Run one; where it stopped, if it did."""

    def ask(self, function: str, *arguments: Any) -> Any:
        """Call a function of ``runner.plain``."""

    def branch(self, number: int) -> None:
        """Outputs of this branch follow those of the branch before."""

    def sources(self, cells: Sequence[int]) -> list[str]:
        """What cells run."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Cells that run together: those of one step of which the flow asks something, else those of several and no ``step``."""

    cells: tuple[int, ...]
    step: Step | None = None


@dataclass
class Walk:
    """One way through the notebook."""

    pipeline: Pipeline
    parameters: Mapping[str, Any]
    cells: Cells
    view: View
    scratch: Path
    stopped: list[Stopped] = field(default_factory=list)
    """Where it stopped: several places where several branches did."""

    unsure: set[int] = field(default_factory=set)
    """Cells of a step that stopped in a branch: which others still ran, is a matter of time."""

    reached: int = 0
    """Steps of the pipeline that have ended, of one that stopped."""

    open: str = ""
    """The last step, if it fans out: no step brings its branches together."""

    def run(self) -> None:
        """All of it."""
        for turn in turns_of(self.pipeline.steps):
            final = turn.step is not None and turn.step.options.final is not None
            if final and turn.step is not None:
                self.last("Succeeded", turn.step)
            elif turn.step is None or self._wanted(turn.step):
                self._straight(turn.cells)
            if self.stopped:
                return

    def last(self, outcome: str, step: Step) -> None:
        """The step that runs at the end."""
        if step.options.final:
            self.cells.ask("assign", {step.options.final: outcome})
        self._straight(step.cells)

    def until(self, reached: int, step: Step) -> None:
        """Again up to where something failed, and then the step that runs at the end."""
        steps = [one for one in self.pipeline.steps[:reached] if one.options.final is None]
        for turn in turns_of(steps):
            if turn.step is None or self._wanted(turn.step):
                self._straight(turn.cells)
            if self.stopped:
                return
        self.last("Failed", step)

    def _wanted(self, step: Step) -> bool:
        """Whether the cells of this step are still to be run."""
        if step.options.each:
            self._each(step)
            return False
        found = self._answer("when", step)
        return bool(found and found["go"])

    def _straight(self, cells: Sequence[int]) -> None:
        for cell in cells:
            if stopped := self.cells.cell(cell):
                self._stop(stopped, self._step_of(cell))
                return

    def _each(self, step: Step) -> None:
        items = self._items(step)
        if items is None:
            return
        self.cells.ask("fan_out", loop_of(step.options.each)[0], self.cells.sources(step.cells), step.name, step.cells[0])
        folder = BranchFolder(self.view, self.scratch / f"branches-{step.name}")
        for number, item in enumerate(items):
            self.cells.branch(number)
            self.cells.ask("begin_branch", item)
            stopped = next((found for cell in step.cells if (found := self.cells.cell(cell))), None)
            if stopped is None:
                self.cells.ask("end_branch")
            else:
                self._stop(stopped, self.pipeline.steps.index(step))
                self.unsure.update(step.cells)
            folder.keep()
        self.cells.branch(-1)
        if self.stopped:
            return
        folder.bring_together()
        later = self.pipeline.steps[self.pipeline.steps.index(step) + 1 :]
        self.open = "" if later else step.name
        self.cells.ask("join" if later else "leave")

    def _items(self, step: Step) -> list[Any] | None:
        literal = literal_items(step.options.each)
        found = {"items": literal} if literal is not None else self._answer("each", step)
        items: list[Any] | None = json.loads(json.dumps(found["items"])) if found else None
        return items

    def _answer(self, kind: str, step: Step) -> dict[str, Any] | None:
        """What the flow asks before a step; None where the expression fails, at which the notebook stops."""
        asked = {"kind": kind, "expression": asks(step), "step": step.name, "cell": step.cells[0]}
        known = [[one.name, one.type, one.default, one.cell] for one in self.pipeline.parameters]
        found: dict[str, Any] = self.cells.ask("evaluate", asked, known, dict(self.parameters))
        if failure := found.get("failure"):
            self._stop(Stopped(**failure), max(self.pipeline.steps.index(step) - 1, 0))
            return None
        return found

    def _stop(self, stopped: Stopped, step: int) -> None:
        self.stopped.append(stopped)
        self.reached = step

    def _step_of(self, cell: int) -> int:
        return next(number for number, step in enumerate(self.pipeline.steps) if cell in step.cells)


def turns_of(steps: Sequence[Step]) -> list[Turn]:
    """Steps that ask nothing of the flow together, in document order; each other one alone. Steps without cells only evaluate."""
    found: list[Turn] = []
    for step in steps:
        options = step.options
        if options.each or options.when or options.final is not None:
            found.append(Turn(step.cells, step))
        elif found and found[-1].step is None:
            found[-1] = Turn(tuple(sorted((*found[-1].cells, *step.cells))))
        else:
            found.append(Turn(tuple(sorted(step.cells))))
    return found


def final_of(pipeline: Pipeline) -> Step | None:
    """The step that runs at the end whatever happened."""
    return next((step for step in pipeline.steps if step.options.final is not None), None)

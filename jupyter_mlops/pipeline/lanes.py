"""Where steps run beside each other: neighbours in the document, in lanes, where that shortens the way to the end.

A section is a run of neighbouring steps, cut into lanes: each lane a chain in document order, and any two steps of different lanes
independent. All lanes start from the same state, and the step after the section brings theirs together. So the order of the
document is left only inside a section, and what a lane was given can be told from the sections alone. A stage on a cluster costs
seconds before it does anything: a section is made only where fewer steps then lie one behind another. None stands at the end,
where no step would come after it and see whether its lanes go together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jupyter_mlops.pipeline.control import is_unsure
from jupyter_mlops.pipeline.pipeline import Pipeline, Step

LONGEST = 24
"""Steps of a section at most: more of them side by side is more than a cluster's queue or a person takes in."""

Lane = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """Neighbouring steps; more than one lane if they run beside each other."""

    lanes: tuple[Lane, ...]

    @property
    def parallel(self) -> bool:
        """Whether its steps run beside each other."""
        return len(self.lanes) > 1

    @property
    def steps(self) -> tuple[Step, ...]:
        """In document order."""
        return tuple(step for lane in self.lanes for step in lane)


def sections(pipeline: Pipeline) -> tuple[Section, ...]:
    """All steps but the one that runs at the end, in sections.

    A notebook with a step at the end has none with lanes: what that step finds after a failure is the state of the last step
    before it in the document.
    """
    steps = [step for step in pipeline.steps if step.options.final is None]
    if not pipeline.independent or len(steps) < len(pipeline.steps):
        return tuple(Section(((step,),)) for step in steps)
    free = frozenset(pipeline.independent)
    alone = _alone(steps)
    count = len(steps)
    best: list[tuple[int, Section | None]] = [(0, None)] * (count + 1)
    for start in reversed(range(count)):
        best[start] = (1 + best[start + 1][0], Section(((steps[start],),)))
        for end in range(start + 2, min(count - 1, start + LONGEST) + 1):
            if alone[start] or alone[end - 1]:
                break
            section = Section(_lanes(steps[start:end], free))
            cost = max(len(lane) for lane in section.lanes) + best[end][0]
            if section.parallel and cost < best[start][0]:
                best[start] = (cost, section)
    found: list[Section] = []
    while sum(len(section.steps) for section in found) < count:
        chosen = best[sum(len(one.steps) for one in found)][1]
        assert chosen is not None
        found.append(chosen)
    return tuple(found)


def _alone(steps: Sequence[Step]) -> list[bool]:
    """Steps that take no part: under conditions or fanned out, their neighbours, and those without cells."""
    unsure = [is_unsure(step) or not step.cells for step in steps]
    return [any(unsure[max(place - 1, 0) : place + 2]) for place in range(len(steps))]


def _lanes(steps: Sequence[Step], free: frozenset[tuple[str, str]]) -> tuple[Lane, ...]:
    """The finest cut of neighbours such that steps of different lanes are independent."""
    lanes: list[list[Step]] = []
    for step in steps:
        bound = next(
            (place for place, lane in enumerate(lanes) if any((other.name, step.name) not in free for other in lane)), len(lanes)
        )
        joined = [one for lane in lanes[bound:] for one in lane]
        lanes[bound:] = [[*joined, step]]
    return tuple(tuple(lane) for lane in lanes)

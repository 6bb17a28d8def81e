"""The tasks of a pipeline: document order, lanes, fan-out (``withParam``), conditions (``when``), the exit handler (``onExit``).

Each step takes the state of the last step that surely left one, and is told how the step between ended, if one fans out or
may be skipped: no tag of a task that may not have run is ever written, since Argo 3.6 to 4.1 disagree on what such a tag is.
An item travels as a text without any character that JSON, Argo or a format string would touch (``item_text``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from jupyter_mlops.pipeline.control import asks, is_unsure, literal_items, names_in
from jupyter_mlops.pipeline.lanes import Section, sections
from jupyter_mlops.pipeline.pipeline import Pipeline, Step
from jupyter_mlops.workflow.container import Shape

EXIT = "finally"
"""Template that runs at the end."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A step, between which others it stands."""

    step: Step
    base: Step | None
    """The last step before it that surely leaves a state."""

    between: Step | None
    """The step right before it, where that one fans out or may be skipped."""

    following: Step | None
    """The step right after it."""

    joins: tuple[Section, ...] = ()
    """Sections with lanes between ``base`` and this step, whose states it brings together."""

    lane: str = ""
    """Names of the steps of the lanes before its own, with commas, of the first step of a lane."""

    @property
    def shape(self) -> Shape:
        """What it is handed and hands on beside states."""
        options = self.step.options
        given = (
            ("after", self.between), ("item", options.each), ("outcome", options.final is not None),
            ("join", self.joins), ("lane", self.lane),
        )  # fmt: skip
        asked = self.following is not None and bool(asks(self.following))
        told = ("go" if self.following.options.when else "items",) if asked and self.following else ()
        return Shape(tuple(name for name, wanted in given if wanted), told)


def turns(pipeline: Pipeline) -> Iterator[Turn]:
    """The steps in document order, the one that runs at the end among them."""
    base: Step | None = None
    between: Step | None = None
    joins: tuple[Section, ...] = ()
    after = {step.name: following for step, following in pairwise(pipeline.steps)}
    for section in sections(pipeline):
        if section.parallel:
            for lane in section.lanes:
                earlier = section.steps[: section.steps.index(lane[0])]
                begins = ",".join(step.name for step in earlier)
                yield Turn(lane[0], base, None, None, joins, begins)
                yield from (Turn(step, before, None, None) for before, step in pairwise(lane))
            joins = (*joins, section)
            continue
        [step] = section.steps
        yield Turn(step, base, between, after.get(step.name), joins)
        base, between = (base, step) if is_unsure(step) else (step, None)
        joins = ()
    yield from (Turn(step, None, None, None) for step in pipeline.steps if step.options.final is not None)


def wanted_parameters(pipeline: Pipeline, turn: Turn) -> tuple[str, ...]:
    """The parameters that a step uses: those its cells define, and those that only what it evaluates reads.

    A parameter that an earlier step defined is in the state, with the value of the run.
    """
    place = pipeline.steps.index(turn.step)
    earlier = {cell for step in pipeline.steps[:place] for cell in step.cells}
    read = names_in(asks(turn.following)) if turn.following and asks(turn.following) else frozenset()
    return tuple(x.name for x in pipeline.parameters if x.cell in turn.step.cells or (x.name in read and x.cell not in earlier))


def task(turn: Turn, template: str) -> dict[str, Any]:
    """One step as a task of the DAG."""
    step, base, between = turn.step, turn.base, turn.between
    found: dict[str, Any] = {"name": step.name, "template": template}
    needs = [f"{base.name}.Succeeded"] if base and not between and not turn.joins else []
    needs += [f"{lane[-1].name}.Succeeded" for section in turn.joins[-1:] for lane in section.lanes]
    needs += [f"({between.name}.Succeeded || {between.name}.Skipped)"] if between else []
    if needs:
        found["depends"] = " && ".join(needs)
    if step.options.when and base:
        found["when"] = f"{{{{tasks.{base.name}.outputs.parameters.go}}}} == true"
    if step.options.each:
        found["withParam"] = _items(step, base)
    given = {
        "step": step.name,
        "state": f"{{{{tasks.{base.name}.outputs.parameters.state}}}}" if base else "",
        "after": _after(between) if between else "",
        "item": "{{item}}",
        "outcome": "{{workflow.status}}",
        "join": join_text(turn.joins),
        "lane": turn.lane,
    }
    wanted = ("step", "state", *turn.shape.inputs)
    found["arguments"] = {"parameters": [{"name": name, "value": given[name]} for name in wanted]}
    return found


def join_text(joins: Sequence[Section]) -> str:
    """Sections with lanes as an argument: ``;`` between sections, ``,`` between lanes, ``+`` between the steps of a lane."""
    return ";".join(",".join("+".join(step.name for step in lane) for lane in section.lanes) for section in joins)


def _after(between: Step) -> str:
    """How the step between ended. A fan-out has run where it had items; of its node Argo tells no status."""
    return between.name if between.options.each else f"{between.name}:{{{{tasks.{between.name}.status}}}}"


def _items(step: Step, base: Step | None) -> str:
    """The list of a fan-out: what the step before found, or what stands in the notebook's own metadata."""
    literal = literal_items(step.options.each)
    if literal is None:
        assert base is not None
        return f"{{{{tasks.{base.name}.outputs.parameters.items}}}}"
    return items_text(literal)


def items_text(items: Sequence[object]) -> str:
    """A list of items as ``withParam`` takes it."""
    return json.dumps([f"{index}:{item_text(item)}" for index, item in enumerate(items)])


def item_text(item: object) -> str:
    """JSON with every character but letters, digits and ``. , : + - _`` as ``=XX``, and ``=``.

    Argo takes the quotes off a text item without reading its escapes, uses it as a format string in places, replaces ``{{…}}``
    in it, and names the node after it.
    """
    return re.sub(r"[^A-Za-z0-9.,:+_-]", lambda found: f"={ord(found[0]):02X}", json.dumps(item, ensure_ascii=True))

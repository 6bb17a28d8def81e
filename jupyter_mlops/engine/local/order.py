"""Which steps may be tried beside the one that runs, though they come after it in the document. Pure.

The Workflow is a chain: each step takes the state that the one before it left. The plan says of each step which others it needs,
and whether it acts on nothing outside the session (``early``). A step whose needs are met before the running one can be tried with
that one's own beginning; everything between must act on nothing outside either, since no comparison of states sees a file in
``/tmp`` or a row in a database.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from jupyter_mlops.engine.local.manifest import Program, Task

PLAIN = frozenset({"step", "state"})
"""Arguments of a step that is one link of the chain and nothing else."""

TOLD = frozenset({"state", "cached"})
"""Outputs of such a step."""


@dataclass(frozen=True, slots=True)
class Chance:
    """A step that may be tried now, and the steps between the state it begins with and its turn."""

    task: Task
    between: tuple[str, ...]


def needs_of_early(annotation: str | None) -> Mapping[str, frozenset[str]]:
    """Step that may be tried early → the steps that it needs or has met, as the plan's annotation says; nothing without one."""
    try:
        steps = json.loads(annotation or "")["steps"]
        return {
            str(step["name"]): frozenset(map(str, [*step["needs"], *step.get("after", ())])) for step in steps if step.get("early")
        }
    except (ValueError, KeyError, TypeError):
        return {}


def chances(program: Program, needs: Mapping[str, frozenset[str]], running: str, done: Collection[str]) -> list[Chance]:
    """What may be tried while a step runs, in document order.

    Args:
        program: of the run.
        needs: see :func:`needs_of_early`.
        running: the step whose turn it is.
        done: steps that have ended well.
    """
    names = [task.name for task in program.tasks]
    if running not in needs:
        return []
    place = names.index(running)
    if not _is_link(program, place):
        return []
    found: list[Chance] = []
    for later in range(place + 1, len(names)):
        if names[later] not in needs or not _is_link(program, later):
            break
        if needs[names[later]] <= {*done} and {output.name for output in program.tasks[later].template.outputs} == TOLD:
            found.append(Chance(program.tasks[later], tuple(names[place:later])))
    return found


def _is_link(program: Program, place: int) -> bool:
    """Whether a task takes the state of the one before it in the document, and is told nothing else."""
    task = program.tasks[place]
    before = program.tasks[place - 1].name if place else ""
    plain = not (task.when or task.items) and set(task.arguments) == PLAIN and task.arguments["step"] == task.name
    state = f"{{{{tasks.{before}.outputs.parameters.state}}}}" if before else ""
    return plain and task.needs == ((before,) if before else ()) and task.arguments["state"] == state


def asks_for_devices(container: Mapping[str, Any]) -> bool:
    """Whether a container asks for what two steps cannot share: any resource but processors, memory and disk."""
    resources = container.get("resources") or {}
    asked = {name for kind in ("requests", "limits") for name in resources.get(kind) or {}}
    return bool(asked - {"cpu", "memory", "ephemeral-storage"})

"""Lanes that met, on a machine where they can be run again: the same steps as a chain, in document order.

Argo's graph is fixed when it is submitted, so that there a step that cannot join its lanes fails, and the next run has learned.
Here the lanes after the first are thrown away and run in their turn, from the state that document order gives them. Only where all
of them act on nothing outside, and have written no file: what a step has written stands in the folder, and would be found.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from jupyter_mlops.engine.failures import told_failure
from jupyter_mlops.engine.local.folder import RunFolder
from jupyter_mlops.engine.local.manifest import Program, Task
from jupyter_mlops.engine.local.observe import read_json


@dataclass(frozen=True, slots=True)
class Again:
    """What to run instead."""

    program: Program
    tasks: tuple[Task, ...]
    """Those that run again, the joining one last."""

    why: str


def again(program: Program, task: Task, inside: Collection[str], folder: RunFolder, message: str) -> Again | None:
    """The chain in place of the lanes that a task could not join; None where that is not why it failed, or may not be done.

    Args:
        program: of the run.
        task: what has failed.
        inside: steps that act on nothing outside.
        folder: of the run.
        message: of the task's node.
    """
    failure, lanes = told_failure(message, None), _lanes(task)
    steps = {name for lane in lanes for name in lane}
    met = failure is not None and failure.code == "two-versions"
    if failure is None or not met or not lanes or not steps <= {*inside} or any(_wrote(folder, name) for name in steps):
        return None
    first = {*lanes[0]}
    names = [one.name for one in program.tasks]
    wanted = [name for name in names if name in steps - first] + [task.name]
    linked = {name: _linked(program.tasks[names.index(name)], names[names.index(name) - 1]) for name in wanted}
    tasks = tuple(linked.get(one.name, one) for one in program.tasks)
    why = failure.message.partition("beside each other, and ")[2] or failure.message
    return Again(replace(program, tasks=tasks), tuple(linked.values()), f"ran again in order: {why}")


def _lanes(task: Task) -> list[list[str]]:
    """The lanes that a task joins, all sections one after the other."""
    sections = str(task.arguments.get("join", "")).split(";")
    return [lane.split("+") for section in sections if section for lane in section.split(",")]


def _linked(task: Task, before: str) -> Task:
    """The task as a link of the chain."""
    arguments: Mapping[str, str] = {
        name: {"state": f"{{{{tasks.{before}.outputs.parameters.state}}}}", "join": "", "lane": ""}.get(name, value)
        for name, value in task.arguments.items()
    }
    return replace(task, needs=(before,), arguments=arguments, skippable=frozenset())


def _wrote(folder: RunFolder, step: str) -> bool:
    """Whether a step has changed files, by its report; one that does not say may have."""
    for path in folder.pod(step).glob("*/out/report.json"):
        account: Any = read_json(path).get("account")
        if isinstance(account, dict) and account.get("files") == []:
            return False
    return True

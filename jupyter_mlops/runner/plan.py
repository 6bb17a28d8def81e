"""The unpacked bundle as values: ``plan.json`` and the notebook's cells."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import Corrupt, NotFound
from jupyter_mlops.session.files import DEFAULT, LIMIT, Rules

MAY_RAISE = "raises-exception"
"""Jupyter's own tag, which nbclient knows too."""


@dataclass(frozen=True)
class Parameter:
    """A parameter and the cell that defines its default."""

    name: str
    type: str
    default: Any
    cell: int


@dataclass(frozen=True)
class Ask:
    """What a step evaluates at its end for the step after it: a list (``each``) or a condition (``when``)."""

    kind: str
    expression: str
    step: str
    cell: int
    """First cell of the step that asks."""


@dataclass(frozen=True)
class StepPlan:
    """One step. ``declared`` are the variables that its own options set, ``secrets`` those of them that hold secrets."""

    name: str
    cells: tuple[int, ...]
    outputs: tuple[str, ...] = ()
    declared: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    each: str = ""
    """Name of the item, where the step runs once for each of a list."""

    items: tuple[Any, ...] | None = None
    """The items, where they stand in the notebook's metadata."""

    when: bool = False
    """Whether the step may be skipped."""

    final: str | None = None
    """Not None: it runs at the end, with the outcome under this name ('' for none)."""

    cache: str = "auto"
    rules: Rules = DEFAULT
    """Which files of the working folder travel."""

    ask: Ask | None = None


@dataclass(frozen=True)
class Plan:
    """A bundle. ``sources`` holds the text of every code cell by its index among all cells."""

    folder: Path
    pipeline: str
    notebook: str
    python: str
    kernel: str
    steps: tuple[StepPlan, ...]
    parameters: tuple[Parameter, ...]
    sources: dict[int, str] = field(default_factory=dict)
    may_raise: frozenset[int] = frozenset()
    """Cells with the tag ``raises-exception``: after an exception there, Restart & Run All goes on, and so does a run."""

    no_ipython: str = ""
    """Why the bundle brings no IPython for images that have none."""

    @property
    def files(self) -> Path:
        """Local modules that travel with the notebook."""
        return self.folder / "files"

    def step(self, name: str) -> StepPlan:
        """The step of a name. Raises NotFound."""
        for step in self.steps:
            if step.name == name:
                return step
        raise NotFound(f"the bundle has no step {name!r}", fix=f"Steps: {', '.join(step.name for step in self.steps)}.")


def first_cell(step: StepPlan) -> int:
    """Where a step begins; a step without cells belongs to the one that it evaluates for."""
    return step.cells[0] if step.cells else step.ask.cell if step.ask else 0


def evaluated(step: StepPlan) -> list[str]:
    """What a step evaluates beside its cells."""
    return [step.ask.expression] if step.ask else []


def read_plan(folder: Path) -> Plan:
    """Read an unpacked bundle.

    Raises:
        Corrupt: it is no bundle of a version known here.
    """
    try:
        plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
        notebook = json.loads((folder / "notebook.ipynb").read_text(encoding="utf-8"))
        return Plan(
            folder=folder,
            pipeline=plan["pipeline"],
            notebook=plan["notebook"],
            python=plan.get("python", ""),
            kernel=plan.get("kernel", ""),
            steps=tuple(_step(x) for x in plan["steps"]),
            parameters=tuple(Parameter(x["name"], x["type"], x["default"], x["cell"]) for x in plan["parameters"]),
            sources={
                index: _text(cell["source"]) for index, cell in enumerate(notebook["cells"]) if cell.get("cell_type") == "code"
            },
            no_ipython=str(plan.get("no_ipython", "")),
            may_raise=frozenset(index for index, cell in enumerate(notebook["cells"]) if MAY_RAISE in _tags(cell)),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Corrupt(f"not a bundle: {error!r}", fix="Convert and run the notebook again.") from error


def _step(document: dict[str, Any]) -> StepPlan:
    return StepPlan(
        document["name"],
        tuple(document["cells"]),
        tuple(document.get("outputs", ())),
        tuple(document.get("declared", ())),
        tuple(document.get("secrets", ())),
        each=document.get("each", ""),
        items=tuple(document["items"]) if "items" in document else None,
        when=bool(document.get("when")),
        final=document.get("finally"),
        cache=document.get("cache", "auto"),
        rules=Rules(int(document.get("file_limit", LIMIT)), tuple(document.get("file_ignore", ()))),
        ask=Ask(**document["ask"]) if "ask" in document else None,
    )


def _tags(cell: dict[str, Any]) -> list[Any]:
    tags = cell.get("metadata", {}).get("tags", [])
    return tags if isinstance(tags, list) else []


def _text(source: Any) -> str:
    return source if isinstance(source, str) else "".join(source)

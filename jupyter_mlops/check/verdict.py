"""What a check found, as a value: the counts of what is equal, and every difference with its cell and name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Outcome = Literal["equal", "different", "unsteady"]
Kind = Literal["error", "output", "value", "file", "logged", "process"]
KINDS: tuple[Kind, ...] = ("error", "output", "value", "file", "logged", "process")
"""In the order in which they are said: where a side stopped explains everything after it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not the same on both sides."""

    kind: Kind
    what: str
    """A name, a file, the MIME type or stream of an output, a part of the process (``numpy.random``), or ``stopped``."""

    single: str
    """What the single kernel has, in few words."""

    pipeline: str
    cell: int | None = None
    path: str = ""
    """Where in the value, as an expression: ``frame['x'][3]``."""

    unsteady: bool = False
    """Whether two plain runs of the notebook differ there too: then it says nothing about the pipeline."""

    @property
    def key(self) -> tuple[str, int | None, str]:
        """Equal for the same thing in another comparison."""
        return self.kind, self.cell, self.what


@dataclass(frozen=True, slots=True)
class Counts:
    """How much was found equal."""

    values: int = 0
    outputs: int = 0
    files: int = 0
    logged: int = 0
    """Models and datasets."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer of a check."""

    notebook: str
    counts: Counts
    differences: tuple[Difference, ...] = ()
    """In the order of their kinds, of one kind in document order."""

    uncompared: tuple[Mapping[str, str], ...] = ()
    """Names that could not be compared, each with its reason."""

    stopped: Mapping[str, Any] | None = None
    """Where both sides stopped with the same exception; None when both ran to the end, or when they differ in it."""

    kernel: str = ""
    steps: int = 0
    deliveries: Mapping[str, Any] = field(default_factory=dict)
    """What each step was really delivered and really changed, and how that compares with the plan."""

    @property
    def outcome(self) -> Outcome:
        """``unsteady``: all differences are there between two plain runs too."""
        if not self.differences:
            return "equal"
        return "unsteady" if all(found.unsteady for found in self.differences) else "different"

    def to_json(self) -> dict[str, Any]:
        """The contract of ``check --json`` and of the REST interface."""
        return {
            "notebook": self.notebook,
            "outcome": self.outcome,
            "equal": asdict(self.counts),
            "differences": [asdict(found) for found in self.differences],
            "uncompared": [dict(one) for one in self.uncompared],
            "stopped": None if self.stopped is None else dict(self.stopped),
            "kernel": self.kernel,
            "steps": self.steps,
            "deliveries": dict(self.deliveries),
        }


def ordered(found: Sequence[Difference]) -> tuple[Difference, ...]:
    """By kind, then by cell."""
    return tuple(sorted(found, key=lambda x: (KINDS.index(x.kind), -1 if x.cell is None else x.cell, x.what)))


def sentence(verdict: Verdict) -> str:
    """The answer in one line: ``equal: 12 values, 3 outputs``."""
    counts = verdict.counts
    parts = [(counts.values, "value"), (counts.outputs, "output")]
    parts += [(count, noun) for count, noun in ((counts.files, "file"), (counts.logged, "logged artifact")) if count]
    equal = ", ".join(f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in parts)
    if verdict.outcome == "equal":
        stop = verdict.stopped
        return f"equal: {equal}" + (_stop(stop) if stop else "")
    if verdict.outcome == "unsteady":
        return f"not decided: what differs, differs between two plain runs too; equal are {equal}"
    count = sum(not found.unsteady for found in verdict.differences)
    return f"different: {count} difference{'' if count == 1 else 's'}; equal are {equal}"


def _stop(stop: Mapping[str, Any]) -> str:
    line = "" if stop["line"] is None else f", line {stop['line']}"
    return f"; both stop at cell {stop['cell']}{line}: {stop['error']}"


def words(found: Difference) -> list[str]:
    """A difference in lines: where, and both sides."""
    place = "" if found.cell is None else f"cell {found.cell}: "
    what = {
        "output": f"output {found.what}",
        "value": f"value of {found.path or found.what}",
        "file": f"file {found.what}",
        "process": f"the process ({found.path or found.what})",
    }.get(found.kind, found.what)
    if found.unsteady:
        return [f"{place}{what} differs between two plain runs too"]
    return [f"{place}{what}", f"  single kernel  {found.single}", f"  pipeline       {found.pipeline}"]

"""What one side of a check left: a single kernel, or the pipeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Tell = Callable[[str], None]
"""Takes a line of progress."""


DIED = "the process ended"
"""What stopped a side whose process went away without an exception."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """Where a side stopped before its end."""

    cell: int | None
    line: int | None
    error: str
    """Class of the exception, or what ended it."""

    message: str = ""

    def __str__(self) -> str:
        """As people read it."""
        line = "" if self.line is None else f", line {self.line}"
        return f"{self.error} at cell {self.cell}{line}" if self.cell is not None else self.error


@dataclass(frozen=True, slots=True)
class Side:
    """One run of the notebook, as far as it went."""

    outputs: Mapping[int, Sequence[Mapping[str, Any]]]
    files: Mapping[str, str]
    folders: tuple[str, ...]
    """Where it ran: longest first."""

    state: str = ""
    """Digest of the state with its final names; '' where it has left none."""

    stopped: Stopped | None = None
    others: tuple[Stopped, ...] = ()
    """Further places, where several branches of a step stopped."""

    unsure: frozenset[int] = frozenset()
    """Cells of which only a part ran, and which part is a matter of time: other branches of a step that stopped in one."""

    reached: int = 0
    """Steps of the pipeline that had ended, of a side that stopped."""

    open: str = ""
    """The last step, if it fans out, so that nothing brings its branches together."""

    logged: tuple[str, ...] = ()
    """Models and datasets in the order in which they were logged: ``model churn``."""

    metrics: Mapping[str, float] = field(default_factory=dict)
    loose: frozenset[str] = frozenset()
    """Metrics to which branches gave different values: which one a run shows is a matter of time."""

    path: tuple[str, ...] = ()
    """Its import path at the end, where the names' modules are found."""

    deliveries: Mapping[str, Any] = field(default_factory=dict)
    """Of the pipeline: what its steps were really delivered, compared with the plan."""

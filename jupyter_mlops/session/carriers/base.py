"""What carriers are told about the step."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Context:
    """One step. ``root`` is the working folder at its start; ``declared`` the variables that its own options set."""

    root: Path
    shell: Any = None
    declared: frozenset[str] = frozenset()
    cells: list[str] = field(default_factory=list)
    """Sources of the cells that ran here, for what only the source tells."""

    imported: set[str] = field(default_factory=set)
    """Dotted names that the notebook's own import statements have named so far."""

    metrics: dict[str, float] = field(default_factory=dict)
    """Loose metrics of the run so far, which later steps add to and models are registered with."""

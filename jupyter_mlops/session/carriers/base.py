"""What carriers are told about the step."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_mlops.session.files import DEFAULT, Rules


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

    rules: Rules = DEFAULT
    """Which files of the working folder travel."""

    metrics: dict[str, float] = field(default_factory=dict)
    """Loose metrics of the run so far, which later steps add to and models are registered with."""

    warnings: list[str] = field(default_factory=list)
    """What could not be carried, by name: told in the log and in the report, never dropped in silence."""

    def warn(self, message: str) -> None:
        """Note something that later steps will not find; each is told once."""
        if message not in self.warnings:
            self.warnings.append(message)

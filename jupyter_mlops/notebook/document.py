"""A notebook as a value: what is in the file, and nothing of what it means.

``cell`` indices count every cell of the notebook (markdown too) from 0, as the command line and the panels show them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell; ``index`` is its place among all cells."""

    index: int
    kind: Literal["code", "markdown", "raw"]
    source: str
    id: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def tags(self) -> tuple[str, ...]:
        """Plain cell tags; a malformed ``tags`` counts as none."""
        tags = self.metadata.get("tags", ())
        return tuple(t for t in tags if isinstance(t, str)) if isinstance(tags, list) else ()


@dataclass(frozen=True, slots=True)
class Notebook:
    """A v4 notebook. ``name`` is the file's stem; ``raw`` the document as parsed, from which the executed one is made."""

    name: str
    cells: tuple[Cell, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict)

    @property
    def code(self) -> tuple[Cell, ...]:
        """The code cells in document order."""
        return tuple(cell for cell in self.cells if cell.kind == "code")

    @property
    def kernel(self) -> str:
        """Name of the kernelspec, or '' where the notebook names none."""
        spec = self.metadata.get("kernelspec")
        name = spec.get("name", "") if isinstance(spec, Mapping) else ""
        return name if isinstance(name, str) else ""

    @property
    def language(self) -> str:
        """Language of the kernelspec or of ``language_info``, lower case; '' where neither says one."""
        for key, field_name in (("kernelspec", "language"), ("language_info", "name")):
            part = self.metadata.get(key)
            if isinstance(part, Mapping) and isinstance(part.get(field_name), str):
                return str(part[field_name]).lower()
        return ""

    @property
    def python(self) -> str:
        """Minor version of the Python that last ran it, e.g. ``3.11``; '' where the notebook does not say."""
        info = self.metadata.get("language_info")
        version = info.get("version") if isinstance(info, Mapping) else None
        parts = version.split(".") if isinstance(version, str) else []
        return ".".join(parts[:2]) if len(parts) > 1 and all(part.isdigit() for part in parts[:2]) else ""

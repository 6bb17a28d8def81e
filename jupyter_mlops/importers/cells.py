"""Cells of the notebook that comes out: copied from the source, with our metadata in place of the other tool's.

Our metadata is kept as small as it can be: only what was asked for, on the first cell of a step.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from jupyter_mlops.importers.base import JSON, listing, mapping

KEY = "mlops"
LEAST_MINOR = 5
"""Of format 4, from which on cells have ids."""

PARAMETERS = "parameters"
"""The tag that Jupyter's tools share for the cell of parameters."""


def copied(document: Mapping[str, Any]) -> JSON:
    """A deep copy of a notebook or cell, so that the source is never changed through the result; metadata is an object in it."""
    found: JSON = copy.deepcopy(dict(document))
    for part in (found, *listing(found.get("cells"))):
        if isinstance(part, dict) and not isinstance(part.get("metadata"), dict):
            part["metadata"] = {}
    return found


def text_of(cell: Mapping[str, Any]) -> str:
    """The source of a cell, which files hold as text or as lines."""
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def tags_of(cell: Mapping[str, Any]) -> list[str]:
    """The plain tags of a cell."""
    return [tag for tag in listing(mapping(cell.get("metadata")).get("tags")) if isinstance(tag, str)]


def set_tags(cell: JSON, tags: Iterable[str]) -> None:
    """Give a cell these tags; none leaves no empty list behind."""
    metadata = dict(cell.get("metadata") or {})
    metadata.pop("tags", None)
    found = list(dict.fromkeys(tags))
    cell["metadata"] = {**metadata, "tags": found} if found else metadata


def set_options(cell: JSON, values: Mapping[str, Any]) -> None:
    """Put values under ``mlops`` of a cell, or of a notebook, without touching what is there."""
    if values:
        metadata = dict(cell.get("metadata") or {})
        own = metadata.get(KEY)
        metadata[KEY] = {**values, **(own if isinstance(own, dict) else {})}
        cell["metadata"] = metadata


def code_cell(source: str, tags: Iterable[str] = (), **options: Any) -> JSON:
    """A new code cell."""
    cell: JSON = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": source}
    set_tags(cell, tags)
    set_options(cell, options)
    return cell


def text_cell(source: str) -> JSON:
    """A new markdown cell."""
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def finished(document: JSON) -> JSON:
    """The document with an id on every cell, each once: format 4.5, the same for the same input."""
    taken: set[str] = set()
    for place, cell in enumerate(document["cells"]):
        wanted = cell.get("id")
        if not isinstance(wanted, str) or not wanted or wanted in taken:
            wanted = hashlib.sha256(f"{place}\n{text_of(cell)}".encode()).hexdigest()[:12]
        cell["id"] = wanted
        taken.add(wanted)
    minor = document.get("nbformat_minor")
    document["nbformat"], document["nbformat_minor"] = 4, minor if isinstance(minor, int) and minor > LEAST_MINOR else LEAST_MINOR
    return document

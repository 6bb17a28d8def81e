"""The port of an importer: a file of another tool in; an ordinary notebook, and an account of every field, out.

A migration is trusted when nothing is lost without a word. So every field that the source sets ends in an ``Item``: taken
over as what, not needed here and why, or lost and how to get it back. Importers are pure; the rim (``importing.py``) hands
them a way to read the files beside the source, and writes what comes out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from jupyter_mlops.errors import Diagnostic, Refused, Where

Outcome = Literal["taken", "not-needed", "lost"]
JSON = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Item:
    """What became of one field of the source. ``cell`` is its index in the source notebook, where it is a cell's."""

    field: str
    outcome: Outcome
    meaning: str
    """Taken over: as what. Not needed: why. Lost: what does not happen any more."""

    fix: str = ""
    cell: int | None = None

    def to_dict(self) -> JSON:
        """As ``import --json`` prints it."""
        return {"field": self.field, "cell": self.cell, "outcome": self.outcome, "meaning": self.meaning, "fix": self.fix}


@dataclass(slots=True)
class Account:
    """Items as an importer finds them, each said once."""

    items: list[Item] = field(default_factory=list)

    def taken(self, name: str, meaning: str, cell: int | None = None) -> None:
        """A field that goes on as ``meaning``."""
        self._add(Item(name, "taken", meaning, "", cell))

    def not_needed(self, name: str, why: str, cell: int | None = None) -> None:
        """A field that has nothing to do here."""
        self._add(Item(name, "not-needed", why, "", cell))

    def lost(self, name: str, what: str, fix: str, cell: int | None = None) -> None:
        """A field that asked for something which does not happen here."""
        self._add(Item(name, "lost", what, fix, cell))

    def _add(self, item: Item) -> None:
        if item not in self.items:
            self.items.append(item)


@dataclass(frozen=True, slots=True)
class Source:
    """A file to import. ``read`` returns the text of a file by its path relative to the source's folder.

    ``read`` raises FileNotFoundError where there is none, and UnicodeDecodeError where it is no text.
    """

    name: str
    document: Mapping[str, Any]
    read: Callable[[str], str]

    @property
    def stem(self) -> str:
        """The file's name without its ending."""
        return self.name.rpartition(".")[0] or self.name


@dataclass(frozen=True, slots=True)
class Imported:
    """The notebook that came out. ``stem`` is the file name proposed for it, since a pipeline is called after its file."""

    format: str
    document: JSON
    stem: str
    items: tuple[Item, ...]
    of_notebook: bool = True
    """Whether the source is itself a notebook, which the result could replace."""

    reads: tuple[str, ...] = ()
    """Notebooks beside the source that it was made of, relative to the source: the result goes over none of them."""

    folder: str = ""
    """Folder of the notebook relative to the source's, where the result has to lie beside that notebook."""


class Importer(Protocol):
    """One format of another tool."""

    def recognises(self, source: Source) -> bool:
        """Whether the document is of this format, whatever its version."""

    def convert(self, source: Source) -> Imported:
        """The notebook it becomes. Raises Refused with every reason."""


def mapping(value: Any) -> Mapping[str, Any]:
    """An object of JSON; {} for anything else, since what other tools wrote may have been edited by hand."""
    return value if isinstance(value, Mapping) else {}


def listing(value: Any) -> list[Any]:
    """A list of JSON; [] for anything else."""
    return value if isinstance(value, list) else []


def objects(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a list; what is none is left out."""
    return [one for one in listing(value) if isinstance(one, Mapping)]


def refused(source: Source, *reasons: tuple[str, str, str]) -> Refused:
    """The refusal of a source: (code, message, fix) of every reason."""
    found = tuple(Diagnostic(code, "error", message, fix=fix) for code, message, fix in reasons)
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return Refused(found[0].message + more, found[0].code, found[0].fix, Where(source.name), found)


def document_of(text: str, name: str) -> Mapping[str, Any]:
    """The JSON object in a text.

    Raises:
        Refused: code ``not-importable``: it is none.
    """
    fix = "Give a notebook, an Elyra .pipeline, a jupyter-scheduler job as JSON, or a same_config.yaml."
    try:
        found = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        line = f" (line {error.lineno} of the file)" if isinstance(error, json.JSONDecodeError) else ""
        what = "is empty" if not text.strip() else f"is not JSON{line}"
        raise Refused(f"{name} {what}", "not-importable", fix, Where(name)) from error
    if not isinstance(found, dict):
        raise Refused(f"{name} is JSON, but neither a notebook nor a pipeline", "not-importable", fix, Where(name))
    return found

"""The table of effects, ``effects.txt``, as values: read once, when the first call is looked at.

``scripts/effects.py`` generates it from stubs and signatures. A method is found by its class where the scan knows what a name
was bound to, else by its name in all classes of the table.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

CHANGES = frozenset({"changes", "takes", "draws"})
"""Effects that change the receiver."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What a call does; ``place`` and ``parameter`` say to which argument, where it is about one."""

    kind: str
    place: int = -1
    parameter: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Class or module → name → effects, and the classes that functions give."""

    owners: Mapping[str, Mapping[str, tuple[Effect, ...]]]
    gives: Mapping[str, str]
    kinds: Mapping[str, frozenset[str]]
    """Name of a method → its effects in all classes."""

    files: Mapping[str, tuple[Effect, ...]]
    """Name of a method that reads or writes a file → the argument that names it."""

    def of(self, owner: str, name: str) -> tuple[Effect, ...]:
        """Effects of ``owner.name``; none where it is unknown."""
        return self.owners.get(owner, {}).get(name, ())

    def known(self, owner: str, name: str) -> frozenset[str]:
        """Kinds of effects of a method, ``owner`` '' where the class is unknown; empty where nobody knows the name."""
        if owner in self.owners:
            return frozenset(effect.kind for effect in self.of(owner, name))
        return self.kinds.get(name, frozenset())

    def class_of(self, path: str) -> str:
        """The class that ``a.b.Name`` makes or gives; '' where it is none of the table's.

        Estimators stand under their library, wherever they are imported from.
        """
        library, name = path.partition(".")[0], path.rpartition(".")[2]
        for owner in (path, f"{library}.{name}"):
            if owner in self.owners and name[:1].isupper():
                return owner
        return path if path in CONTAINERS else self.gives.get(path, "")


CONTAINERS = frozenset(f"builtins.{name}" for name in ("list", "dict", "set", "str", "tuple", "bytearray", "frozenset")) | {
    "collections.defaultdict",
    "collections.deque",
    "array.array",
}
"""Classes with names in lower case."""


@cache
def table() -> Table:
    """The committed table."""
    data = pkgutil.get_data(__package__, "effects.txt")
    return parse(data.decode() if data else "")


def parse(text: str) -> Table:
    """The table from its text; its head says what the words mean."""
    owners: dict[str, dict[str, tuple[Effect, ...]]] = {}
    gives: dict[str, str] = {}
    kinds: dict[str, set[str]] = {}
    names: list[str] = []
    kind, library, open_names = "", "", False
    for line in text.splitlines():
        if not line or line[0] == "#":
            continue
        if line[0] == "[":
            library = line[1:].split()[0]
            open_names = False
        elif line[0] != " ":
            names, open_names = line.split(), True
        elif open_names and not line.startswith("    "):
            names += line.split()
        else:
            words = line.split()
            open_names = False
            if line[4] != " ":
                kind, *words = words
            _row(owners, gives, kinds, names, kind, words, library)
    files = {
        name: effects
        for owner, calls in owners.items()
        if _is_class(owner)
        for name, effects in calls.items()
        if any(effect.kind in {"reads", "writes"} for effect in effects)
    }
    return Table(owners, gives, {name: frozenset(found) for name, found in kinds.items()}, files)


def _row(
    owners: dict[str, dict[str, tuple[Effect, ...]]],
    gives: dict[str, str],
    kinds: dict[str, set[str]],
    names: list[str],
    kind: str,
    words: list[str],
    library: str,
) -> None:
    """Words of one line for all its owners."""
    if kind == "gives":
        for word in words:
            name, _, what = word.partition(">")
            for owner in names:
                gives[f"{owner}.{name}"] = f"numpy.{what}" if what == "ndarray" else _home(library, what)
        return
    classes = any(_is_class(owner) for owner in names)
    for word in words:
        name, _, argument = word.partition("@")
        place, _, parameter = argument.partition(":")
        effect = _effect(kind, int(place) if place else -1, parameter)
        for owner in names:
            calls = owners.setdefault(owner, {})
            calls[name] = (*calls.get(name, ()), effect)
        if classes:
            kinds.setdefault(name, set()).add(kind)


@cache
def _effect(kind: str, place: int, parameter: str) -> Effect:
    """One value for each effect: most words of the table say the same."""
    return Effect(kind, place, parameter)


def _home(library: str, name: str) -> str:
    """Where a class of a library stands in the table."""
    if name == "Generator":
        return "numpy.random.Generator"
    return f"{library}.{name}"


def _is_class(owner: str) -> bool:
    return owner.rpartition(".")[2][:1].isupper() or owner in CONTAINERS or owner == "numpy.ndarray"

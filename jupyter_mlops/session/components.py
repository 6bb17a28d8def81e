"""Names that share something changeable, found by pickling each value once.

Two names are in one component when some object that can change is reached from both; a change through one then shows
through the other in the step that gets them, since they arrive in one pickle. Names of the very same object need no second
look, and a name that stays alone keeps the pickle by which it was examined; containers of constants are examined without
one. Names that arrived together are pickled together first: if that gives what it gave on arrival, they still share what they
shared, and one walk is enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from jupyter_mlops.session.lost import reason_of
from jupyter_mlops.session.pickler import ATOMS, Pickled, digest_of, dumps, walk_plain
from jupyter_mlops.session.scope import Scope


@dataclass(frozen=True, eq=False)
class Group:
    """A component before it is stored: its names, sorted, and the pickle of ``{name: value}``."""

    names: tuple[str, ...]
    pickled: Pickled


@dataclass(frozen=True)
class Unstorable:
    """Why a name could not be pickled."""

    type: str
    reason: str


def group(
    values: Mapping[str, Any], scope: Scope, arrived: Mapping[tuple[str, ...], str] | None = None
) -> tuple[list[Group], dict[str, Unstorable]]:
    """The components of these values, and the names that cannot be stored.

    Every object is walked once to find who shares it: the walk of a name stops at what another name has shown already. Only
    components of more than one name are then pickled once more, whole. ``arrived``: names of a component that was delivered →
    the digest that its stream had then.
    """
    lost: dict[str, Unstorable] = {}
    examined: list[Group] = []
    owners: dict[int, int] = {}
    for known, stream in (arrived or {}).items():
        if len(known) > 1 and (one := _unchanged(known, stream, values, scope, owners)) is not None:
            owners.update(dict.fromkeys(one.pickled.places, len(examined)))
            examined.append(one)
    settled = {name for one in examined for name in one.names}
    for names in _same_object({name: value for name, value in values.items() if name not in settled}):
        together = {name: values[name] for name in names}
        if (plain := walk_plain(together, scope, owners)) is not None:  # its bytes are made once it is known what it is stored with
            owners.update(dict.fromkeys(plain.places, len(examined)))
            examined.append(Group(names, Pickled(b"", (), plain.places, frozenset(), frozenset(plain.joins))))
            continue
        try:
            pickled = dumps(together, scope, owners=owners)
        except Exception as error:  # noqa: BLE001  (a value's own pickling may raise anything)
            value = values[names[0]]
            lost.update(dict.fromkeys(names, Unstorable(type(value).__name__, reason_of(value, error))))
            continue
        owners.update(dict.fromkeys(pickled.places, len(examined)))
        examined.append(Group(names, pickled))
    found = []
    for members in _joined(examined):
        if len(members) == 1 and members[0].pickled.stream:
            found.append(members[0])
            continue
        names = tuple(sorted(name for member in members for name in member.names))
        found.append(Group(names, dumps({name: values[name] for name in names}, scope)))
    return found, lost


def _unchanged(
    names: tuple[str, ...], stream: str, values: Mapping[str, Any], scope: Scope, owners: Mapping[int, int]
) -> Group | None:
    """Names that arrived together, if their stream is the same still; what their buffers hold says nothing of who shares them."""
    with suppress(Exception):  # which name cannot be stored is found one by one
        if values.keys() >= set(names):
            pickled = dumps({name: values[name] for name in names}, scope, owners=owners)
            if not pickled.joins and digest_of(pickled.stream) == stream:
                return Group(names, pickled)
    return None


def _same_object(values: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Names by identity of their value; constants are left alone, since their identity means nothing."""
    found: dict[Any, list[str]] = {}
    for name in sorted(values):
        value = values[name]
        found.setdefault(name if type(value) in ATOMS else id(value), []).append(name)
    return [tuple(names) for names in found.values()]


def _joined(examined: list[Group]) -> list[list[Group]]:
    """Union-find over the groups at whose objects a walk stopped; in the order of their first name."""
    parent = list(range(len(examined)))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    for number, one in enumerate(examined):
        for owner in one.pickled.joins:
            first, second = root(owner), root(number)
            parent[max(first, second)] = min(first, second)
    found: dict[int, list[Group]] = {}
    for number, one in enumerate(examined):
        found.setdefault(root(number), []).append(one)
    return list(found.values())

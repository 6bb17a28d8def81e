"""Containers of constants (rows of a file, JSON, counters), told and pickled without a look at each object from Python.

A notebook's many small objects are nearly always these. Nothing in them needs a rule of ours, so C's own pickler writes the
very bytes that :class:`~jupyter_mlops.session.pickler.Pickler` would. What has to be known besides is who shares a list with
whom: that is found level by level, by calls that stay in C for a whole level.
"""

from __future__ import annotations

import io
import pickle
import struct
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, compress
from typing import Any

LEAVES: frozenset[type] = frozenset({type(None), bool, int, float, str, bytes})
"""Types of constants; a subclass is another type, with rules of its own."""

BRANCHES: frozenset[type] = frozenset({dict, list, tuple, set, frozenset})
_CONSTANT: frozenset[type] = frozenset({tuple, frozenset})
"""Those that cannot change: who shares one that holds leaves alone says nothing."""

_KNOWN = LEAVES | BRANCHES

DEEPEST = 64
"""Levels; what is nested more deeply is left to the walk that knows a deep stack."""


@dataclass
class Found:
    """A value of containers and constants."""

    places: dict[int, Any] = field(default_factory=dict)
    """Identity → container, of those through which a change can be shared."""

    joins: set[int] = field(default_factory=set)
    """Owners of containers at which the walk stopped."""


def walk(value: Any, owners: Mapping[int, int], special: Collection[int], nan: Any = None) -> Found | None:
    """All containers of a value; None where anything in it is neither a container nor a constant of Python.

    Args:
        value: the value.
        owners: identity of an object → who has it already; the walk does not go into such an object.
        special: identities of objects that are named instead of copied: a value with one of them is not plain.
        nan: the one ``nan`` that has to stay itself, if there is one.
    """
    if type(value) not in BRANCHES:
        return None
    found, level = Found(), [value]
    for _ in range(DEEPEST):
        fresh = dict(zip(map(id, level), level, strict=True))
        if not fresh.keys().isdisjoint(special):
            return None
        for place in fresh.keys() & found.places.keys():
            del fresh[place]
        for place in fresh.keys() & owners.keys() if owners else ():
            found.joins.add(owners[place])
            del fresh[place]
        if not fresh:
            return found
        below = _below(list(fresh.values()), nan)
        if below is None:
            return None
        found.places.update(fresh)
        for one in _of(_CONSTANT, fresh.values):
            if LEAVES.issuperset(map(type, one)):
                del found.places[id(one)]
        level = below
    return None


def _of(kinds: frozenset[type], contents: Callable[[], Iterable[Any]]) -> Iterator[Any]:
    """Those of the contents whose type is one of these."""
    return compress(contents(), map(kinds.__contains__, map(type, contents())))


def _below(level: list[Any], nan: Any) -> list[Any] | None:
    """The containers that stand in those of a level; None where anything else than constants stands beside them."""
    found: list[Any] = []
    for contents in _contents(level):
        kinds = set(map(type, contents()))
        if not kinds <= _KNOWN or (nan is not None and float in kinds and id(nan) in map(id, contents())):
            return None
        if kinds <= BRANCHES:
            found.extend(contents())
        elif not kinds <= LEAVES:
            found.extend(_of(BRANCHES, contents))
    return found


def _contents(level: list[Any]) -> Iterator[Callable[[], Iterable[Any]]]:
    """What stands in containers, to be gone through more than once: keys and values of dictionaries, items of all others."""
    if set(map(type, level)).isdisjoint({dict}):
        yield lambda: chain.from_iterable(level)
        return
    mappings = [one for one in level if type(one) is dict]
    yield lambda: chain.from_iterable(mappings)
    yield lambda: chain.from_iterable(map(dict.values, mappings))
    if len(mappings) < len(level):
        others = [one for one in level if type(one) is not dict]
        yield lambda: chain.from_iterable(others)


class _OtherError(Exception):
    """There is something else than containers and constants."""


class _Pickler(pickle.Pickler):
    """C's own pickler, which asks only about what is neither a container nor a constant."""

    def reducer_override(self, value: Any) -> Any:
        """Nothing else is plain."""
        raise _OtherError(type(value))


def stream(value: Any, nan: Any = None) -> bytes | None:
    """The pickle of a plain value; None for any other, and where it may hold an object that is named instead of copied.

    Of the latter kind are ``nan``, told by its bytes, and the list ``sys.path``, told by its entries; that other floats and lists
    have the same bytes costs time alone. It goes through a file, since ``pickle.dumps`` cuts its frames elsewhere.
    """
    if type(value) not in BRANCHES:
        return None
    file = io.BytesIO()
    try:
        _Pickler(file, protocol=5).dump(value)
    except (_OtherError, RecursionError):
        return None
    found = file.getvalue()
    if nan is not None and struct.pack(">d", nan) in found:
        return None
    return None if all(one.encode("utf-8", "surrogatepass") in found for one in sys.path) else found

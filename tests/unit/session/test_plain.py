"""Containers of constants: the quick way gives what the walk gives, byte by byte, and leaves to the walk whatever is not plain."""

from __future__ import annotations

import builtins
import collections
import enum
import importlib
import io
import itertools
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.session import plain
from jupyter_mlops.session.components import group
from jupyter_mlops.session.pickler import ATOMS, Pickler, dumps, loads
from jupyter_mlops.session.scope import Scope


def numpy() -> Any:
    """The library, loaded where a test needs it."""
    return importlib.import_module("numpy")


CONSTANTS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.binary(max_size=3)
KEYS = st.recursive(st.integers() | st.text(max_size=2), lambda inner: st.lists(inner, max_size=2).map(tuple), max_leaves=3)


@st.composite
def values(draw: st.DrawFn) -> dict[str, Any]:
    """Names over containers that stand in each other, some in several places, and some in themselves."""
    made: list[Any] = []
    for _ in range(draw(st.integers(1, 8))):
        inner = CONSTANTS | (st.sampled_from(made) if made else st.nothing())
        kind = draw(st.sampled_from(["list", "dict", "tuple", "set", "frozenset"]))
        if kind == "dict":
            made.append(draw(st.dictionaries(KEYS, inner, max_size=3)))
        elif kind in {"set", "frozenset"}:
            keys = draw(st.lists(KEYS, max_size=3))
            made.append(set(keys) if kind == "set" else frozenset(keys))
        else:
            items = draw(st.lists(inner, max_size=3))
            made.append(items if kind == "list" else tuple(items))
    for one in made:
        if type(one) is list and draw(st.booleans()):
            one.append(draw(st.sampled_from(made)))
    picked = draw(st.lists(st.sampled_from(made), min_size=1, max_size=4))
    return {f"n{place}": one for place, one in enumerate(picked)}


def scope() -> Scope:
    """Of a notebook, whose namespace has the builtins."""
    return Scope({"__builtins__": builtins})


def by_the_walk(value: Any, owners: dict[int, int] | None) -> tuple[bytes, set[int], set[int]]:
    """Stream, places and joins of the pickler that looks at each object."""
    file = io.BytesIO()
    pickler = Pickler(file, scope(), owners=owners)
    pickler.dump(value)
    return file.getvalue(), set(pickler.places), pickler.joins


@given(values())
def test_it_gives_the_very_bytes_of_the_walk(names: dict[str, Any]) -> None:
    stream, _, _ = by_the_walk(names, None)
    assert plain.stream(names) == stream
    assert dumps(names, scope()).stream == stream


@given(values())
def test_it_finds_the_containers_that_the_walk_finds_and_stops_where_it_stops(names: dict[str, Any]) -> None:
    owners: dict[int, int] = {}
    kept = []
    for number, (name, value) in enumerate(names.items()):
        one = {name: value}
        _, places, joins = by_the_walk(one, owners)
        found = plain.walk(one, owners, ())
        assert found is not None
        assert (set(found.places), found.joins) == (places, joins)
        owners.update(dict.fromkeys(places, number))
        kept.append(one)


@given(values())
def test_names_that_share_a_container_arrive_together(names: dict[str, Any]) -> None:
    groups, lost = group(names, scope())
    assert not lost
    arrived = {name: value for one in groups for name, value in loads(one.pickled.stream, (), scope()).items()}
    assert arrived.keys() == names.keys()
    for (first, one), (second, other) in itertools.combinations(names.items(), 2):
        if one is other and type(one) in {list, dict, set}:
            assert arrived[first] is arrived[second]


class _Colour(enum.IntEnum):
    RED = 1


def _deep() -> list[Any]:
    found: list[Any] = []
    for _ in range(plain.DEEPEST + 1):
        found = [found]
    return found


OTHERS: dict[str, Callable[[], Any]] = {
    "an array": lambda: [numpy().zeros(2)],
    "numpy's number": lambda: {"a": numpy().float64(1)},
    "a member of an enum": lambda: [1, _Colour.RED],
    "a function": lambda: {"f": len},
    "a subclass of dict": lambda: collections.OrderedDict(a=1),
    "a subclass far inside": lambda: [[{"a": (1, [collections.Counter("ab")])}]],
    "a class as a key": lambda: {int: 1},
    "complex": lambda: [1j],
    "the module": lambda: [sys],
    "a constant alone": lambda: 3,
}


@pytest.mark.parametrize("make", OTHERS.values(), ids=OTHERS)
def test_anything_else_is_left_to_the_walk(make: Callable[[], Any]) -> None:
    value = make()
    assert plain.stream(value) is None
    assert plain.walk(value, {}, ()) is None


NAMED: dict[str, Callable[[], Any]] = {
    "nan": lambda: [1.0, numpy().nan],
    "nan as a key": lambda: {numpy().nan: 1},
    "nan in a tuple": lambda: [(1, (numpy().nan,))],
    "sys.path": lambda: {"places": sys.path},
}


@pytest.mark.parametrize("make", NAMED.values(), ids=NAMED)
def test_what_is_named_instead_of_copied_is_so_still(make: Callable[[], Any]) -> None:
    value = make()
    assert plain.stream(value, numpy().nan) is None
    assert plain.walk(value, {}, {id(sys.path)}, numpy().nan) is None
    assert dumps(value, scope()).stream == by_the_walk(value, None)[0]


def test_another_nan_is_a_number_like_any_other() -> None:
    assert plain.walk([float("nan")], {}, (), numpy().nan) is not None


def test_the_namespace_itself_is_no_plain_dictionary() -> None:
    ours = scope()
    assert plain.walk({"me": ours.namespace}, {}, {id(ours.namespace)}) is None
    for namespace in ({"__builtins__": builtins}, {}):
        found = Scope(namespace)
        assert loads(dumps([found.namespace], found).stream, (), found)[0] is found.namespace


def test_what_is_nested_more_deeply_is_left_to_the_walk_with_a_deep_stack() -> None:
    value = _deep()
    assert plain.walk(value, {}, ()) is None
    assert dumps(value, scope(), owners={}).stream == by_the_walk(value, None)[0]


def test_every_constant_is_one_for_the_walk() -> None:
    assert plain.LEAVES <= ATOMS

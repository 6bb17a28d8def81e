"""Equal values of two processes are found equal, and each difference is found where it is."""

from __future__ import annotations

import copy
import datetime as dt
import functools
import itertools
import math
import sys
import types
import weakref
from collections import Counter, OrderedDict, defaultdict, deque
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.runner.alike import Alike, said

np = pytest.importorskip("numpy")
pd = pytest.importorskip("pandas")


class Point(NamedTuple):
    x: int
    y: list[int]


SCRIPT = """
import dataclasses, enum
class Base:
    kind = "base"
    def hello(self): return 1
@dataclasses.dataclass
class Reading(Base):
    value: float
    tags: list = dataclasses.field(default_factory=list)
class Colour(enum.Enum):
    RED = 1
def outer(n):
    def inner(x, *, y={default}): return x + n + y
    return inner
"""


def namespace(default: int = 0, **more: Any) -> dict[str, Any]:
    """What a notebook defines, anew each time: as two processes have it."""
    found: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(SCRIPT.replace("{default}", str(default)), "<cell>", "exec"), found)
    found.update(more)
    return found


def first(a: Any, b: Any) -> str | None:
    found = Alike().compare("v", a, b)
    return found and found.path


def looped() -> list[Any]:
    one: list[Any] = [1]
    one.append(one)
    return one


EQUAL = {
    "atoms": lambda: [1, 2.5, -0.0, math.nan, "text", b"bytes", None, True, 3j, range(4), ...],
    "tuples": lambda: (1, (2, [3])),
    "named tuples": lambda: Point(1, [2]),
    "dicts": lambda: {"a": {"b": [1]}, (1, 2): 3},
    "a default dict": lambda: defaultdict(list, {"a": [1]}),
    "an ordered dict": lambda: OrderedDict(a=1),
    "a counter": lambda: Counter("hello"),
    "a deque": lambda: deque([1, 2], maxlen=5),
    "sets": lambda: {"b", "a", (1, 2)},
    "a frozen set": lambda: frozenset({1, 2}),
    "dates": lambda: [dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc), dt.timedelta(3), Decimal("1.5")],
    "a path": lambda: Path("/data/x.csv"),
    "a cycle": looped,
    "a module": lambda: math,
    "a partial": lambda: functools.partial(max, 1, key=abs),
    "a counter that counts": lambda: itertools.count(3),
    "bytes that change": lambda: bytearray(b"abc"),
    "an array": lambda: np.arange(6.0).reshape(2, 3),
    "an array of nan": lambda: np.array([1.0, np.nan]),
    "an array of objects": lambda: np.array([{"a": 1}, None], dtype=object),
    "a record array": lambda: np.array([(1, 2.0)], dtype=[("a", "i1"), ("b", "f8")]),
    "a numpy scalar": lambda: np.float32(1.5),
    "a generator of numbers": lambda: np.random.default_rng(3),
    "a frame": lambda: pd.DataFrame({"x": [1, 2], "y": ["a", None], "z": pd.Categorical(["u", "v"])}),
    "a series": lambda: pd.Series([1.0, np.nan], index=pd.Index(["a", "b"], name="key"), name="s"),
    "a frame of lists": lambda: pd.DataFrame({"x": [[1], {"a": 2}]}),
    "an index of levels": lambda: pd.MultiIndex.from_product([[1, 2], ["a"]], names=["n", "c"]),
    "a class": lambda: namespace()["Reading"],
    "an object": lambda: namespace()["Reading"](1.5, ["a"]),
    "a bound method": lambda: namespace()["Reading"](1.5).hello,
    "an enum": lambda: [namespace()["Colour"].RED],
    "a closure": lambda: namespace()["outer"](3),
    "a function": lambda: namespace()["outer"],
    "a cached function": lambda: functools.lru_cache(maxsize=3)(namespace()["outer"]),
    "a read-only mapping": lambda: types.MappingProxyType({"a": [1]}),
    "a property": lambda: property(namespace()["outer"]),
}


@pytest.mark.parametrize("name", EQUAL)
def test_equal(name: str) -> None:
    assert first(EQUAL[name](), EQUAL[name]()) is None


def changed_class() -> Any:
    found = namespace()["Reading"]
    found.kind = "other"
    return found


DIFFERENT: dict[str, tuple[Any, Any, str]] = {
    "type": (1, 1.0, "v"),
    "bool for int": (True, 1, "v"),
    "value": ([1, [2, 3]], [1, [2, 4]], "v[1][1]"),
    "sign of zero": (0.0, -0.0, "v"),
    "length": ([1], [1, 2], "v (number of items)"),
    "key": ({"a": 1}, {"b": 1}, "v (a key)"),
    "order of keys": ({"a": 1, "b": 2}, {"b": 2, "a": 1}, "v (a key)"),
    "entry": ({"a": {"b": 1}}, {"a": {"b": 2}}, "v['a']['b']"),
    "item of a set": ({1, 2}, {1, 3}, "v (an item)"),
    "factory": (defaultdict(list), defaultdict(set), "v.default_factory"),
    "number in an array": (np.array([[1, 2]]), np.array([[1, 3]]), "v[0, 1]"),
    "type of an array": (np.array([1]), np.array([1.0]), "v.dtype"),
    "shape": (np.zeros((2, 1)), np.zeros((1, 2)), "v.shape"),
    "cell of a frame": (pd.DataFrame({"x": [1, 2]}), pd.DataFrame({"x": [1, 3]}), "v['x'].tolist()[1]"),
    "order of columns": (pd.DataFrame({"x": [1], "y": [1]}), pd.DataFrame({"y": [1], "x": [1]}), "v.columns.tolist()[0]"),
    "index": (pd.Series([1], index=[0]), pd.Series([1], index=[5]), "v.index.tolist()[0]"),
    "name of a series": (pd.Series([1], name="a"), pd.Series([1], name="b"), "v (name)"),
    "attribute": (namespace()["Reading"](1.0), namespace()["Reading"](2.0), "v.value"),
    "default of a function": (namespace(1)["outer"](1), namespace(2)["outer"](1), "v.__kwdefaults__['y']"),
    "content of a closure": (namespace()["outer"](1), namespace()["outer"](2), "v.n"),
    "code": (lambda x: x + 1, lambda x: x + 2, "v.__code__.co_consts"),
    "attribute of a class": (namespace()["Reading"], changed_class(), "v (names of its attributes)"),
    "state of a generator": (np.random.default_rng(1), np.random.default_rng(2), "v"),
    "module": (math, sys, "v"),
    "place of a counter": (itertools.count(1), itertools.count(2), "v"),
    "limit of a deque": (deque([1], 3), deque([1], 4), "v"),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_different(name: str) -> None:
    a, b, path = DIFFERENT[name]
    found = first(a, b)
    assert found is not None
    assert found.startswith(path)


def test_what_is_one_object_on_one_side_must_be_one_on_the_other() -> None:
    shared = [1]
    alike = Alike()
    assert alike.compare("a", shared, (one := [1])) is None
    found = alike.compare("b", shared, [1])
    assert found is not None
    assert (found.path, found.first, found.second) == ("b", "an object that another name reaches too", "an object of its own")
    assert alike.compare("c", shared, one) is None


def test_constants_may_be_shared_or_not() -> None:
    text = ("a", "b")
    assert first([text, text], [("a", "b"), tuple("ab")]) is None


def test_what_a_class_of_the_notebook_is_counts_and_not_which_object_it_is() -> None:
    alike = Alike()
    ours, theirs = namespace(), namespace()
    assert alike.compare("Reading", ours["Reading"], theirs["Reading"]) is None
    assert alike.compare("r", ours["Reading"](1.0), theirs["Reading"](1.0)) is None


def test_the_folder_of_each_side_is_the_same_folder() -> None:
    alike = Alike((("/tmp/a",), ("/tmp/b/work", "/tmp/b")))
    assert alike.compare("p", "/tmp/a/x.csv", "/tmp/b/work/x.csv") is None
    assert alike.compare("q", Path("/tmp/a/x.csv"), Path("/tmp/b/x.csv")) is None
    assert alike.compare("r", "/tmp/a/x.csv", "/tmp/c/x.csv") is not None


def test_a_weak_reference_is_what_it_refers_to() -> None:
    one, other = namespace()["Reading"](1.0), namespace()["Reading"](1.0)
    assert first(weakref.ref(one), weakref.ref(other)) is None


@pytest.mark.slow
def test_a_figure_is_what_it_shows() -> None:
    from matplotlib.figure import Figure

    def figure(height: float) -> Any:
        made = Figure()
        made.subplots().plot([0, height])
        return made

    assert first(figure(1), figure(1)) is None
    assert first(figure(1).axes[0], figure(1).axes[0]) is None
    assert first(figure(1), figure(2)) == "v (as it is drawn)"


def test_depth_has_no_end_in_a_crash() -> None:
    def nested() -> list[Any]:
        found: list[Any] = []
        for _ in range(5000):
            found = [found]
        return found

    assert first(nested(), nested()) is None


class Loud:
    def __repr__(self) -> str:
        raise ValueError("no")


def test_a_value_is_said_in_few_words() -> None:
    assert said(Loud()) == "<Loud, whose repr raised ValueError>"
    assert len(said("x" * 1000)) == 200


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(PLAIN)
def test_a_copy_is_equal(value: Any) -> None:
    assert first(value, copy.deepcopy(value)) is None


@given(PLAIN, PLAIN)
def test_what_python_calls_different_is_different(one: Any, other: Any) -> None:
    if one != other and repr(one) != repr(other):
        assert first(one, other) is not None

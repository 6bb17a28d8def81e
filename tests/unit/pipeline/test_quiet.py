"""Which cells leave older objects alone: a table of ways to reach one, and the law that steps judged independent commute."""

from __future__ import annotations

import builtins
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_mlops.dataflow.link import analyse
from jupyter_mlops.notebook.document import Cell
from jupyter_mlops.pipeline.pipeline import Pipeline
from jupyter_mlops.pipeline.plan import plan
from jupyter_mlops.pipeline.quiet import quiet
from tests.unit.laws import law
from tests.unit.notebook_building import Spec, notebook

ABOVE = """\
import copy, json, math, collections, heapq, functools, operator, struct
c = [1]; b = [c]; d = {'k': c}; it = iter(c); z = zip(c, c)
class A: pass
class S:
    total = []
    def __init__(self, n): self.n = n
    def grow(self): self.n += 1
    def seen(self): return self.n
class Loud:
    def __init__(self): S.total.append(1)
x = A(); s = S(1)
def pure(v): out = []; out.append(v); return out
def push(v): v.append(1); return v
def keep(v=[]): v.append(1); return v
def late(): return push(c)
def hand(): return c
def gen(): yield from c
"""

LOUD = [
    "b[0].append(2)", "d['k'][0] = 2", "for m in [json]: m.dumps = repr", "m = b[0]; m.append(1)", "type(x).n = 1", "x.n = 1",
    "A.n = 1", "del x.n", "del d['k']", "c += [2]", "setattr(x, 'n', 1)", "vars(x)['n'] = 1", "x.__dict__['n'] = 1",
    "f = c.append; f(1)", "[c.append(i) for i in (1, 2)]", "list(map(c.append, (1, 2)))", "push(b[0])", "y = list(map(push, b))",
    "y = keep()", "y = late()", "hand().append(1)", "y = list(it)", "next(it)", "w = [z]", "v = sum(i for i, _ in z)",
    "heapq.heappush(b[0], 1)", "list.append(c, 1)", "s.grow()", "y = Loud()", "y = [S(1).grow()]", "out = [c]; out[0].append(1)",
    "out = b; out.append(1)", "if c: out = []\nout = c\nout.append(1)", "(lambda: c)().append(1)", "f = lambda: c.append(1)",
    "operator.iadd(c, [1])", "functools.reduce(operator.iadd, b, c)", "with x: pass", "for c[0] in (1, 2): pass",
    "def f():\n    global c\n    c = 2\nf()", "[s.grow for _ in c][0]()", "print(1, file=x)", "g = gen(); y = next(g)",
    "struct.pack_into('b', b[0], 0, 1)", "d.get('k').append(1)", "d.setdefault('n', 1)", "y = (c if c else b).pop()",
    "out = []; import json as out\nout.dumps = 1", "out = []\ntry: raise KeyError\nexcept KeyError as out: out.args = ()",
    "out = []\nmatch b:\n    case [out]: out.append(1)", "out = []; (out := c).append(1)",
    "y = [m for m in b if m.append(1)]", "a = q = []; q.append(c); a[0].append(1)",
]  # fmt: skip

STILL = [
    "y = sum(c)", "y = pure(c)", "out = []\nfor i in c: out.append(i)", "out = {}\nout['a'] = c", "n = 0\nfor i in c: n += i",
    "y = [i for i in c]", "y = list(map(math.sqrt, c))", "y = sorted(c, key=lambda i: -i)", "y = s.n", "y = S(2)", "y = A()",
    "h = []\nheapq.heappush(h, 1)", "print(c)", "q = collections.deque(c)\nq.append(1)", "y = copy.deepcopy(b)\ny.append(1)",
    "def f(v):\n    r = dict(v)\n    r['a'] = 1\n    return r\ny = f(d)", "y = {k: len(v) for k, v in d.items()}", "y = [*zip(c, c)]",
    "if c:\n    y = 1\nelse:\n    y = 2", "try:\n    y = d['n']\nexcept KeyError:\n    y = 0", "def unused(): c.append(1)",
]  # fmt: skip


def still(*sources: str) -> frozenset[int]:
    cells = [Cell(index, "code", source) for index, source in enumerate(sources)]
    return quiet(cells, {facts.cell: facts for facts in analyse(cells).facts})


@pytest.mark.parametrize("source", LOUD)
def test_what_may_change_something_older(source: str) -> None:
    assert 1 not in still(ABOVE, source)


@pytest.mark.parametrize("source", STILL)
def test_what_changes_its_own_alone(source: str) -> None:
    assert 1 in still(ABOVE, source)


@pytest.mark.parametrize(
    ("above", "source"),
    [
        ("import collections\nd = collections.defaultdict(list)", "y = d['new']"),
        ("from collections import defaultdict\nd = defaultdict(int)", "y = d[1]"),
        ("class C:\n    n = 0\n    def __add__(self, o):\n        self.n = 1\n        return o\nc = C()", "y = c + 1"),
        ("class C:\n    @property\n    def p(self):\n        self.n = 1\n        return 1\nc = C()", "y = c.p"),
        ("class C:\n    def __iter__(self):\n        self.n = 1\n        return iter(())\nc = C()", "y = [*c]"),
        ("import functools\n@functools.lru_cache\ndef f(v): return v", "y = f(1)"),
        ("def deco(f):\n    seen = []\n    return lambda v: seen.append(v)\n@deco\ndef f(v): return v", "y = f(1)"),
        ("x = 1", "x = = 2"),
    ],
)
def test_changes_that_no_call_shows(above: str, source: str) -> None:
    assert 1 not in still(above, source)


def steps_of(*sources: str) -> Pipeline:
    cells: list[Spec] = [(source, [f"step:{name}"]) for name, source in zip("abc", sources, strict=True)]
    return plan(notebook(*cells))


def seen(value: Any, depth: int = 6) -> Any:
    """A value with all that it holds, and what its class holds, as plain data."""
    if isinstance(value, (list, tuple)):
        return [seen(each, depth - 1) for each in value] if depth else "…"
    if isinstance(value, dict):
        return {key: seen(each, depth - 1) for key, each in value.items()} if depth else "…"
    if type(value).__module__ == "session" and depth:
        own = {key: each for key, each in vars(type(value)).items() if not key.startswith("__") and not callable(each)}
        return [seen(vars(value), depth - 1), seen(own, depth - 1)]
    return repr(value) if isinstance(value, (int, float, str, type(None))) else type(value).__name__


def result(*sources: str) -> Any:
    """What a kernel has after these cells, or the error that ends it."""
    names: dict[str, Any] = {"__name__": "session", "__builtins__": builtins}
    try:
        for source in sources:
            exec(source, names)
    except Exception as error:
        return type(error).__name__
    return {name: seen(value) for name, value in names.items() if not name.startswith("__")}


MADE = st.sampled_from([f"c = {text}" for text in ("[1]", "[[1], 2]", "{'k': [1]}", "A()")])
SHARED = st.lists(
    st.sampled_from(["b = [c]", "d = {'k': c}", "def g(): return c", "f = lambda: c", "x = A(); x.c = c", "b = (c, [c])", "it = iter([c, c])"]),
    min_size=1, max_size=3,
)  # fmt: skip
PARTS = st.lists(
    st.sampled_from([
        "V = [1]", "V.append(2)", "V = b[0]", "V = d['k']", "V = g()", "V = x.c", "V = list(c)", "V = [c]", "V[0] = 5", "V[0].append(3)",
        "V = sorted(c)", "V = len(c)", "b[0].append(4)", "d['k'] = 7", "d['k'].append(1)", "f().append(6)", "V = next(it)", "V = str(b)",
        "V = [*c]", "V = dict(d)", "V['n'] = 1", "for W in b: V = W", "V = list(it)", "x.c = 1", "V = x.c", "A.n = 1", "V = A()", "V.n = 2",
    ]), min_size=1, max_size=4,
)  # fmt: skip


@pytest.mark.slow
@settings(law, max_examples=300)
@given(MADE, SHARED, PARTS, PARTS)
def test_steps_that_are_certainly_independent_commute(made: str, shared: list[str], first: list[str], second: list[str]) -> None:
    above = "\n".join(["class A: pass", made, *shared])
    left, right = ("\n".join(parts).replace("V", f"v{side}").replace("W", f"w{side}") for side, parts in ((1, first), (2, second)))
    if ("b", "c") not in steps_of(above, left, right).independent:
        return
    one, other = result(above, left, right), result(above, right, left)
    assert isinstance(one, str) or isinstance(other, str) or one == other


def test_the_law_has_cases() -> None:
    """Of the law's programs some are judged independent, else it would hold of anything."""
    above = "class A: pass\nc = [[1], 2]\nb = [c]"
    pairs = [
        (left, right)
        for left in ("v = sorted(c)", "v = [1]\nv.append(2)", "b[0].append(4)")
        for right in ("w = len(c)", "w = [*c]")
    ]
    independent = [pair for pair in pairs if ("b", "c") in steps_of(above, *pair).independent]
    assert independent == [pair for pair in pairs if "b[0]" not in pair[0]]

"""A law: any program over containers, closures and classes leaves the same values and the same sharing when it is cut up."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_mlops.errors import NotStorable
from tests.unit.session.one_process import Chain, one_namespace, shape

NAMES = ("a", "b", "c", "d")
PRELUDE = [
    "import numpy as np\na = []\nb = {}\nc = [a]\nd = np.arange(6)",
    (
        "def touch(x, seen=()):\n"
        "    if isinstance(x, list):\n        x.append(len(x))\n"
        "    elif isinstance(x, dict):\n        x[len(x)] = 0\n"
        "    elif isinstance(x, np.ndarray):\n        x.flat[:1] = x.sum() + 1\n"
        "    elif isinstance(x, tuple):\n        [touch(i) for i in x]\n"
        "    elif hasattr(x, 'bump'):\n        x.bump()\n"
        "    elif callable(x) and not isinstance(x, type):\n        x()\n"
    ),
    "def closure(v):\n    n = 0\n    def f():\n        nonlocal n\n        n += 1\n        touch(v)\n        return n\n    return f",
    "def default(v):\n    def f(acc=v):\n        f.calls = getattr(f, 'calls', 0) + 1\n        touch(acc)\n    return f",
    "import weakref\nHELD = {}\ndef ref(v):\n    f = lambda: None\n    f.v = v\n    HELD['f'] = f\n    return [weakref.ref(f), f]",
    (
        "class Counter:\n    made = []\n    def __init__(self, v):\n        self.v = v\n        Counter.made.append(1)\n"
        "    def bump(self):\n        self.n = getattr(self, 'n', 0) + 1"
    ),
    "import functools\nKINDS = {}",
    (
        "class Meta(type):\n    def __init__(cls, *args):\n        super().__init__(*args)\n        KINDS[cls.__name__] = cls\n"
        "    def __call__(cls, *args):\n        cls.calls = cls.calls + 1\n        return super().__call__(*args)"
    ),
    "class Base(metaclass=Meta):\n    calls, held = 0, None\n    def __init__(self, v=None):\n        self.v = v\n    def bump(self):\n        touch(self.held)",
]

STATEMENTS = (
    "{x} = []", "{x} = {{}}", "{x} = {y}", "{x} = [{y}, {z}]", "{x} = ({y}, {z})", "{x} = {{'k': {y}}}", "touch({x})",
    "{x} = closure({y})", "{x} = default({y})", "{x} = Counter({y})", "{x}, {y} = {y}, {x}", "{x} = 7", "Counter.made = [{y}]",
    "{x} = getattr({y}, 'bump', {y})", "global_{x} = {y}\ntouch(global_{x})", "touch.seen = {y}", "{x} = [Counter, {y}]",
    "{x} = lambda: touch({y})", "{x} = np.arange(4)", "{x} = {y}[1:] if isinstance({y}, np.ndarray) else {y}",
    "{x} = {y}.reshape(-1, 1).T if isinstance({y}, np.ndarray) else [{y}]", "{x} = {y}.keys() if isinstance({y}, dict) else {{'k': {y}}}",
    "{x} = Counter({y})\nclass Counter(Counter):\n    made = [{z}]", "class Counter:\n    made = [{y}]\n    def __init__(self, v): self.v = v",
    "{x} = type('Made', (Counter,), {{'held': {y}}})({z})", "{x} = ref({y})", "for {x} in [{y}, {z}]:\n    touch({x})",
    "{x} = Base({y})", "Base.held = {y}", "class {x}(Base):\n    held = Base.held\n{x}, Base = Base({y}), {x}", "{x} = functools.partial(touch, {y})",
    "if isinstance({x}, KINDS['Base']):\n    type({x}).held = {y}", "KINDS['Base'].calls += 1",
    "class Base(Base):\n    def bump(self):\n        super().bump()\n        type(self).calls += 1", "{x} = functools.partial({y}.append, 1) if isinstance({y}, list) else {y}",
    "Base.bump = lambda self, held={y}: touch(held)", "{x} = Base({y}).bump", "KINDS['last'] = {x}", "{x} = KINDS.get('last', {y})",
)  # fmt: skip


@st.composite
def programs(draw: st.DrawFn) -> list[str]:
    cells = []
    for _ in range(draw(st.integers(1, 6))):
        lines = []
        for _ in range(draw(st.integers(1, 3))):
            names = {key: draw(st.sampled_from(NAMES)) for key in ("x", "y", "z")}
            lines.append(draw(st.sampled_from(STATEMENTS)).format(**names))
        cells.append("\n".join(lines))
    return PRELUDE + cells


@pytest.mark.slow
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(programs())
def test_cut_into_steps_it_is_the_same(cells: list[str]) -> None:
    try:
        expected = shape(one_namespace(cells))
    except RecursionError:  # a closure that touches itself: the same in every kernel
        return
    with tempfile.TemporaryDirectory() as folder:
        chain = Chain(Path(folder))
        for source in cells:
            chain.run(source)
        assert chain.state.lost == {}
        assert shape(chain.all()) == expected


@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(programs(), st.sampled_from(("{g}", "[1, {g}]", "{{'k': ({g},)}}", "functools.partial(print, {g})", "Counter({g})")))
def test_a_generator_anywhere_is_refused_by_name_and_nothing_else_is(cells: list[str], holder: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        chain = Chain(Path(folder))
        for source in [*cells, "held = " + holder.format(g="(i for i in 'ab')"), "other = 1"]:
            chain.run(source)
        assert set(chain.state.lost) == {"held"}
        with pytest.raises(NotStorable, match=r"held.*cannot be handed to another step.*generator"):
            chain.run("held")
        assert chain.run("print(other)")["other"] == 1

"""Functions and classes that came to a step and can read a generator, or set it, without moving it."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_mlops.runner.generators import may_stay_put

FORKS = "def f():\n    with torch.random.fork_rng():\n        return torch.rand(3)\n"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (FORKS + "found = f", True),
        (FORKS + "def wrap(g):\n    return lambda: g()\nfound = wrap(f)", True),
        ("import random\nclass C:\n    def m(self):\n        return random.getstate()\nfound = C", True),
        ("import random\nclass C:\n    def m(self):\n        return random.getstate()\nclass D(C): pass\nfound = D()", True),
        ("import random\nclass C:\n    @staticmethod\n    def m():\n        random.seed(1)\nfound = C.m", True),
        ("import random\nclass C:\n    @property\n    def m(self):\n        random.seed(1)\nfound = C", True),
        ("import random\nclass C:\n    @classmethod\n    def m(cls):\n        random.seed(1)\nfound = C().m", True),
        ("import random\ndef f():\n    def g():\n        random.seed(1)\n    return g\nfound = f", True),
        ("import random\ndef f():\n    return random.random()\nfound = f", False),
        ("def f():\n    def g():\n        return late\n    return g\n    late = 1\nfound = f()", False),
        ("found = [1, 'seed']", False),
        ("class C:\n    x = 1\nC.me = C\nfound = C()", False),
    ],
)
def test_what_came_to_a_step(source: str, expected: bool) -> None:
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(source, "<cell>", "exec"), space)
    assert may_stay_put([], [space["found"]]) is expected

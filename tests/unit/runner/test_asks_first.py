"""What an account says was asked for: names that cells surely bind first are not, generators that stay where they were are."""

from __future__ import annotations

import pytest

from jupyter_mlops.runner.asks import bound_first, what_was_asked
from jupyter_mlops.session.account import Account
from jupyter_mlops.session.mentions import Mentions, mentions_of
from jupyter_mlops.session.merge import Side, clashes
from jupyter_mlops.session.session import Asked
from jupyter_mlops.session.state import State


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (["import numpy as np\nnp.mean(x)"], {"np"}),
        (["from a.b import c, d as e", "import f.g"], {"c", "e", "f"}),
        (["x = 1\ny = x"], {"x", "y"}),
        (["x = x + 1"], set()),
        (["y = x", "x = 1"], {"y"}),
        (["if c:\n    x = 1"], set()),
        (["try:\n    x\nexcept NameError:\n    x = 1"], set()),
        (["def f():\n    return x\nx = 1"], set()),
        (["def f():\n    global x\n    x += 1\nx = 1"], set()),
        (["x = 1", "!ls", "y = 2"], {"x", "y"}),
        (["%matplotlib inline\nimport numpy as np"], {"np"}),
        (["!head $x {y}", "x = y = 1"], set()),
        (["smf.ols('y ~ np.log(x)')\nimport numpy as np"], set()),
        (["x = 1", "if x\n  y", "z = 2"], {"x"}),
        (["a = b = 1\n(c, d) = 1, 2\ne.f = 1"], {"a", "b"}),
    ],
)
def test_names_bound_first(sources: list[str], expected: set[str]) -> None:
    assert bound_first(sources) == expected


@pytest.mark.parametrize(
    ("source", "clash"),
    [
        ("i = 1\ndel i", True),
        ("i = 1", False),
        ("import random\nr = random.random", False),
        ("import random\nrandom.seed(42)", True),
        ("import numpy as np\nnp.random.seed(42)", True),
        ("import random\nkept = random.getstate()\nr = random.random()\nrandom.setstate(kept)", True),
        ("import torch\nwith torch.random.fork_rng():\n    r = torch.rand(3)", True),
        ("from random import seed as begin\nbegin(42)", True),
    ],
)
def test_a_later_step_that_leaves_no_trace_meets_an_earlier_one(source: str, clash: bool) -> None:
    before = State(carriers={"random": "1"})
    mentions = mentions_of(compile(source, "<cell>", "exec", dont_inherit=True))
    later = what_was_asked(Account(), before, Asked(mentions), [source], {})
    earlier = State(names={"i": "2"}, carriers={"random": "2"})
    found = clashes(before, [Side("a", earlier, Account()), Side("b", before, later)])
    assert bool(found) is clash


@pytest.mark.parametrize(
    ("source", "again"),
    [
        ("import numpy as np", ("np",)),
        ("%matplotlib inline\nimport numpy as np", ("np",)),
        ("np = 1", ()),
        ("print(np)\nimport numpy as np", ()),
        ("f(np)", ()),
        ("if x:\n    import numpy as np", ()),
    ],
)
def test_what_is_only_imported_once_more_is_told_apart(source: str, again: tuple[str, ...]) -> None:
    """The name is there before and after, in the same component, and did not have to arrive."""
    state = State(names={"np": "1"})
    loads = {"np"} if "print(np)" in source or "f(np)" in source else set()
    found = what_was_asked(Account(), state, Asked(Mentions(loads=frozenset(loads))), [source], {"np": 1})
    assert found.asked == ("np",)
    assert found.again == again
    assert Account.from_json(found.to_json()) == found

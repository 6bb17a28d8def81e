"""Items of a fan-out: the same value at both ends, in a text that nothing on the way touches."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.errors import WrongUsage
from jupyter_mlops.runner import answer
from jupyter_mlops.runner.arguments import item_of, parse
from jupyter_mlops.runner.branch import stored_by
from jupyter_mlops.runner.plan import Ask, Parameter, Plan
from jupyter_mlops.workflow.tasks import items_text
from tests.unit.laws import law

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@law
@given(st.lists(JSON, max_size=4))
def test_an_item_arrives_as_it_was(items: list[Any]) -> None:
    text = items_text(items)
    assert text == answer.items_text(items)  # what the compiler writes and what a step writes are one
    texts = json.loads(text)
    assert all(re.fullmatch(r"[A-Za-z0-9.,:+_=-]*", one) for one in texts)
    found = [item_of(one) for one in texts]
    assert found == items
    assert [repr(one) for one in found] == [repr(one) for one in items]


@pytest.mark.parametrize("text", ["", "x", "1", "a:1", "0:{", "0:=2"])
def test_what_is_no_item_is_refused(text: str) -> None:
    with pytest.raises(WrongUsage):
        item_of(text)


@pytest.mark.parametrize(("item", "label"), [("", "train"), ("0:1", "train.0"), ("12:=22a=22", "train.12")])
def test_a_branch_is_called_after_its_place(item: str, label: str) -> None:
    given_ = ["--registry", "r", "--bundle", "b", "--run", "n", "--step", "train", "--state", "", "--out", "/o", "--item", item]
    assert parse(given_).label == label


PLAN = Plan(None, "p", "p.ipynb", "", "", (), (Parameter("n", "int", 3, 0),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "expression", "found"),
    [
        ("when", "n > 2", {"go": True}),
        ("when", "[]", {"go": False}),
        ("when", "x == 1", {"go": True}),
        ("each", "(1, 2)", {"items": [1, 2]}),
        ("each", "range(n)", {"items": [0, 1, 2]}),
        ("each", "[{'a': x}]", {"items": [{"a": 1}]}),
        ("each", "[]", {"items": []}),
    ],
)
def test_an_expression_is_read_where_its_names_are(kind: str, expression: str, found: dict[str, Any]) -> None:
    assert answer.answer(Ask(kind, expression, "train", 4), {"x": 1}, PLAN, {}) == found


def test_a_value_of_the_run_counts_before_its_default_and_the_session_before_both() -> None:
    ask = Ask("each", "range(n)", "train", 4)
    assert answer.answer(ask, {}, PLAN, {"n": 1}) == {"items": [0]}
    assert answer.answer(ask, {"n": 2}, PLAN, {"n": 1}) == {"items": [0, 1]}


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("missing", "NameError"), ("3", "not a list"), ("'ab'", "not a list"), ("[float('nan')]", "item 0"), ("[{1: 2}]", "item 0"),
        ("[(1,)]", "a tuple"), ("[1] * 501", "501 items"), ("['x' * 70000]", "65536 bytes"),
    ],
)  # fmt: skip
def test_what_is_no_list_of_items_says_why(expression: str, words: str) -> None:
    with pytest.raises(WrongUsage) as caught:
        answer.answer(Ask("each", expression, "train", 4), {}, PLAN, {})
    assert (caught.value.code, caught.value.where.cell) == ("control-flow", 4)
    assert words in caught.value.message
    assert caught.value.fix


@pytest.mark.parametrize(
    ("source", "assigned", "defined"),
    [
        ("x = 1\nfor i in []: y = 2", {"x", "i", "y"}, set()),
        ("import a.b, c as d\nfrom e import f as g", set(), {"a", "d", "g"}),
        ("class A:\n    z = 1\ndef f(q=1):\n    w = 2", set(), {"A", "f"}),
        ("def f():\n    global t\n    t = 1", set(), {"f"}),
        ("if True:\n    import m\n    n = [k for k in []]", {"n"}, {"m"}),
        ("await x\ny = 1", {"y"}, set()),
        ("this is no python", set(), set()),
    ],
)
def test_what_cells_bind(source: str, assigned: set[str], defined: set[str]) -> None:
    assert stored_by([source]) == (assigned, defined)

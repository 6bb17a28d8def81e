"""Sides that ran beside each other: when they come together, what clashes by name, and the law behind it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.errors import Refused
from jupyter_mlops.session.account import Account, account
from jupyter_mlops.session.merge import Side, clashes, merge
from jupyter_mlops.session.state import Component, FileEntry, Lost, State
from tests.unit.laws import law


def state(names: dict[str, str], **more: Any) -> State:
    components = {digest: Component(tuple(n for n in names if names[n] == digest), (), ()) for digest in names.values()}
    return State(names=names, components=components, **more)


def side(
    step: str, after: State, delivered: tuple[str, ...] = (), asked: tuple[str, ...] = (), *, everything: bool = False
) -> Side:
    given = {name: BASE.names[name] for name in delivered}
    return Side(step, after, replace(account(BASE, after, given), asked=asked, everything=everything))


FILE = FileEntry("1", 1, 0)
BASE = state({"x": "1", "y": "2"}, carriers={"options": "o"}, files={"a": FILE}, count=3)


def changed(drop: str = "", **names: str) -> State:
    return state({name: digest for name, digest in {**BASE.names, **names}.items() if name != drop},
                 carriers=BASE.carriers, files=BASE.files, count=4)  # fmt: skip


PLAIN = side("b", changed(z="9"), ("y",), ("y",))

CASES: dict[str, tuple[Side, Side, list[tuple[str, str, str]]]] = {
    "each its own": (side("a", changed(w="8"), ("x",), ("x",)), PLAIN, []),
    "both read one": (side("a", changed(w="8"), ("y",)), PLAIN, []),
    "the earlier reads what the later changes": (side("a", changed(w="8"), ("x",)), side("b", changed(x="7"), ("x",), ("x",)), []),
    "the later was given it": (side("a", changed(y="8")), PLAIN, [("name", "y", "read")]),
    "the later asked for what the earlier bound": (
        side("a", changed(w="8")), side("b", changed(z="9"), (), ("w",)), [("name", "w", "read")],
    ),
    "the later asked for everything": (side("a", changed(w="8")), side("b", changed(), everything=True), [("name", "w", "read")]),
    "both bound it": (side("a", changed(w="8")), side("b", changed(w="9")), [("name", "w", "both")]),
    "both imported the same": (side("a", changed(np="m")), side("b", changed(np="m")), []),
    "both imported the same, one asks whether it is there": (
        side("a", changed(np="m")), side("b", changed(np="m"), (), ("np",)), [("name", "np", "both")],
    ),
    "both changed one in the same way": (
        side("a", changed(x="8"), ("x",)), side("b", changed(x="8"), ("x",)), [("name", "x", "both")],
    ),
    "the earlier removed it": (side("a", changed("y")), PLAIN, [("name", "y", "read")]),
    "the later removed it": (side("a", changed(w="8")), side("b", changed("y"), ("y",)), []),
    "both removed it": (side("a", changed("y"), ("y",)), side("b", changed("y"), ("y",)), [("name", "y", "both")]),
    "the earlier made what cannot be stored": (
        side("a", replace(changed(), lost={"w": Lost("g", "r")})), side("b", changed(), (), ("w",)), [("name", "w", "read")],
    ),
    "the earlier patched what the later may call": (
        side("a", changed(**{"patch:json..dumps": "8"})), PLAIN, [("name", "patch:json..dumps", "read")],
    ),
    "both patched it alike": (
        side("a", changed(**{"patch:json..dumps": "8"})), side("b", changed(**{"patch:json..dumps": "8"})),
        [("name", "patch:json..dumps", "both")],
    ),
    "an option": (
        side("a", replace(changed(), carriers={"options": "p"})), PLAIN, [("carrier", "options", "read")],
    ),
    "an option in both": (
        side("a", replace(changed(), carriers={"options": "p"})), side("b", replace(changed(), carriers={"options": "q"})),
        [("carrier", "options", "both")],
    ),
    "an option in the later": (side("a", changed(w="8")), side("b", replace(changed(), carriers={"options": "q"})), []),
    "a draw in the earlier": (side("a", replace(changed(), carriers={**BASE.carriers, "random": "1"})), PLAIN, []),
    "draws in both": (
        side("a", replace(changed(), carriers={**BASE.carriers, "random": "1"})),
        side("b", replace(changed(), carriers={**BASE.carriers, "random": "1"})), [("carrier", "random", "both")],
    ),
    "history and imports": (
        side("a", replace(changed(), carriers={**BASE.carriers, "history": "1", "imports": "1"})),
        side("b", replace(changed(), carriers={**BASE.carriers, "history": "2", "imports": "2"})), [],
    ),
    "a file of the earlier": (side("a", replace(changed(), files={"a": FILE, "b": FILE})), PLAIN, [("file", "b", "read")]),
    "a file that the earlier removed": (
        side("a", replace(changed(), files={}, removed=("a",))), PLAIN, [("file", "a", "read")],
    ),
    "a file of the later": (side("a", changed(w="8")), side("b", replace(changed(), files={"a": FILE, "b": FILE})), []),
    "results by number": (side("a", changed(_3="8")), side("b", changed(_4="9")), []),
}  # fmt: skip


@pytest.mark.parametrize(("first", "second", "expected"), CASES.values(), ids=CASES)
def test_what_clashes(first: Side, second: Side, expected: list[tuple[str, str, str]]) -> None:
    found = clashes(BASE, [first, second])
    assert [(one.kind, one.what, one.how) for one in found] == expected
    if not expected:
        merge(BASE, [first, second])
        return
    with pytest.raises(Refused) as caught:
        merge(BASE, [first, second])
    assert caught.value.code == "two-versions"
    assert "steps a and b" in caught.value.message
    assert expected[0][1] in caught.value.message
    assert "--pin a b" in caught.value.fix


def test_the_merged_state_holds_what_each_changed() -> None:
    first = replace(changed("y", w="8"), files={"a": FILE}, lost={"g": Lost("generator", "r")}, sizes={"s": 1})
    second = replace(changed(z="9"), carriers={"options": "q"}, files={"b": FILE}, removed=("a",), count=6, sizes={"t": 2})
    found = merge(BASE, [side("a", first), side("b", second)])
    assert dict(found.names) == {"x": "1", "w": "8", "z": "9"}
    assert set(found.components) == {"1", "8", "9"}
    assert set(found.lost) == {"g"}
    assert dict(found.carriers) == {"options": "q"}
    assert dict(found.files) == {"b": FILE}
    assert (found.removed, found.count, dict(found.sizes)) == (("a",), 6, {"s": 1, "t": 2})


def test_an_account_is_read_again_and_an_old_one_asked_for_everything() -> None:
    found = Account({"x": "1"}, {"y": "2"}, ("z",), ("random",), ("f",), ("x", "q"), everything=True)
    assert Account.from_json(found.to_json()) == found
    assert not Account.from_json(replace(found, everything=False).to_json()).everything
    assert Account.from_json({"delivered": {}, "changed": {}, "removed": [], "carriers": [], "files": []}).everything


STEP = st.lists(st.tuples(st.sampled_from("pqrs"), st.sampled_from("pqrs"), st.integers(0, 2)), max_size=3)


def ran(before: State, program: list[tuple[str, str, int]]) -> Side:
    """Each statement is ``target = f(source, n)``: a value is the text of how it came about."""
    names, asked, own = dict(before.names), set[str](), set[str]()
    for target, source, number in program:
        asked |= {source} - own
        own.add(target)
        names[target] = f"f({names.get(source)},{number})"
    after = state(names)
    return Side(
        "s", after, replace(account(before, after, {n: before.names[n] for n in asked if n in before.names}), asked=tuple(asked))
    )


@law
@given(st.lists(STEP, min_size=2, max_size=4))
def test_sides_without_a_clash_are_as_good_as_in_order(programs: list[list[tuple[str, str, int]]]) -> None:
    base = state({"p": "1", "q": "2"})
    sides = [ran(base, program) for program in programs]
    if clashes(base, sides):
        return
    ordered = base
    for program in programs:
        ordered = ran(ordered, program).state
    assert dict(merge(base, sides).names) == dict(ordered.names)

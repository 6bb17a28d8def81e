"""Negative controls: one rule of the analysis is taken out at a time, and a judge must notice on a case of the corpus."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from judges import expectations, isolation, oracle
from test_dataflow import CASES, analyze

from jupyter_mlops.dataflow import memory
from jupyter_mlops.dataflow.bindings import Bindings
from jupyter_mlops.dataflow.calls import Calls
from jupyter_mlops.dataflow.facts import Bind, CellFacts, Definition
from jupyter_mlops.dataflow.flow import Arm, Flow
from jupyter_mlops.dataflow.groups import Groups
from jupyter_mlops.dataflow.magics import Magics
from jupyter_mlops.dataflow.names import Names
from jupyter_mlops.dataflow.scopes import Free, Scopes
from jupyter_mlops.notebook.document import Cell

NONE: frozenset[str] = frozenset()
Patch = pytest.MonkeyPatch


def after_scan(patch: Patch, change: Callable[[CellFacts], CellFacts]) -> None:
    scan = memory.scan
    patch.setattr(memory, "scan", lambda cell, above: change(scan(cell, above)))


def of_definitions(patch: Patch, change: Callable[[Definition], Definition]) -> None:
    """Before anybody uses the definition."""
    bind = Names.bind

    def changed(self: Names, name: str, **options: Any) -> None:
        if options.get("code"):
            options["code"] = change(options["code"])
        bind(self, name, **options)

    patch.setattr(Names, "bind", changed)


def one_after_the_other(self: Flow, arms: list[Arm], *, exhaustive: bool) -> None:
    for arm in arms:
        arm()


def certain(facts: CellFacts) -> CellFacts:
    for bind in facts.defs.values():
        assert isinstance(bind, Bind)
        bind.certain = True
    return facts


SABOTAGES: dict[str, tuple[Callable[[Patch], None], str]] = {
    "versions by mutation": (lambda patch: after_scan(patch, lambda f: replace(f, mutations=NONE, carried=NONE)), "isolation"),
    "names read when called": (
        lambda patch: patch.setattr(Scopes, "free", lambda _self, _node: Free(NONE, NONE, NONE)),
        "isolation",
    ),
    "names read by the definition": (
        lambda patch: of_definitions(patch, lambda d: replace(d, eager=NONE, types=NONE, beside=NONE)),
        "isolation",
    ),
    "classes of values": (lambda patch: patch.setattr(Names, "classes_in_play", lambda _self: NONE), "isolation"),
    "groups of names": (lambda patch: patch.setattr(Groups, "join", lambda _self, _names: None), "isolation"),
    "a conditional bind passes the old value on": (lambda patch: after_scan(patch, certain), "isolation"),
    "joins of branches": (lambda patch: patch.setattr(Flow, "branches", one_after_the_other), "isolation"),
    "globals that a call writes": (lambda patch: patch.setattr(Calls, "_effects", lambda *_: set()), "isolation"),
    "parameters that a function changes": (
        lambda patch: of_definitions(patch, lambda d: replace(d, mutates_params=NONE)),
        "isolation",
    ),
    "files": (lambda patch: after_scan(patch, lambda f: replace(f, writes_files=NONE)), "isolation"),
    "code inside magics": (lambda patch: patch.setattr(Magics, "_inline", lambda *_, **__: None), "isolation"),
    "stores into subscripts": (lambda patch: patch.setattr(Bindings, "_store_into", lambda *_: None), "oracle"),
    "loops may run zero times": (
        lambda patch: patch.setattr("jupyter_mlops.dataflow.flow._surely_runs", lambda _iterable: True),
        "expectations",
    ),
}
"""Rule → how it is taken out, and the judge that must notice."""

JUDGES: dict[str, Callable[[dict[str, Any]], list[str]]] = {
    "expectations": lambda case: [expectations.judge(case, analyze).status],
    "oracle": lambda case: [oracle.judge(case, analyze, condition).status for condition in (True, False)],
    "isolation": lambda case: [isolation.judge(case, analyze, condition).status for condition in (True, False)],
}


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan made before would hide what was taken out, and one made now would outlive it."""
    real = memory.Memory.scan
    monkeypatch.setattr(memory.Memory, "scan", lambda _self, cell, above: real(memory.Memory(0), cell, above))


def noticed(judge: str) -> str:
    """The first case that the judge calls wrong."""
    return next((case["name"] for case in CASES if "wrong" in JUDGES[judge](case)), "")


@pytest.mark.parametrize("rule", SABOTAGES)
def test_a_judge_notices_that_a_rule_is_missing(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    break_it, judge = SABOTAGES[rule]
    break_it(monkeypatch)
    assert noticed(judge), f"no case fails without: {rule}"


def test_each_judge_is_content_when_nothing_is_missing() -> None:
    assert analyze(["x = 1", "x"]).edges
    assert memory.scan(Cell(0, "code", "x = 1"), memory.Above()).defs
    for judge, ask in JUDGES.items():
        assert [case["name"] for case in CASES[:12] if "wrong" in ask(case)] == [], judge

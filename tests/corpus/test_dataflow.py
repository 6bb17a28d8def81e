"""The corpus against the analysis: what cells read, bind and change, judged by hand, by tracing, and by running cells alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from judges import controls, expectations, isolation, oracle
from judges.protocol import Analysis, CellFacts, Edge, Verdict

from jupyter_mlops.dataflow.link import analyse
from jupyter_mlops.notebook.document import Cell

HERE = Path(__file__).parent
CASES: list[dict[str, Any]] = json.loads((HERE / "dataflow_cases.json").read_text())
HARD: list[dict[str, Any]] = json.loads((HERE / "hard_cases.json").read_text())

NOT_YET: dict[str, str] = {}
"""Case → the rule that it lacks. Empty: every case is handled."""

UNREADABLE = {
    "run-is-opaque": "opaque",
    "dynamic-namespace": "dynamic",
    "history-names": "history",
    "exec_eval": "dynamic",
    "underscore": "history",
}
"""Cases that cannot be read off the source: the analysis has to say so itself, with this flag."""


def analyze(sources: list[str]) -> Analysis:
    """Our analysis in the judges' words."""
    found = analyse([Cell(index, "code", source) for index, source in enumerate(sources)])
    return Analysis(
        edges=[Edge(flow.source, flow.target, flow.names, flow.kind) for flow in found.flows],
        groups=[facts.groups for facts in found.facts],
        cells=[
            CellFacts(
                defs=frozenset(facts.defs),
                refs=facts.refs,
                mutations=facts.mutations,
                conditional=facts.conditional,
                closure_refs=facts.closure_refs,
                type_refs=facts.type_refs,
                deletes=facts.deletes,
                deferred=facts.deferred,
                stars=facts.stars,
                setup=facts.setup,
                requirements=facts.requirements,
                reads_files=facts.reads_files,
                writes_files=facts.writes_files,
                flags=facts.flags,
            )
            for facts in found.facts
        ],
        unresolved=found.unresolved,
    )


def cases(*lists: list[dict[str, Any]]) -> list[Any]:
    """Parameters with the case's name as id; one that is not handled yet is a strict expected failure."""
    return [
        pytest.param(
            case,
            id=case["name"],
            marks=[pytest.mark.xfail(strict=True, reason=NOT_YET[case["name"]])] if case["name"] in NOT_YET else [],
        )
        for listed in lists
        for case in listed
    ]


def accept(verdict: Verdict) -> None:
    """Right, or the notebook stops by design, or the analysis has said which cell it cannot read."""
    if verdict.status == "skipped":
        pytest.skip("needs a newer Python")
    if verdict.status == "flagged":
        assert verdict.case in UNREADABLE, verdict
    else:
        assert verdict.status in {"ok", "stops"}, verdict


def hard(case: dict[str, Any]) -> dict[str, Any]:
    """A hard case in the shape of a data-flow case: nothing is left undefined on purpose."""
    return {**case, "expect": {**case["expect"], "unresolved": {}}}


@pytest.mark.parametrize("case", cases(CASES))
def test_what_a_person_wrote_down(case: dict[str, Any]) -> None:
    accept(expectations.judge(case, analyze))


@pytest.mark.parametrize("condition", [True, False])
@pytest.mark.parametrize("case", cases(CASES, HARD))
def test_what_a_run_shows(case: dict[str, Any], condition: bool) -> None:
    accept(oracle.judge(hard(case) if "outcome" in case["expect"] else case, analyze, condition))


@pytest.mark.parametrize("condition", [True, False])
@pytest.mark.parametrize("case", cases(CASES, HARD))
def test_each_cell_alone_equals_the_whole(case: dict[str, Any], condition: bool) -> None:
    accept(isolation.judge(hard(case) if "outcome" in case["expect"] else case, analyze, condition))


@pytest.mark.parametrize("case", [case for case in CASES + HARD if case["name"] in UNREADABLE], ids=lambda case: case["name"])
def test_what_cannot_be_read_is_said_with_cell_and_line(case: dict[str, Any]) -> None:
    found = analyse([Cell(index, "code", source) for index, source in enumerate(case["cells"])])
    said = {(d.code, d.cell, d.line) for d in found.diagnostics if d.severity == "warning"}
    flagged = next(facts for facts in found.facts if facts.flags)
    assert UNREADABLE[case["name"]] in flagged.flags
    assert (UNREADABLE[case["name"]], flagged.cell, 1) in said
    if "diagnostic" in case["expect"]:
        assert (flagged.cell, 1) == (case["expect"]["diagnostic"]["cell"], case["expect"]["diagnostic"]["line"])


@pytest.mark.parametrize("case", [case for case in HARD if case["expect"]["outcome"] == "stops"], ids=lambda case: case["name"])
def test_a_stop_that_can_be_foreseen_is_named_at_its_line(case: dict[str, Any]) -> None:
    stops = case["expect"]["stops"]
    found = analyse([Cell(index, "code", source) for index, source in enumerate(case["cells"])])
    said = [(d.code, d.severity, d.cell, d.line) for d in found.diagnostics]
    if stops["error"] == "SyntaxError":
        assert said[0] == ("syntax-error", "error", stops["cell"], stops["line"])
    elif stops["error"] == "NameError":
        assert len(said) == 1
        assert said[0][0] in {"undefined-name", "deleted-name", "bound-later"}
        assert said[0][1:] == ("warning", stops["cell"], stops["line"])
    else:  # what raises is for the run to find
        assert said == []


MISSED = {
    "class-and-instance": [(0, 2, "rate"), (0, 4, "rate")],  # guards a call of the method that does not come
    "del-then-use": [(0, 1, "x")],  # a notebook that stops
}
"""Names that the run of a case does not need, so that no judge can miss them."""


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in CASES if case["expect"]["edges"]], ids=lambda case: case["name"])
def test_the_judges_notice_each_name_that_is_not_carried(case: dict[str, Any]) -> None:
    if oracle.too_new(case) or controls.noticed(case, analyze):
        pytest.skip("not judged, or flagged as it is")
    analysis = analyze(case["cells"])
    missed = [
        (edge.source, edge.target, name)
        for index, edge in enumerate(analysis.edges)
        for name in sorted(edge.names)
        if not controls.noticed(case, lambda _, i=index, n=name: controls.without(analysis, i, n))
    ]
    assert missed == MISSED.get(case["name"], [])

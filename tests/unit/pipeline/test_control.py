"""Control flow in the plan: what is refused with its cell, where a step without cells is put in, what reaches a step."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_mlops.errors import Refused
from jupyter_mlops.pipeline.control import names_in
from jupyter_mlops.pipeline.pipeline import Pipeline
from jupyter_mlops.pipeline.plan import plan
from jupyter_mlops.workflow.tasks import task, turns, wanted_parameters
from tests.unit.notebook_building import notebook

Cell = tuple[str, dict[str, Any]]


def planned(*cells: Cell) -> Pipeline:
    """Cells with their options; a list ``tags`` among these is the cell's tags."""
    made = [
        (source, {"mlops": {k: v for k, v in own.items() if k != "tags"}, "tags": own.get("tags", [])}) for source, own in cells
    ]
    return plan(notebook(*made))


LOAD: Cell = ("rates = [1, 2]\nscore, kept = 0.5, []", {"step": "load"})
SHOW: Cell = ("print(1)", {"step": "show"})


@pytest.mark.parametrize(
    ("cells", "cell", "line", "words"),
    [
        ([LOAD, ("x = rate", {"step": "a", "each": "rate in ratess"})], 1, None, "reads ratess, which no earlier step binds"),
        ([("rates = [1]\nx = rate", {"step": "a", "each": "rate in rates"})], 0, None, "reads rates"),
        ([LOAD, ("x = 1\nrate = 2", {"step": "a", "each": "rate in rates"})], 1, 2, "binds rate, the item"),
        ([LOAD, ("x = 1\nkept.append(rate)", {"step": "a", "each": "rate in rates"})], 1, 2, "changes kept in place"),
        ([LOAD, ("x = 1", {"step": "a", "each": "rate in rates", "when": "score"})], 1, None, "each and when"),
        ([LOAD, ("x = 1", {"step": "a", "when": "score", "finally": True})], 1, None, "when and finally"),
        ([LOAD, ("x = 1", {"step": "a", "finally": True}), SHOW], 1, None, "step show follows it"),
        ([LOAD, ("x = 1", {"step": "a", "when": "nothing > 1"})], 1, None, "reads nothing"),
    ],
)
def test_what_has_no_meaning_is_refused_with_its_cell(cells: list[Cell], cell: int, line: int | None, words: str) -> None:
    with pytest.raises(Refused) as caught:
        planned(*cells)
    found = next(x for x in caught.value.diagnostics if x.code == "control-flow")
    assert (found.cell, found.severity) == (cell, "error")
    assert line is None or found.line == line
    assert words in found.message
    assert found.fix


@pytest.mark.parametrize(
    "cells",
    [
        [LOAD, ("mine = list(kept)\nmine.append(rate)", {"step": "a", "each": "rate in rates"})],
        [LOAD, ("x = rate", {"step": "a", "each": "rate in [r * 2 for r in rates if r]"})],
        [LOAD, ("x = rate", {"step": "a", "each": {"rate": "range(len(rates))"}})],
        [("from os import *", {"step": "load"}), ("x = rate", {"step": "a", "each": "rate in sep"})],
        [("rates = [1]", {"step": "a", "tags": ["parameters"], "each": "rate in rates"}), ("x = rate", {"step": "a"})],
        [LOAD, ("x = rate", {"step": "a", "each": "rate in rates"}), ("y = z", {"step": "b", "each": "z in rate"})],
    ],
)
def test_what_has_one_is_not(cells: list[Cell]) -> None:
    assert [found for found in planned(*cells).diagnostics if found.code == "control-flow"] == []


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        ([LOAD, ("x = rate", {"step": "a", "each": "rate in rates"}), SHOW], ["load", "a", "show"]),
        ([("x = rate", {"step": "a", "each": "rate in [1, 2]"}), SHOW], ["a", "show"]),
        ([("n = 1", {"step": "a", "tags": ["parameters"], "when": "n"}), SHOW], ["before-a", "a", "show"]),
        (
            [LOAD, ("x = 1", {"step": "a", "when": "score"}), ("y = 1", {"step": "b", "when": "score"}), SHOW],
            ["load", "a", "before-b", "b", "show"],
        ),
        (
            [LOAD, ("x = rate", {"step": "a", "each": "rate in rates"}), ("y = z", {"step": "b", "each": "z in [1]"}), SHOW],
            ["load", "a", "before-b", "b", "show"],
        ),
        ([LOAD, ("x = 1", {"step": "a", "when": "score"}), ("y = 1", {"step": "b", "finally": True})], ["load", "a", "b"]),
    ],
)
def test_an_expression_that_no_step_can_read_gets_one(cells: list[Cell], names: list[str]) -> None:
    pipeline = planned(*cells)
    assert [step.name for step in pipeline.steps] == names
    assert all((step.cells == ()) == step.name.startswith("before-") for step in pipeline.steps)


def test_no_tag_of_a_task_that_may_not_have_run_is_written() -> None:
    pipeline = planned(
        LOAD,
        ("x = rate", {"step": "a", "each": "rate in rates"}),
        ("s = 1", {"step": "c"}),
        ("y = 1", {"step": "b", "when": "s"}),
        SHOW,
    )
    made = [task(turn, "t") for turn in turns(pipeline)]
    assert [found.get("depends") for found in made] == [
        None, "load.Succeeded", "(a.Succeeded || a.Skipped)", "c.Succeeded", "(b.Succeeded || b.Skipped)",
    ]  # fmt: skip
    text = str(made)
    assert "tasks.a.outputs" not in text
    assert "tasks.b.outputs" not in text
    assert made[1]["withParam"] == "{{tasks.load.outputs.parameters.items}}"
    assert made[3]["when"] == "{{tasks.c.outputs.parameters.go}} == true"


def test_a_step_is_given_the_parameters_it_uses_and_no_other() -> None:
    pipeline = planned(
        ("rates = [1]\nlimit = 2", {"step": "load", "tags": ["parameters"]}),
        ("x = rate", {"step": "a", "each": "rate in rates"}),
        ("y = 1", {"step": "b"}),
        ("late = 3", {"step": "c", "tags": ["parameters"], "when": "late > 1"}),
    )
    found = {turn.step.name: wanted_parameters(pipeline, turn) for turn in turns(pipeline)}
    assert found == {"load": ("rates", "limit"), "a": (), "b": ("late",), "c": ("late",)}


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("a < 1 and len(b)", {"a", "b"}),
        ("[x * k for x in xs]", {"k", "xs"}),
        ("(lambda v: v + w)(1)", {"w"}),
        ("a.b.c(d)['e']", {"a", "d"}),
        ("1", set()),
    ],
)
def test_names_that_an_expression_reads(expression: str, names: set[str]) -> None:
    assert names_in(expression) == names

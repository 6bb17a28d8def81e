"""Steps made one in a notebook that is open: the smallest edits of its cells, and nothing written."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.notebook_building import document

NAMED: tuple[Any, ...] = (
    ("raw = 1", ["step:load"]),
    ("mid = raw", ["step:clean"]),
    ("fit = raw + mid", ["step:train"]),
    ("fit", ["step:test"]),
)


def steps(body: dict[str, Any]) -> list[tuple[str, list[int]]]:
    return [(step["name"], step["cells"]) for step in body["steps"]]


def opened(*cells: Any) -> dict[str, Any]:
    """A notebook as JupyterLab has it: each cell has an id."""
    content = document(*cells, metadata={})
    for index, cell in enumerate(content["cells"]):
        cell["id"] = f"c{index}"
    return content


@pytest.mark.parametrize(
    ("first", "last", "left"),
    [
        ("load", "clean", [("load", [0, 1]), ("train", [2]), ("test", [3])]),
        ("load", "train", [("load", [0, 1, 2]), ("test", [3])]),
        ("clean", "test", [("load", [0]), ("clean", [1, 2, 3])]),
    ],
)
async def test_the_edits_give_the_steps_that_are_asked_for(
    call: Any, first: str, last: str, left: list[tuple[str, list[int]]]
) -> None:
    content = opened(*NAMED)
    answer = await call("POST", "/joins", {"path": "a.ipynb", "content": content, "first": first, "last": last}, schema="CellEdits")
    for edit in answer.body["edits"]:
        assert content["cells"][edit["cell"]]["metadata"] != edit["metadata"]
        assert "".join(content["cells"][edit["cell"]]["source"]) == edit["source"]
        content["cells"][edit["cell"]]["metadata"] = edit["metadata"]
    after = await call("POST", "/convert", {"path": "a.ipynb", "content": content})
    assert steps(after.body) == left


@pytest.mark.parametrize(("first", "last"), [("train", "load"), ("load", "load"), ("load", "nobody"), ("nobody", "load")])
async def test_steps_that_do_not_follow_are_refused_with_those_that_are_there(call: Any, first: str, last: str) -> None:
    body = {"path": "a.ipynb", "content": opened(*NAMED), "first": first, "last": last}
    answer = await call("POST", "/joins", body, schema="Error")
    assert answer.status == 400
    assert "load, clean, train, test" in answer.body["message"]
    assert answer.body["fix"]


async def test_a_notebook_that_cannot_be_planned_is_refused_with_its_findings(call: Any) -> None:
    body = {"path": "a.ipynb", "content": opened("b = = 2"), "first": "a", "last": "b"}
    answer = await call("POST", "/joins", body, schema="Error")
    assert answer.status == 422
    assert answer.body["diagnostics"]

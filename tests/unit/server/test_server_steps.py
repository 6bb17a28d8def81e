"""Steps changed in a notebook that is open: the smallest edits of its cells, and nothing written."""

from __future__ import annotations

import json
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


async def edited(call: Any, content: dict[str, Any], change: dict[str, Any]) -> Any:
    """The answer; the edits are done to the document, and each of them changes its cell."""
    answer = await call("POST", "/steps", {"path": "a.ipynb", "content": content, "change": change}, schema="CellEdits")
    assert answer.status == 200, answer.body
    for edit in answer.body["edits"]:
        cell = content["cells"][edit["cell"]]
        assert (cell["metadata"], "".join(cell["source"])) != (edit["metadata"], edit["source"])
        cell["metadata"], cell["source"] = edit["metadata"], edit["source"]
    return answer


async def converted(call: Any, content: dict[str, Any]) -> Any:
    return (await call("POST", "/convert", {"path": "a.ipynb", "content": content})).body


@pytest.mark.parametrize(
    ("change", "left", "cells"),
    [
        ({"do": "join", "first": "load", "last": "clean"}, [("load", [0, 1]), ("train", [2]), ("test", [3])], [1]),
        ({"do": "join", "first": "load", "last": "train"}, [("load", [0, 1, 2]), ("test", [3])], [1, 2]),
        ({"do": "join", "first": "clean", "last": "test"}, [("load", [0]), ("clean", [1, 2, 3])], [2, 3]),
        ({"do": "rename", "step": "clean", "name": "wash"}, [("load", [0]), ("wash", [1]), ("train", [2]), ("test", [3])], [1]),
        ({"do": "rename", "step": "clean", "name": "clean"}, [("load", [0]), ("clean", [1]), ("train", [2]), ("test", [3])], []),
    ],
)
async def test_the_edits_give_the_steps_that_are_asked_for(
    call: Any, change: dict[str, Any], left: list[tuple[str, list[int]]], cells: list[int]
) -> None:
    content = opened(*NAMED)
    answer = await edited(call, content, change)
    assert [edit["cell"] for edit in answer.body["edits"]] == cells
    assert steps(await converted(call, content)) == left


@pytest.mark.parametrize(("name", "left"), [("", [("load", [0]), ("load-2", [1, 2])]), ("tidy", [("load", [0]), ("tidy", [1, 2])])])
async def test_a_step_begins_at_a_cell_and_joining_takes_it_back(call: Any, name: str, left: list[tuple[str, list[int]]]) -> None:
    content = opened(("raw = 1", ["step:load"]), "mid = raw", "fit = mid")
    before = json.dumps(content)
    await edited(call, content, {"do": "split", "cell": 1, **({"name": name} if name else {})})
    assert steps(await converted(call, content)) == left
    await edited(call, content, {"do": "join", "first": "load", "last": left[1][0]})
    assert json.dumps(content) == before


async def test_an_order_is_pinned_shown_and_taken_back(call: Any) -> None:
    content = opened(("a = 1", ["step:fill"]), ("b = 2", ["step:read"]))
    before = json.dumps(content)
    assert "pins" not in (await converted(call, content))["steps"][1]
    await edited(call, content, {"do": "pin", "first": "fill", "last": "read"})
    assert content["cells"][1]["metadata"]["tags"] == ["step:read", "prev:fill"]
    step = (await converted(call, content))["steps"][1]
    assert (step["pins"], step["needs"]) == (["fill"], ["fill"])
    assert (await edited(call, content, {"do": "pin", "first": "fill", "last": "read"})).body["edits"] == []
    await edited(call, content, {"do": "unpin", "first": "fill", "last": "read"})
    assert json.dumps(content) == before


@pytest.mark.parametrize(
    ("cells", "left", "changed"),
    [
        ([1], [("load", [0]), ("train", [2, 3])], [1]),
        ([2, 3], [("load", [0]), ("clean", [1])], [2, 3]),
        ([2], [("load", [0]), ("clean", [1]), ("train", [3])], [2, 3]),
        ([3], [("load", [0]), ("clean", [1]), ("train", [2])], [3]),
    ],
)
async def test_cells_are_left_out_and_the_others_stay_where_they_are(
    call: Any, cells: list[int], left: list[tuple[str, list[int]]], changed: list[int]
) -> None:
    content = opened(("raw = 1", ["step:load"]), ("raw", ["step:clean"]), ("raw", ["step:train"]), "print(2)")
    before = await converted(call, content)
    answer = await edited(call, content, {"do": "skip", "cells": cells})
    assert [edit["cell"] for edit in answer.body["edits"]] == changed
    assert steps(await converted(call, content)) == left
    assert (await edited(call, content, {"do": "skip", "cells": cells})).body["edits"] == []
    await edited(call, content, {"do": "unskip", "cells": cells})
    assert steps(await converted(call, content)) == steps(before)


async def test_a_pin_on_a_step_that_is_left_out_is_no_obstacle(call: Any) -> None:
    content = opened(("a = 1", ["step:fill"]), ("b = 2", ["step:read", "prev:fill"]))
    await edited(call, content, {"do": "skip", "cells": [0]})
    assert steps(await converted(call, content)) == [("read", [1])]
    await edited(call, content, {"do": "unskip", "cells": [0]})
    assert (await converted(call, content))["steps"][1]["pins"] == ["fill"]


async def test_a_cell_that_spoils_the_notebook_can_be_left_out(call: Any) -> None:
    content = opened("a = 1", "b = = 2")
    await edited(call, content, {"do": "skip", "cells": [1]})
    assert [cell["metadata"] for cell in content["cells"]] == [{}, {"mlops": {"skip": True}}]
    assert len((await converted(call, content))["steps"]) == 1


async def test_a_tag_that_leaves_a_cell_out_goes_too(call: Any) -> None:
    content = opened("a = 1", ("b = 2", ["keep", "skip"]))
    assert (await edited(call, content, {"do": "skip", "cells": [1]})).body["edits"] == []
    await edited(call, content, {"do": "unskip", "cells": [1]})
    assert content["cells"][1]["metadata"] == {"tags": ["keep"]}


async def test_a_key_is_set_and_taken_out(call: Any) -> None:
    content = opened(*NAMED)
    before = json.dumps(content)
    await edited(call, content, {"do": "set", "cell": 2, "key": "gpu", "value": 1})
    assert (await converted(call, content))["steps"][2]["options"] == {"gpu": 1}
    assert (await edited(call, content, {"do": "set", "cell": 2, "key": "gpu", "value": 1})).body["edits"] == []
    await edited(call, content, {"do": "set", "cell": 2, "key": "gpu", "value": None})
    assert json.dumps(content) == before
    assert (await edited(call, content, {"do": "set", "cell": 2, "key": "gpu", "value": None})).body["edits"] == []


async def test_a_line_of_options_keeps_them(call: Any) -> None:
    content = opened("%%step load --cpu 2\nraw = 1", ("raw", ["step:show"]))
    await edited(call, content, {"do": "rename", "step": "load", "name": "fetch"})
    assert content["cells"][0]["source"] == "%%step fetch --cpu 2\nraw = 1"


async def test_names_are_taken_back_where_they_are_the_trouble(call: Any) -> None:
    content = opened(("a = 1", ["step:x"]), ("b = 2", ["step:y"]), ("c = 3", ["step:x"]))
    refused = await call("POST", "/convert", {"path": "a.ipynb", "content": content}, schema="Error")
    assert refused.status == 422
    await edited(call, content, {"do": "reset"})
    assert all(not cell["metadata"] for cell in content["cells"])
    assert (await converted(call, content))["steps"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        *(
            ({"do": "join", "first": first, "last": last}, "load, clean, train, test")
            for first, last in [("train", "load"), ("load", "load"), ("load", "nobody"), ("nobody", "load")]
        ),
        ({"do": "split", "cell": 1}, "begins at cell 1 already"),
        ({"do": "split", "cell": 9}, "no step runs cell 9"),
        ({"do": "split", "cell": 4, "name": "load"}, "a step load already"),
        ({"do": "rename", "step": "clean", "name": "load"}, "a step load already"),
        ({"do": "rename", "step": "nobody", "name": "x"}, "no step nobody"),
        ({"do": "rename", "step": "clean", "name": "!!"}, "cannot be the name"),
        ({"do": "pin", "first": "train", "last": "load"}, "does not come before"),
        ({"do": "unpin", "first": "load", "last": "train"}, "no tag pins"),
        ({"do": "skip", "cells": [1, 9]}, "cell 9 is no code cell"),
        ({"do": "unskip", "cells": [-1]}, "cell -1 is no code cell"),
        ({"do": "set", "cell": 9, "key": "gpu", "value": 1}, "cell 9 is no code cell"),
        ({"do": "set", "cell": 1, "key": "gpus", "value": 1}, "no cell has the key 'gpus'"),
        ({"do": "set", "cell": 1, "key": "file_limit", "value": "1Gi"}, "no cell has the key 'file_limit'"),
        ({"do": "set", "cell": 1, "key": "gpu", "value": -1}, "gpu of cell 1"),
        ({"do": "set", "cell": 1, "key": "gpu"}, "value"),
        ({"do": "paint"}, "paint"),
        ({"do": "split"}, "cell"),
        ({}, "do"),
    ],
)
async def test_what_cannot_be_is_refused_with_words_and_a_fix(call: Any, change: dict[str, Any], words: str) -> None:
    body = {"path": "a.ipynb", "content": opened(*NAMED, "more = fit"), "change": change}
    answer = await call("POST", "/steps", body, schema="Error")
    assert answer.status == 400
    assert words in answer.body["message"]
    assert answer.body["fix"]


async def test_a_notebook_that_cannot_be_planned_is_refused_with_its_findings(call: Any) -> None:
    body = {"path": "a.ipynb", "content": opened("b = = 2"), "change": {"do": "split", "cell": 0}}
    answer = await call("POST", "/steps", body, schema="Error")
    assert answer.status == 422
    assert answer.body["diagnostics"]

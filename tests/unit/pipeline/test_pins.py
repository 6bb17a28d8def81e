"""Pin and unpin an order: what is written, what the plan makes of it, and that edits of steps take pins along."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jupyter_mlops.errors import WrongUsage
from jupyter_mlops.notebook.document import Notebook
from jupyter_mlops.notebook.read import parse
from jupyter_mlops.pipeline.edit import applied, join, pin, rename, split, unpin, write
from jupyter_mlops.pipeline.pipeline import Pipeline
from jupyter_mlops.pipeline.plan import plan
from tests.unit.notebook_building import Spec, document, notebook

FREE: list[Spec] = [
    "md:# Load data",
    "x = [1, 2]\nprint(x)",
    "md:# Left",
    "y = sum(x)\nprint(y)",
    "md:# Right",
    "z = max(x)\nprint(z)",
]


def read(raw: dict[str, Any]) -> Notebook:
    return parse(json.dumps(raw), "test.ipynb")


def tags(raw: dict[str, Any]) -> list[list[str]]:
    return [cell["metadata"].get("tags", []) for cell in raw["cells"] if cell["cell_type"] == "code"]


def needs(pipeline: Pipeline) -> dict[str, tuple[str, ...]]:
    return {step.name: step.needs for step in pipeline.steps}


def test_a_pin_is_one_tag_a_need_and_no_branch() -> None:
    raw = document(*FREE)
    before = plan(read(raw))
    assert ("left", "right") in before.independent
    found = read(raw)
    after = applied(raw, pin(found, before, "left", "right"))
    assert tags(after) == [[], [], ["prev:Left"]]
    planned = plan(read(after))
    assert needs(planned) == {"load-data": (), "left": ("load-data",), "right": ("load-data", "left")}
    assert not [pair for pair in planned.independent if pair == ("left", "right")]
    assert pin(read(after), planned, "left", "right") == ()
    back = applied(after, unpin(read(after), planned, "left", "right"))
    assert back == raw


def test_one_of_several_names_of_a_tag_is_taken_back() -> None:
    raw = document(FREE[1], ("y = 1", ["step:a"]), ("z = 2", ["step:b"]), ("w = 3", ["step:c", "keep", "prev:a;b"]))
    found = read(raw)
    after = applied(raw, unpin(found, plan(found), "a", "c"))
    assert tags(after)[-1] == ["step:c", "keep", "prev:b"]


@pytest.mark.parametrize(
    ("change", "first", "second", "message"),
    [
        (pin, "left", "nowhere", "there is no step nowhere"),
        (pin, "right", "left", "right does not come before left"),
        (pin, "left", "left", "left does not come before left"),
        (unpin, "left", "right", "no tag pins right behind left"),
    ],
)
def test_what_cannot_be_pinned_is_refused(change: Any, first: str, second: str, message: str) -> None:
    found = notebook(*FREE)
    with pytest.raises(WrongUsage, match=message) as caught:
        change(found, plan(found), first, second)
    assert caught.value.fix


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (
            lambda now: rename(now, "left", "one side"),
            {"load-data": (), "one-side": ("load-data",), "right": ("load-data", "one-side")},
        ),
        (lambda now: split(now, 3, "apart"), None),
        (lambda now: join(now, "load-data", "left"), {"load-data": (), "right": ("load-data",)}),
        (lambda now: join(now, "left", "right"), {"load-data": (), "left": ("load-data",)}),
    ],
    ids=["renamed", "split where it begins", "joined with another", "joined with its own"],
)
def test_pins_follow_the_steps(wanted: Any, expected: dict[str, tuple[str, ...]] | None) -> None:
    raw = document(*FREE)
    raw = applied(raw, pin(read(raw), plan(read(raw)), "left", "right"))
    if expected is None:
        with pytest.raises(WrongUsage):
            wanted(plan(read(raw)))
        return
    after = applied(raw, write(read(raw), wanted(plan(read(raw)))))
    planned = plan(read(after))
    assert needs(planned) == expected
    assert not [one for one in planned.diagnostics if one.code in {"unknown-step", "cycle", "order-conflict"}]

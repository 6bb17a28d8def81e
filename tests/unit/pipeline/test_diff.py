"""What a change of a notebook does to its pipeline."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_mlops.notebook.document import Cell, Notebook
from jupyter_mlops.pipeline.diff import Diff, diff
from jupyter_mlops.pipeline.plan import plan


def notebook(*cells: tuple[str, str], **more: dict[str, Any]) -> Notebook:
    """Cells as (step, source); ``more`` is metadata of a step's first cell, a name in it for tags."""
    made = []
    for number, (step, source) in enumerate(cells):
        tags = [f"step:{step}"] if step else []
        options = more.get(step, {})
        made.append(
            Cell(
                number, "code", source, f"c{number}", {"tags": [*tags, *options.get("tags", [])], "mlops": options.get("mlops", {})}
            )
        )
    return Notebook("nb", tuple(made), {})


def compared(before: Notebook, after: Notebook) -> Diff:
    return diff((before, plan(before)), (after, plan(after)))


BASE = (("load", "x = 1"), ("clean", "y = x + 1"), ("train", "z = y"))


def changes(found: Diff) -> list[tuple[str, str, str]]:
    return [(step.name, step.change, step.before) for step in found.steps]


def test_nothing() -> None:
    found = compared(notebook(*BASE), notebook(*BASE))
    assert found.same
    assert found.to_json() == {
        "same": True,
        "steps": [
            {"name": name, "change": "same", "before": "", "cells": [n], "cells_before": [n], "lines": [], "options": {}, "reruns": False}
            for n, name in enumerate(("load", "clean", "train"))
        ],
        "links": {"added": [], "removed": []},
        "parameters": {},
        "reruns": [],
    }  # fmt: skip


CASES: dict[str, tuple[tuple[tuple[str, str], ...], list[tuple[str, str, str]], list[str]]] = {
    "a line": (
        (BASE[0], ("clean", "y = x + 2"), BASE[2]),
        [("load", "same", ""), ("clean", "changed", ""), ("train", "same", "")],
        ["clean", "train"],
    ),
    "a comment": (
        (BASE[0], ("clean", "y = x + 1  # more"), BASE[2]),
        [("load", "same", ""), ("clean", "changed", ""), ("train", "same", "")],
        [],
    ),
    "a new step at the end": (
        (*BASE, ("show", "print(z)")),
        [("load", "same", ""), ("clean", "same", ""), ("train", "same", ""), ("show", "added", "")],
        ["show"],
    ),
    "a step that is gone": (
        BASE[:2], [("load", "same", ""), ("clean", "same", ""), ("train", "removed", "")], ["load", "clean"]
    ),
    "another name": (
        (BASE[0], ("prepare", "y = x + 1"), BASE[2]),
        [("load", "same", ""), ("prepare", "renamed", "clean"), ("train", "same", "")],
        ["prepare", "train"],
    ),
    "another name and another thing": (
        (BASE[0], ("prepare", "import os"), BASE[2]),
        [("load", "same", ""), ("prepare", "added", ""), ("train", "same", ""), ("clean", "removed", "")],
        ["load", "prepare", "train"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_steps(name: str) -> None:
    cells, expected, again = CASES[name]
    found = compared(notebook(*BASE), notebook(*cells))
    assert not found.same
    assert changes(found) == expected
    assert found.to_json()["reruns"] == again


def test_lines_and_cells() -> None:
    before = notebook(("load", "a = 1"), ("load", "b = 2\nc = 3\nd = 4"), ("load", "e = 5"))
    after = notebook(("load", "a = 1"), ("load", "b = 2\nc = 30\nd = 4"), ("load", "e = 5"), ("load", "f = 6"))
    (step,) = compared(before, after).steps
    assert step.lines == ("@@ cell 1", " b = 2", "-c = 3", "+c = 30", " d = 4", "@@ cell 3", "+f = 6")


def test_a_cell_above_moves_what_is_below_and_changes_nothing_of_it() -> None:
    after = notebook(("first", "import os"), *BASE)
    found = compared(notebook(*BASE), after)
    assert changes(found) == [("first", "added", ""), ("load", "same", ""), ("clean", "same", ""), ("train", "same", "")]
    assert (found.steps[1].cells_before, found.steps[1].cells) == ((0,), (1,))


def test_links() -> None:
    found = compared(notebook(*BASE), notebook(BASE[0], BASE[1], ("train", "z = x")))
    assert (found.links_added, found.links_removed) == ((("load", "train", "x"),), (("clean", "train", "y"),))


def test_links_of_a_renamed_step_are_the_same_links() -> None:
    found = compared(notebook(*BASE), notebook(BASE[0], ("prepare", "y = x + 1"), BASE[2]))
    assert (found.links_added, found.links_removed) == ((), ())


def test_parameters() -> None:
    def tagged(source: str) -> Notebook:
        return notebook(("load", source), load={"tags": ["parameters"]})

    found = compared(tagged("n = 1\nold = 'a'"), tagged("n = 1.0\nnew = None"))
    assert found.to_json()["parameters"] == {
        "n": {"before": {"type": "int", "default": 1}, "after": {"type": "float", "default": 1.0}},
        "old": {"before": {"type": "str", "default": "a"}, "after": None},
        "new": {"before": None, "after": {"type": "none", "default": None}},
    }


def test_options() -> None:
    found = compared(notebook(*BASE), notebook(*BASE, train={"mlops": {"cpu": "2"}}))
    assert found.steps[2].change == "changed"
    assert found.to_json()["steps"][2]["options"] == {"cpu": {"before": None, "after": "2"}}
    assert found.to_json()["reruns"] == ["train"]

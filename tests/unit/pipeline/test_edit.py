"""Split, join and rename steps: what is written, and that planning again gives just what was wanted."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.errors import WrongUsage
from jupyter_mlops.notebook.document import Notebook
from jupyter_mlops.pipeline.edit import Wanted, applied, join, rename, reset, split, write
from jupyter_mlops.pipeline.plan import plan
from tests.unit.notebook_building import Spec, document, notebook

FREE: list[Spec] = ["md:# Load", "x = f()", "y = g(x)", "md:# Train", "m = fit(y)", "print(m)"]
TAGGED: list[Spec] = [
    ("x = 1", ["step:a", "keep"]),
    "y = x",
    ("z = y", {"mlops": {"step": "b", "gpu": 1}}),
    "%%step c --cpu 2\nw = z",
]


def read(raw: dict[str, Any]) -> Notebook:
    import json

    from jupyter_mlops.notebook.read import parse

    return parse(json.dumps(raw), "test.ipynb")


def edited(cells: list[Spec], wanted: Any) -> tuple[dict[str, Any], dict[str, tuple[int, ...]]]:
    """The document after the edit, and its steps."""
    raw = document(*cells)
    found = notebook(*cells)
    after = applied(raw, write(found, wanted(plan(found))))
    return after, {step.name: step.cells for step in plan(read(after)).steps}


def about(raw: dict[str, Any]) -> list[Any]:
    return [cell["metadata"] for cell in raw["cells"] if cell["cell_type"] == "code"]


def test_a_split_names_the_first_cell_of_each_step_and_no_other() -> None:
    raw, steps = edited(FREE, lambda now: split(now, 2, "clean"))
    assert steps == {"load": (1,), "clean": (2,), "train": (4, 5)}
    assert about(raw) == [{"mlops": {"step": "Load"}}, {"mlops": {"step": "clean"}}, {"mlops": {"step": "Train"}}, {}]


def test_a_split_without_a_name_is_called_after_its_step() -> None:
    _, steps = edited(FREE, lambda now: split(now, 5))
    assert steps == {"load": (1, 2), "train": (4,), "train-2": (5,)}


def test_joined_steps_have_the_name_of_the_first() -> None:
    raw, steps = edited(FREE, lambda now: join(now, "train", "load"))
    assert steps == {"load": (1, 2, 4, 5)}
    assert about(raw) == [{"mlops": {"step": "Load"}}, {}, {}, {}]


def test_a_name_is_changed_where_it_stands() -> None:
    raw, steps = edited(TAGGED, lambda now: rename(now, "a", "first one"))
    assert (about(raw)[0], steps) == ({"tags": ["step:first one", "keep"]}, {"first-one": (0, 1), "b": (2,), "c": (3,)})
    raw, steps = edited(TAGGED, lambda now: rename(now, "b", "second"))
    assert about(raw)[2] == {"mlops": {"step": "second", "gpu": 1}}
    raw, steps = edited(TAGGED, lambda now: rename(now, "c", "third one"))
    assert raw["cells"][3]["source"] == "%%step 'third one' --cpu 2\nw = z"
    assert list(steps) == ["a", "b", "third-one"]


def test_what_is_joined_loses_its_name_and_keeps_the_rest() -> None:
    raw, steps = edited(TAGGED, lambda now: join(now, "a", "b"))
    assert about(raw)[2] == {"mlops": {"gpu": 1}}
    raw, steps = edited(TAGGED, lambda now: join(now, "b", "c"))
    assert raw["cells"][3]["source"] == "%%step b --cpu 2\nw = z"
    assert steps == {"a": (0, 1), "b": (2, 3)}


def test_splitting_and_joining_leaves_the_notebook_as_it_was() -> None:
    raw, _ = edited(FREE, lambda now: split(now, 2, "clean"))
    found = read(raw)
    after = applied(raw, write(found, join(plan(found), "load", "clean")))
    assert after == document(*FREE)


def test_what_is_there_already_is_not_written() -> None:
    found = notebook(*FREE)
    assert write(found, rename(plan(found), "load", "Load")) == ()


def test_all_names_can_be_taken_back() -> None:
    raw, _ = edited(FREE, lambda now: split(now, 2, "clean"))
    assert applied(raw, reset(read(raw))) == document(*FREE)
    tagged = document(*TAGGED)
    after = applied(tagged, reset(read(tagged)))
    assert about(after) == [{"tags": ["keep"]}, {}, {"mlops": {"gpu": 1}}, {}]
    assert after["cells"][3]["source"].startswith("%%step c")


def test_the_form_of_a_source_stays() -> None:
    raw = document(*TAGGED)
    raw["cells"][3]["source"] = ["%%step c --cpu 2\n", "w = z"]
    before = copy.deepcopy(raw)
    found = read(raw)
    after = applied(raw, write(found, rename(plan(found), "c", "d")))
    assert after["cells"][3]["source"] == ["%%step d --cpu 2\n", "w = z"]
    assert (raw, after["cells"][:3]) == (before, raw["cells"][:3])


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (lambda now: split(now, 0, "x"), "no step runs cell 0"),
        (lambda now: split(now, 4, "x"), "begins at cell 4 already"),
        (lambda now: split(now, 2, "Train"), "a step train already"),
        (lambda now: join(now, "load", "load"), "the same"),
        (lambda now: join(now, "load", "nosuch"), "no step nosuch; there are load, train"),
        (lambda now: rename(now, "nosuch", "x"), "no step nosuch"),
        (lambda now: rename(now, "load", "train"), "a step train already"),
        (lambda now: rename(now, "load", "!!!"), "cannot be the name"),
    ],
)
def test_what_cannot_be_is_refused_with_a_way_on(wanted: Any, says: str) -> None:
    with pytest.raises(WrongUsage, match=says) as caught:
        edited(FREE, wanted)
    assert caught.value.fix


def test_steps_with_others_between_them_are_not_joined() -> None:
    with pytest.raises(WrongUsage, match="other steps lie between"):
        edited(TAGGED, lambda now: join(now, "a", "c"))


NAMES = st.sampled_from(["a", "B c", "größe", "x_1"])
CELLS = st.lists(
    st.one_of(
        st.just("v = f()"),
        st.just("md:# Part"),
        st.tuples(st.just("v = f()"), st.builds(lambda name: {"mlops": {"step": name, "cpu": "1"}}, NAMES)),
        st.tuples(st.just("v = f()"), st.builds(lambda name: {"tags": ["k", f"step:{name}"]}, NAMES)),
        st.builds(lambda name: f"%%step '{name}' --cpu 1\nv = f()", NAMES),
    ),
    min_size=1,
    max_size=7,
)


@given(CELLS, st.lists(st.booleans(), min_size=7, max_size=7))
def test_any_division_can_be_written(cells: list[Spec], cuts: list[bool]) -> None:
    """From any names to any division into steps, and writing it twice changes nothing more."""
    raw = document(*cells)
    found = read(raw)
    code = [cell.index for cell in found.code]
    groups: list[list[int]] = []
    for cell, cut in zip(code, cuts, strict=False):
        if cut or not groups:
            groups.append([])
        groups[-1].append(cell)
    wanted = [Wanted(f"s{number}", tuple(group)) for number, group in enumerate(groups)]
    if not wanted:
        return
    edits = write(found, wanted)
    after = read(applied(raw, edits))
    assert [(step.name, step.cells) for step in plan(after).steps] == [(one.name, one.cells) for one in wanted]
    assert write(after, wanted) == ()

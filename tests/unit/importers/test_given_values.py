"""Values that another tool injects: the result is that of the source, whatever the cell of parameters holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_mlops.importers.parameters import give, literals
from jupyter_mlops.importing import import_file
from tests.unit.importers.samples import nb
from tests.unit.notebook_building import document

NAMES = st.sampled_from(["a", "b", "c", "längé"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-2, 2) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=3,
)
LINES = st.one_of(
    st.tuples(NAMES, VALUES).map(lambda pair: f"{pair[0]} = {pair[1]!r}  # is {pair[0]}"),
    st.tuples(NAMES, VALUES).map(lambda pair: f"{pair[0]}: object = {pair[1]!r}"),
    st.tuples(NAMES, NAMES).map(lambda pair: f"{pair[0]} = ({pair[1]!r},\n  2); z_{pair[1]} = 1"),
    st.tuples(NAMES, NAMES).map(lambda pair: f"{pair[0]} = [{pair[1]!r}] * 2"),
    st.just("# a comment"),
    st.just("import os"),
    st.just("'a text'"),
)


def run(sources: list[str]) -> dict[str, Any]:
    space: dict[str, Any] = {}
    for source in sources:
        exec(source, space)
    return {name: value for name, value in space.items() if not name.startswith("__") and name != "os"}


@given(st.lists(LINES, max_size=5), st.dictionaries(NAMES, VALUES, max_size=3))
@settings(deadline=None)
def test_the_values_are_those_of_a_cell_injected_behind(lines: list[str], values: dict[str, Any]) -> None:
    first = "\n".join(lines)
    cells = document((first, ["parameters"]), "after = dict(globals())['__builtins__'] and 1")["cells"]
    injected = "\n".join(f"{name} = {value!r}" for name, value in values.items())
    expected = run([first, injected])
    give(cells, values)
    assert run([cell["source"] for cell in cells[:-1]]) == expected


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("a = 1\nb = -2.5", {"a": 1, "b": -2.5}),
        ("", {}),
        ("a = b", None),
        ("a = 1\nprint(a)", None),
        ("a, b = 1, 2", None),
        ("a =", None),
    ],
)
def test_literals(source: str, found: dict[str, Any] | None) -> None:
    assert literals(source) == found


def test_a_line_that_computes_keeps_the_injected_cell(tmp_path: Path) -> None:
    cells = [("a = 1\nb = a * 2", ["parameters"]), ("a = 5", ["injected-parameters"]), "print(a, b)"]
    (tmp_path / "x.ipynb").write_text(json.dumps(nb(*cells)))
    written = import_file(tmp_path / "x.ipynb")
    assert [(cell["source"], cell["metadata"].get("tags")) for cell in written.imported.document["cells"][:2]] == [
        ("a = 1\nb = a * 2", ["parameters"]),
        ("a = 5", ["parameters"]),
    ]
    assert "second cell of parameters" in written.imported.items[-1].meaning


@pytest.mark.parametrize("source", ["a = float('nan')", "a = 1"])
def test_an_injected_cell_that_stands_alone_is_the_cell_of_parameters(source: str, tmp_path: Path) -> None:
    (tmp_path / "x.ipynb").write_text(json.dumps(nb((source, ["injected-parameters", "keep"]), "a")))
    cells = import_file(tmp_path / "x.ipynb").imported.document["cells"]
    assert (cells[0]["source"], cells[0]["metadata"]["tags"]) == (source, ["parameters", "keep"])


def test_without_a_cell_of_parameters_one_is_made() -> None:
    cells = document("print(a)")["cells"]
    assert give(cells, {"a": [1, None]}) == "defaults in a new cell of parameters at the top"
    assert (cells[0]["source"], cells[0]["metadata"]["tags"]) == ("a = [1, None]", ["parameters"])

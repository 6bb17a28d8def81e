"""What the reader takes, and what it says about the rest."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.errors import Refused
from jupyter_mlops.notebook.read import parse
from tests.unit.laws import law
from tests.unit.notebook_building import document, notebook


def refused(text: str, name: str = "a.ipynb") -> Refused:
    with pytest.raises(Refused) as caught:
        parse(text, name)
    assert caught.value.diagnostics
    assert all(d.fix and d.severity == "error" for d in caught.value.diagnostics)
    return caught.value


def test_cells_are_counted_with_markdown_and_keep_their_text() -> None:
    read = notebook(
        "md:# T", "x = 1\n", ("y = 2", ["a", 3, "b"]), name="Umsatz 2024.ipynb", metadata={"kernelspec": {"name": "py"}}
    )
    assert [(cell.index, cell.kind, cell.source) for cell in read.cells] == [
        (0, "markdown", "# T"), (1, "code", "x = 1\n"), (2, "code", "y = 2"),
    ]  # fmt: skip
    assert read.name == "Umsatz 2024"
    assert read.kernel == "py"
    assert read.cells[2].tags == ("a", "b")
    assert [cell.index for cell in read.code] == [1, 2]


def test_source_as_lines_is_the_same_as_text() -> None:
    text, lines = document("a = 1\nb = 2"), document("")
    lines["cells"][0]["source"] = ["a = 1\n", "b = 2"]
    assert parse(json.dumps(text), "x").cells == parse(json.dumps(lines), "x").cells


@pytest.mark.parametrize("missing", ["metadata", "source", "outputs", "execution_count"])
def test_what_a_cell_lacks_is_no_reason_to_refuse(missing: str) -> None:
    raw = document("x = 1")
    del raw["cells"][0][missing]
    assert parse(json.dumps(raw), "x").cells[0].source in {"x = 1", ""}


def test_ids_and_windows_line_ends_and_a_byte_order_mark() -> None:
    raw = document("a = 1\r\nb = 2")
    raw["cells"][0]["id"] = "abc"
    cell = parse("\ufeff" + json.dumps(raw), "x").cells[0]
    assert (cell.id, cell.source) == ("abc", "a = 1\nb = 2")


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("", "not-a-notebook", "is empty"),
        ("  \n", "not-a-notebook", "is empty"),
        ("print(1)", "not-a-notebook", "not JSON (line 1 of the file)"),
        ('{"cells": [', "not-a-notebook", "not JSON"),
        ("[" * 100_000, "not-a-notebook", "not JSON"),
        ("[]", "not-a-notebook", "not a notebook"),
        ('{"a": 1}', "not-a-notebook", "not a notebook"),
        ('{"nbformat": "4", "cells": []}', "not-a-notebook", "no valid format number"),
        ('{"nbformat": true, "cells": []}', "not-a-notebook", "no valid format number"),
        ('{"nbformat": 4}', "not-a-notebook", "no list of cells"),
        ('{"nbformat": 3, "worksheets": []}', "old-notebook-format", "format 3"),
        ('{"worksheets": []}', "old-notebook-format", "format 3"),
        ('{"nbformat": 5, "cells": []}', "new-notebook-format", "format 5"),
    ],
)
def test_what_is_no_notebook_is_named(text: str, code: str, words: str) -> None:
    error = refused(text)
    assert (error.code, error.exit_code) == (code, 2)
    assert words in error.message
    assert "a.ipynb" in error.message


def test_an_old_notebook_says_how_to_upgrade() -> None:
    assert "nbconvert --to notebook --nbformat 4" in refused('{"nbformat": 3, "worksheets": [{"cells": []}]}').fix


@pytest.mark.parametrize(
    "metadata",
    [
        {"kernelspec": {"name": "ir", "language": "R"}},
        {"language_info": {"name": "julia"}},
        {"kernelspec": {"name": "x"}, "language_info": {"name": "R"}},
    ],
)
def test_another_language_is_refused(metadata: dict[str, Any]) -> None:
    assert refused(json.dumps(document("x <- 1", metadata=metadata))).code == "other-language"


@pytest.mark.parametrize("language", ["python", "Python", "ipython", ""])
def test_python_by_any_name(language: str) -> None:
    assert notebook("x = 1", metadata={"kernelspec": {"language": language}}).cells


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (3, "is not an object"),
        ({"cell_type": "graph", "source": ""}, "unknown type 'graph'"),
        ({"source": ""}, "unknown type None"),
        ({"cell_type": "code", "source": 3}, "neither text nor a list"),
        ({"cell_type": "code", "source": ["a", 3]}, "neither text nor a list"),
    ],
)
def test_malformed_cells_are_all_named(cell: Any, words: str) -> None:
    raw = document("x = 1")
    raw["cells"] += [cell, cell]
    error = refused(json.dumps(raw))
    assert [(d.code, d.cell) for d in error.diagnostics] == [("malformed-cell", 1), ("malformed-cell", 2)]
    assert words in error.message
    assert error.where.cell == 1


@pytest.mark.slow
@law
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_any_json_is_read_or_refused(value: Any) -> None:
    for candidate in (value, {"nbformat": 4, "cells": value}, {"nbformat": 4, "cells": [value], "metadata": value}):
        try:
            parse(json.dumps(candidate), "x.ipynb")
        except Refused as error:  # noqa: PERF203
            assert error.diagnostics  # noqa: PT017

"""What a form is told of a cell's values is what a conversion says of them, whatever JSON they are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.notebook.document import Cell, Notebook
from jupyter_mlops.notebook.metadata import read_requests, unfit
from jupyter_mlops.notebook.schema import KEYS

OF_CELL = sorted(name for name, key in KEYS.items() if key.cell)
EXAMPLES = [key.example for key in KEYS.values()]
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.sampled_from(["2h", "16Gi", "model:x", "x in y"])
)
VALUES = st.one_of(
    st.sampled_from(EXAMPLES),
    st.recursive(
        LEAVES,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["env", "key", "mount", "a b"]), inner, max_size=3)
        ),
        max_leaves=6,
    ),
)


@given(st.dictionaries(st.sampled_from([*OF_CELL, "file_limit", "theirs"]), VALUES, max_size=6))
def test_the_form_and_the_conversion_agree(options: dict[str, Any]) -> None:
    notebook = Notebook("a.ipynb", (Cell(0, "code", "x = 1", metadata={"mlops": options}),))
    found = [one for one in read_requests(notebook).diagnostics if one.severity == "error"]
    said = unfit(options)
    assert len(found) == len(said)
    for name, sentence in said.items():
        assert any(one.message.startswith(f"{name} of cell 0 is ") and one.message.endswith(f": {sentence}") for one in found)


@pytest.mark.parametrize("key", ["each", "when"])
@pytest.mark.parametrize("text", ["-" * 200_000 + "1", "(" * 5_000, "\0", "'\ud800'"])
def test_a_text_that_breaks_the_parser_is_told(key: str, text: str) -> None:
    told = unfit({key: f"x in {text}" if key == "each" else text})
    assert told[key].startswith("expected a Python expression")
    assert len(told[key]) < 200

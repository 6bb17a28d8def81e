"""What is written back has the form of what was read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.notebook.write import text_of

DOCUMENT = {"cells": [{"source": ["é = 1\n", "x"], "metadata": {}, "outputs": []}], "b": {"c": 1.5}, "a": None}


@pytest.mark.parametrize("indent", [None, 1, 2, 4, "\t"])
@pytest.mark.parametrize("escapes", [True, False])
@pytest.mark.parametrize("end", ["\n", ""])
def test_the_form_stays(indent: int | str | None, escapes: bool, end: str) -> None:
    text = json.dumps(DOCUMENT, indent=indent, ensure_ascii=escapes) + end
    assert text_of(json.loads(text), text) == text


def test_a_compact_file_stays_compact() -> None:
    text = json.dumps(DOCUMENT, separators=(",", ":"))
    assert text_of(json.loads(text), text) == text


def test_a_text_that_only_speaks_of_escapes_is_not_escaped() -> None:
    text = json.dumps({"source": "'\\u00e9'"}, indent=1)
    assert text_of({"source": "é"}, text) == '{\n "source": "é"\n}'


@pytest.mark.slow
@given(
    st.dictionaries(st.text(), st.recursive(st.none() | st.text() | st.integers(), st.lists)),
    st.sampled_from([None, 1, 2, "\t"]),
    st.booleans(),
)
def test_nothing_is_lost(document: dict[str, object], indent: int | str | None, escapes: bool) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=escapes)
    assert json.loads(text_of(document, text)) == document

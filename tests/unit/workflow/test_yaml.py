"""YAML: readable, the same for every reader, and safe from strangers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.errors import WrongUsage
from jupyter_mlops.workflow.yaml import dump, load
from tests.unit.laws import law

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@pytest.mark.slow
@law
@given(st.dictionaries(st.text(), PLAIN))
def test_what_is_written_is_read_again(document: dict[str, Any]) -> None:
    assert load(dump(document)) == document
    assert dump(load(dump(document))) == dump(document)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain-1.x/y:z", "plain-1.x/y:z"),
        ("1e3", "'1e3'"), ("0.1", "'0.1'"), ("1", "'1'"), ("0o7", "'0o7'"), ("1_000", "'1_000'"), ("1:30", "'1:30'"), (".5", "'.5'"), ("+1", "'+1'"),
        ("y", "'y'"), ("N", "'N'"), ("yes", "'yes'"), ("Off", "'Off'"), ("true", "'true'"), ("null", "'null'"), ("~", "'~'"), ("", "''"),
        ("2024-01-01", "'2024-01-01'"), ("{{a}}", "'{{a}}'"), ("- a", "'- a'"), ("a: b", "'a: b'"), ("a #b", "'a #b'"), ("it's", "it's"),
    ],
)  # fmt: skip
def test_no_version_of_yaml_takes_a_text_for_something_else(text: str, written: str) -> None:
    assert dump({"a": text}) == f"a: {written}\n"


def test_programs_are_blocks_and_keys_keep_their_order() -> None:
    text = "import sys\nif sys.argv:\n    print('ä: \"x\"  # no comment')\n"
    assert dump({"z": 1, "a": [text]}) == "z: 1\na:\n- |\n  import sys\n  if sys.argv:\n      print('ä: \"x\"  # no comment')\n"


def test_shared_values_are_written_out() -> None:
    shared = {"a": 1}
    assert "&" not in dump({"x": shared, "y": shared})


def bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 6)}]" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "expected"),
        ("- a", "not an object"),
        ("", "not an object"),
        ("a: 1\na: 2", "'a' stands twice"),
        ("a: {b: 1, b: 2}", "'b' stands twice"),
        ("a: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("a: 1\n---\nb: 2", "expected a single document"),
        (bomb(10), "values"),
        (bomb(13), "aliases"),
        ("a: &a [*a]", "holds itself"),
        ("[" * 5000, "nested"),
        ("a" * (4 << 20), "are the limit"),
    ],
)
def test_what_cannot_be_read_is_said(text: str, words: str) -> None:
    with pytest.raises(WrongUsage) as caught:
        load(text)
    assert caught.value.code == "not-yaml"
    assert words in caught.value.message


def test_a_few_aliases_are_no_harm() -> None:
    assert load("a: &a {x: 1}\nb: *a\nc:\n  <<: *a\n  y: 2") == {"a": {"x": 1}, "b": {"x": 1}, "c": {"x": 1, "y": 2}}


@law
@given(st.text(max_size=60) | st.text("&*[]{}:,-!?|>'\"% #\n ab", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        assert isinstance(load(text), dict)
    except WrongUsage as error:
        assert error.fix  # noqa: PT017

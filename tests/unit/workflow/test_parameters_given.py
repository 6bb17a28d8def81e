"""Values for a run: typed or as text, checked by the parameter's type."""

from __future__ import annotations

import math
from typing import Any

import pytest

from jupyter_mlops.errors import WrongUsage
from jupyter_mlops.pipeline.pipeline import Parameter, Pipeline
from jupyter_mlops.workflow.parameters import check_parameters


def pipeline(*parameters: Parameter) -> Pipeline:
    return Pipeline("test", "test.ipynb", (), parameters=parameters)


def given(kind: str, value: Any, default: Any, choices: tuple[Any, ...] = ()) -> Any:
    return check_parameters(pipeline(Parameter("p", kind, default, 3, 2, choices)), {"p": value})["p"]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("int", "3", 3), ("int", "-3", -3), ("int", 3, 3), ("int", 3.0, 3),
        ("float", "0.1", 0.1), ("float", "1", 1.0), ("float", "1e-3", 0.001), ("float", 1, 1.0), ("float", 0.5, 0.5),
        ("bool", "true", True), ("bool", "No", False), ("bool", "0", False), ("bool", False, False),
        ("str", "1", "1"), ("str", "null", "null"), ("str", "", ""), ("str", "it's {{x}}", "it's {{x}}"),
        ("list", "[1, null]", [1, None]), ("list", [1], [1]), ("dict", '{"a": 1}', {"a": 1}), ("dict", {}, {}),
        ("int", str(2**70), 2**70), ("int", -(10**400), -(10**400)), ("float", "-0.1", -0.1), ("float", "5e-324", 5e-324),
        ("str", "\x00 \U0001f600 {{=1}}", "\x00 \U0001f600 {{=1}}"), ("dict", '{"a": {"b": [-1, null, "{{"]}}', {"a": {"b": [-1, None, "{{"]}}),
        ("none", "3", 3), ("none", "text", "text"), ("none", "[1]", [1]), ("none", None, None), ("none", {"a": 1}, {"a": 1}),
    ],
)  # fmt: skip
def test_a_value_that_fits(kind: str, value: Any, expected: Any) -> None:
    found = given(kind, value, {"none": None}.get(kind, "x"))
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("int", "x"), ("int", "1.5"), ("int", 1.5), ("int", True), ("int", None), ("int", "null"), ("int", [1]), ("int", math.inf), ("int", math.nan),
        ("float", "x"), ("float", "nan"), ("float", "inf"), ("float", math.nan), ("float", True), ("bool", "maybe"), ("bool", 1),
        ("float", "1e999"), ("float", 10**400), ("int", "9" * 5000), ("none", "1e999"), ("none", math.inf), ("str", 1), ("str", None), ("list", "[1"), ("list", "{}"), ("list", "[NaN]"), ("list", [math.nan]), ("list", [{1}]), ("dict", "[]"), ("dict", "x"),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_named(kind: str, value: Any) -> None:
    with pytest.raises(WrongUsage) as caught:
        given(kind, value, "x")
    assert caught.value.code == "bad-parameter"
    assert "parameter p is" in caught.value.message
    assert (caught.value.where.cell, caught.value.where.line, caught.value.where.field) == (3, 2, "p")
    assert caught.value.fix == 'Its default is "x".'


def test_an_integer_too_long_for_words_is_refused() -> None:
    with pytest.raises(WrongUsage, match="a very long int"):
        given("int", 10**5000, 1)


def test_inf_and_nan_are_refused_with_words() -> None:
    with pytest.raises(WrongUsage, match="inf and nan are none to JSON"):
        given("float", "inf", 0.5)


@pytest.mark.parametrize(
    ("value", "words"), [("x" * 140_000, "takes 140002 bytes; 130048 are the limit"), ("\ud800", "no Unicode text")]
)
def test_what_no_step_could_be_given_is_refused(value: str, words: str) -> None:
    for default in ("x", value):  # a default travels as well
        with pytest.raises(WrongUsage, match=words) as caught:
            check_parameters(pipeline(Parameter("p", "str", default, 3, 2)), {"p": value} if default == "x" else {})
        assert (caught.value.code, caught.value.where.cell, bool(caught.value.fix)) == ("bad-parameter", 3, True)


@pytest.mark.parametrize(("value", "expected"), [("a", "a"), ("2", 2), (2, 2), ("true", True)])
def test_a_choice(value: Any, expected: Any) -> None:
    assert given("enum", value, "a", ("a", 2, True)) == expected


@pytest.mark.parametrize("value", ["b", 3, None, "null", ""])
def test_no_choice(value: Any) -> None:
    with pytest.raises(WrongUsage, match='one of "a", 2'):
        given("enum", value, "a", ("a", 2))


@pytest.mark.parametrize("kind", ["int", "float", "list", "dict", "enum"])
@pytest.mark.parametrize("value", ["null", None])
def test_none_where_the_default_is_none(kind: str, value: Any) -> None:
    assert given(kind, value, None, ("a",)) is None


def test_defaults_stand_for_what_is_not_given() -> None:
    found = check_parameters(pipeline(Parameter("a", "int", 1, 0, 1), Parameter("b", "str", "x", 0, 2)), {"b": "y"})
    assert found == {"a": 1, "b": "y"}
    assert list(found) == ["a", "b"]


@pytest.mark.parametrize(
    ("names", "name", "fix"),
    [
        (["learning_rate", "n"], "lerning_rate", "Did you mean learning_rate? There are: learning_rate, n."),
        (["n"], "zzz", "There are: n."),
        ([], "n", "The notebook has none: tag a cell with `parameters`."),
    ],
)
def test_an_unknown_parameter_names_what_there_is(names: list[str], name: str, fix: str) -> None:
    with pytest.raises(WrongUsage) as caught:
        check_parameters(pipeline(*(Parameter(n, "int", 1, 0, 1) for n in names)), {name: 1})
    assert (caught.value.code, caught.value.fix, caught.value.exit_code) == ("unknown-parameter", fix, 2)
    assert name in caught.value.message

"""Parameters of a notebook: which assignments are some, their types, lines and descriptions."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_mlops.pipeline.parameters import read_parameters
from jupyter_mlops.pipeline.pipeline import Parameter
from tests.unit.notebook_building import notebook


def read(*sources: str) -> tuple[dict[str, Parameter], list[tuple[str, int | None, int | None]]]:
    parameters, found = read_parameters(notebook(*sources).code)
    return {p.name: p for p in parameters}, [(d.code, d.cell, d.line) for d in found]


@pytest.mark.parametrize(
    ("source", "kind", "default"),
    [
        ("a = 1", "int", 1),
        ("a = -1", "int", -1),
        ("a = 0.1", "float", 0.1),
        ("a = -1e-3", "float", -0.001),
        ("a = True", "bool", True),
        ("a = 'it\\'s'", "str", "it's"),
        ("a = None", "none", None),
        ("a = [1, [2.5, None]]", "list", [1, [2.5, None]]),
        ("a = {'b': {'c': [1]}}", "dict", {"b": {"c": [1]}}),
        ("a: float = 1", "float", 1),
        ("a: int | None = None", "int", None),
        ("a: Optional[str] = None", "str", None),
        ("a: typing.Optional[List[int]] = None", "list", None),
        ("a: 'float' = 2", "float", 2),
        ("a: list[int] = [1]", "list", [1]),
        ("a: Path = 'x'", "str", "x"),
        ("a: int | str = 1", "int", 1),
        ("a = b = 3", "int", 3),
    ],
)
def test_types(source: str, kind: str, default: Any) -> None:
    found, said = read(source)
    assert (found["a"].type, found["a"].default, type(found["a"].default)) == (kind, default, type(default))
    assert said == []


@pytest.mark.parametrize(
    ("source", "choices"),
    [
        ("a: Literal['x', 'y'] = 'x'", ("x", "y")),
        ("a: typing.Literal[1, 2] = 2", (1, 2)),
        ("a: Literal['x'] | None = None", ("x",)),
    ],
)
def test_a_literal_is_an_enum(source: str, choices: tuple[Any, ...]) -> None:
    found, _ = read(source)
    assert (found["a"].type, found["a"].choices) == ("enum", choices)


@pytest.mark.parametrize(
    ("source", "kind", "words"),
    [
        ("a: int = 'x'", "str", 'is annotated int, but its default is "x", a text'),
        ("a: int = 1.5", "float", "1.5, a number with a fraction"),
        ("a: 'int' = 'x'", "str", "is annotated 'int'"),
        ("a: bool = 1", "int", "1, a whole number"),
        ("a: str = 1", "int", "annotated str"),
        ("a: list[int] = {}", "dict", "{}, a dict"),
        ("a: int | None = 'x'", "str", "annotated int | None"),
        ("a: Optional[float] = []", "list", "[], a list"),
        ("a: int | str = 1.5", "float", "annotated int | str"),
        ("a: Literal['x', 'y'] = 'z'", "str", "Literal['x', 'y']"),
        ("a: Literal[1] = True", "bool", "true, a truth value"),
        ("a: Literal['x'] | None = 'z'", "str", "Literal['x'] | None"),
    ],
)
def test_an_annotation_that_contradicts_its_default_is_said(source: str, kind: str, words: str) -> None:
    parameters, found = read_parameters(notebook(f"# first\n{source}").code)
    assert [(p.name, p.type) for p in parameters] == [("a", kind)]
    assert [(d.code, d.severity, d.cell, d.line) for d in found] == [("parameter-annotation", "warning", 0, 2)]
    assert words in found[0].message
    assert kind in found[0].fix


@pytest.mark.parametrize(
    "source",
    [
        "a: int = None",
        "a: int = True",
        "a: Path = 'x'",
        "a: int | Path = 'x'",
        "a: Any = 1",
        "a: 'no(' = 1",
        "a: Literal['x'] = None",
        "a: Literal[x] = 1",
    ],
)
def test_what_is_no_contradiction_is_not_said(source: str) -> None:
    assert read(source)[1] == []


@pytest.mark.parametrize(
    "source",
    [
        "a = f()",
        "a = 1 + x",
        "a = (1, 2)",
        "a = {1}",
        "a = b'x'",
        "a = 1j",
        "a = {1: 2}",
        "a = f'{x}'",
        "a = 1e999",
        "größe = 1",
        "a = ...",
    ],
)
def test_what_is_no_parameter_is_said_at_its_line(source: str) -> None:
    found, said = read(f"x0 = 1\n{source}")
    assert list(found) == ["x0"]
    assert said == [("parameter-not-literal", 0, 2)]


@pytest.mark.parametrize(
    "source", ["import os", "a.b = 1", "a, b = 1, 2", "a: int", "if True:\n    a = 1", "x = = 1", "%time a = 1"]
)
def test_what_is_no_plain_assignment_is_no_parameter(source: str) -> None:
    assert read(source) == ({}, [])


def test_lines_and_descriptions() -> None:
    found, _ = read(
        "# about all\n\nlr = 0.1  # learning rate\nname = '# no comment'\nsize = [\n    1,  # inner\n]  #: of it\nlast = 1 #"
    )
    assert {name: (p.line, p.description) for name, p in found.items()} == {
        "lr": (3, "learning rate"), "name": (4, ""), "size": (5, ""), "last": (8, ""),
    }  # fmt: skip


def test_the_later_definition_counts() -> None:
    found, said = read("a = 1\na = 2", "b = 1", "a = 'x'")
    assert (found["a"].default, found["a"].cell) == ("x", 2)
    assert said == [("duplicate-parameter", 2, 1)]


def test_product_lines_and_magics_are_no_obstacle() -> None:
    found, _ = read("%%step setup\n%matplotlib inline\nlr = 0.1 # x")
    assert (found["lr"].line, found["lr"].description) == (3, "x")

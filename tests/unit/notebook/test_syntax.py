"""IPython syntax becomes Python, and a line of the translation leads back to the line of the cell."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from jupyter_mlops.notebook.syntax import NotPython, explicit_magic, translate

CORPUS = Path(__file__).parents[2] / "corpus"
SOURCES = sorted(
    {
        source
        for name in ("dataflow_cases.json", "hard_cases.json")
        for case in json.loads((CORPUS / name).read_text())
        for source in case["cells"]
    }
)


@pytest.mark.parametrize(
    ("source", "origins"),
    [
        ("x = 1\ny = 2", {1: 1, 2: 2}),
        ("!ls\nx = 1", {1: 1, 2: 2}),
        ("\n\n%time x = 1\ny = 2", {1: 3, 2: 4}),
        ("\n%%time\nx = 1\ny = 2", {1: 2}),
        ("!ls a \\\n  b\nx = 1\nx?", {1: 1, 2: 3, 3: 4}),
        ("\n\n!ls a \\\n  b\nx = 1", {1: 3, 2: 5}),
        (">>> x = 1\n>>> y = 2", {1: 1, 2: 2}),
        ("  x = 1\n  y = 2", {1: 1, 2: 2}),
        ("In [1]: x = 1", {1: 1}),
    ],
)
def test_lines_lead_back(source: str, origins: dict[int, int]) -> None:
    python = translate(source)
    assert {line: python.origin(line) for line in origins} == origins


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("x = (1", 1),
        ("x = 1\ny = = 2", 2),
        ("x = 1\nreturn 3", 2),
        ("\n\n!ls\nx = = 1", 4),
        ("%time x = 1\n\nfor", 3),
        ("break", 1),
        ("def f(a, a): pass", 1),
    ],
)
def test_what_no_kernel_runs_is_found_at_its_line(source: str, line: int) -> None:
    with pytest.raises(NotPython) as caught:
        translate(source)
    assert caught.value.line == line
    assert caught.value.message


def test_a_null_byte_is_no_crash() -> None:
    with pytest.raises(NotPython):
        translate("x = '\0'")


def test_await_at_the_top_is_python() -> None:
    assert translate("import asyncio\nawait asyncio.sleep(0)").tree.body


@pytest.mark.parametrize("source", SOURCES)
def test_it_is_ipythons_own_translation(source: str) -> None:
    """Plain Python is not sent through IPython; this holds that it would come back the same."""
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        ours = translate(source)
    except NotPython:
        with pytest.raises(SyntaxError):
            ast.parse(TransformerManager().transform_cell(source))
        return
    assert ast.dump(ours.tree) == ast.dump(ast.parse(TransformerManager().transform_cell(source)))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("pip install -q pandas", "%pip install -q pandas"),
        ("\n ls -la *.csv\n", "\n %ls -la *.csv\n"),
        ("cd ../data", "%cd ../data"),
        ("pwd", "%pwd"),
        ("who", "%who"),
        ("time x = f()", "%time x = f()"),
        ("ls\nx = 1", "ls\nx = 1"),
        ("time = 3", "time = 3"),
        ("time == 3", "time == 3"),
        ("time += 3", "time += 3"),
        ("time.sleep(1)", "time.sleep(1)"),
        ("run(x)", "run(x)"),
        ("pandas install", "pandas install"),
        ("%ls", "%ls"),
    ],
)
def test_a_magic_without_its_sign(source: str, expected: str) -> None:
    assert explicit_magic(source, ()) == expected


def test_a_name_of_the_notebook_is_no_magic() -> None:
    assert explicit_magic("who", {"who"}) == "who"


def test_the_magics_are_ipythons_own() -> None:
    from IPython.core.interactiveshell import InteractiveShell

    from jupyter_mlops.notebook.syntax import AUTOMAGIC

    there = set(InteractiveShell().magics_manager.magics["line"])
    assert {name for name in there if name.islower() and name.isidentifier()} <= AUTOMAGIC

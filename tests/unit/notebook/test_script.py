"""A notebook as a script: what it looks like, and that it gives what one kernel gives."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.cli.export import python_script
from jupyter_mlops.errors import Refused
from jupyter_mlops.notebook.document import Cell, Notebook
from jupyter_mlops.notebook.script import Option, script_of
from jupyter_mlops.pipeline.plan import plan

ROOT = Path(__file__).parents[3]
HARD: list[dict[str, Any]] = json.loads((ROOT / "tests" / "corpus" / "hard_cases.json").read_text())
DUMP = """
import json as _dump_json
from judges.values import encode as _dump_encode
def _dump():
    found = {}
    for name, value in list(globals().items()):
        try:
            found[name] = _dump_encode(value)
        except TypeError:
            pass
    return found
print("@final" + _dump_json.dumps(_dump()))
"""


def notebook(*cells: str, tags: dict[int, list[str]] | None = None) -> Notebook:
    made = tuple(Cell(n, "code", source, f"c{n}", {"tags": (tags or {}).get(n, [])}) for n, source in enumerate(cells))
    return Notebook("nb", made, {})


def script(*cells: str, tags: dict[int, list[str]] | None = None, options: tuple[Option, ...] = ()) -> str:
    return script_of(notebook(*cells, tags=tags), dict.fromkeys(range(len(cells)), "one"), options)


def run(text: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    (folder / "nb.py").write_text(text)
    environ = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT / "tests" / "corpus"), "HOME": str(folder), "PYTHONHASHSEED": "0"}
    command = [sys.executable, "nb.py", *words]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=100)


CELLS: dict[str, tuple[tuple[str, ...], str]] = {
    "the last value": (("x = 1\nx + 1",), "2\n"),
    "over lines": (("max(\n    1,\n    2,  # two\n)",), "2\n"),
    "with a comment": (("3  # three",), "3\n"),
    "with a semicolon": (("3;",), ""),
    "two on a line": (("x = 1; x",), "1\n"),
    "text with umlauts": (("'é'; x = 'ü'; x + 'ö'",), "'üö'\n"),
    "in parentheses": (("(1\n + 2)",), "3\n"),
    "a bare tuple": (("1, *[2]",), "(1, 2)\n"),
    "nothing": (("None",), ""),
    "not in a block": (("if True:\n    1",), ""),
    "a magic": (("%env MARK=seven", "import os\nos.environ['MARK']"), "env: MARK=seven\n'seven'\n"),
    "a shell line": (("found = !echo hello", "found[0]"), "'hello'\n"),
    "lines for this product": (("%load_ext jupyter_mlops\n%mlops runs\nx = 3\nx",), "3\n"),
    "a step's line": (("%%step train\nx = 4\nx",), "4\n"),
    "await": (("import asyncio\nawait asyncio.sleep(0)\nx = 5", "x"), "5\n"),
    "await of one loop": (
        ("import asyncio\nlock = asyncio.Event()\nlock.set()\nawait lock.wait()", "await lock.wait()"),
        "True\nTrue\n",
    ),
    "a future": (("from __future__ import annotations\ndef f(x: nowhere): pass", "f.__annotations__"), "{'x': 'nowhere'}\n"),
    "a long text": (('x = """\n  a\n"""\nx',), "'\\n  a\\n'\n"),
    "globals stay globals": (("x = 1", "def f():\n    global x\n    x += 1\nf()\ndel f", "x, 'f' in globals()"), "(2, False)\n"),
    "display": (("display(3)",), "3\n"),
    "main": (("__name__",), "'__main__'\n"),
}


@pytest.mark.parametrize("name", CELLS)
def test_a_script_prints_what_the_cells_show(name: str, tmp_path: Path) -> None:
    cells, expected = CELLS[name]
    done = run(script(*cells), tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == expected


def test_plain_python_stays_as_it_was_written() -> None:
    assert script("x = 1\ny = x  # why").splitlines()[1:] == ["", "# %% cell 0, step one", "x = 1", "y = x  # why"]


def test_text_between_cells_becomes_comments() -> None:
    cells = (Cell(0, "markdown", "# Head\n\ntext"), Cell(1, "code", "x = 1"), Cell(2, "code", "skipped"))
    text = script_of(Notebook("nb", cells, {}), {1: "one"})
    assert "# %% [markdown]\n# # Head\n#\n# text\n" in text
    assert "skipped" not in text


def test_an_allowed_exception_goes_on(tmp_path: Path) -> None:
    done = run(script("x = 1\n1 / 0", "x", tags={0: ["raises-exception"]}), tmp_path)
    assert (done.returncode, done.stdout) == (0, "1\n")
    assert "ZeroDivisionError" in done.stderr


def test_an_exception_stops_it(tmp_path: Path) -> None:
    done = run(script("print('one')\n1 / 0", "print('two')"), tmp_path)
    assert (done.returncode, done.stdout) == (1, "one\n")


OPTIONS = (
    Option("trees", "int", 10, 0),
    Option("rate_of", "float", 0.5, 0, description="50 % of it"),
    Option("fast", "bool", False, 0),
    Option("name", "str", "a", 0),
    Option("sizes", "list", [1], 0),
    Option("judge", "enum", "mae", 0, ("mae", "rmse")),
    Option("level", "enum", 1, 0, (1, 2)),
)
PARAMETERS = "trees = 10\nrate_of = 0.5\nfast = False\nname = 'a'\nsizes = [1]\njudge = 'mae'\nlevel = 1"
SHOW = "trees, rate_of, fast, name, sizes, judge, level"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), "(10, 0.5, False, 'a', [1], 'mae', 1)"),
        (("--trees", "-3", "--rate-of", "2"), "(-3, 2.0, False, 'a', [1], 'mae', 1)"),
        (("--rate_of=1e3", "--fast", "yes", "--name", "7"), "(10, 1000.0, True, '7', [1], 'mae', 1)"),
        (("--sizes", "[2, 3]", "--judge", "rmse", "--level", "2"), "(10, 0.5, False, 'a', [2, 3], 'rmse', 2)"),
    ],
)
def test_parameters_are_options(words: tuple[str, ...], expected: str, tmp_path: Path) -> None:
    done = run(script(PARAMETERS, SHOW, options=OPTIONS), tmp_path, *words)
    assert (done.returncode, done.stdout.strip()) == (0, expected), done.stderr


@pytest.mark.parametrize("words", [("--trees", "many"), ("--judge", "other"), ("--fast", "perhaps"), ("--unknown", "1")])
def test_what_no_parameter_takes_is_refused(words: tuple[str, ...], tmp_path: Path) -> None:
    assert run(script(PARAMETERS, options=OPTIONS), tmp_path, *words).returncode == 2


@pytest.mark.parametrize(
    ("cells", "code", "cell"),
    [
        (("x = 1", "from __future__ import annotations"), "export-future", 1),
        (("1 + 1", "x = _"), "export-history", 1),
    ],
)
def test_what_a_file_cannot_do_is_refused(cells: tuple[str, ...], code: str, cell: int) -> None:
    made = notebook(*cells)
    with pytest.raises(Refused) as refused:
        python_script(made, plan(made))
    assert (refused.value.code, refused.value.where.cell) == (code, cell)


def in_scope(case: dict[str, Any]) -> bool:
    """Cases that run to their end and leave values, of notebooks that can be a script at all."""
    if "final" not in case["expect"] or "stops" in case["expect"] or not all(map(find_spec, case.get("needs", []))):
        return False
    made = notebook(*case["cells"])
    try:
        python_script(made, plan(made))
    except Refused:
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in HARD if in_scope(case)], ids=lambda case: case["name"])
def test_hard_cases_give_what_one_kernel_gives(case: dict[str, Any], tmp_path: Path) -> None:
    for name, content in case.get("files", {}).items():
        (tmp_path / name).write_text(content)
    made = notebook(*case["cells"])
    done = run(python_script(made, plan(made)) + DUMP, tmp_path)
    assert done.returncode == 0, done.stderr
    final = json.loads(done.stdout.rpartition("@final")[2])
    expected = case["expect"]["final"]
    assert {name: final.get(name) for name in expected} == expected


def test_most_hard_cases_are_in_scope() -> None:
    assert sum(map(in_scope, HARD)) >= 30

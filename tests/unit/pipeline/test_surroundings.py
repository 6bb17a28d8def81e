"""What a notebook asks for and its surroundings do not have, and parameters that other cells hide."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_mlops.around import surroundings
from jupyter_mlops.notebook.document import Cell, Notebook
from jupyter_mlops.pipeline.plan import plan
from jupyter_mlops.pipeline.surroundings import Surroundings

HERE = Surroundings(lambda path: path == "here.csv", lambda name: name in {"pandas", "beside"})
CODES = {"missing-file", "missing-module", "star-import", "shadowed-parameter"}


def said(*sources: str, around: Surroundings | None = HERE, kernel: str = "python3") -> list[tuple[str, int | None, int | None]]:
    cells = tuple(
        Cell(index, "code", source, metadata={"tags": ["parameters"]} if source.startswith("# parameters") else {})
        for index, source in enumerate(sources)
    )
    notebook = Notebook("n", cells, {"kernelspec": {"name": kernel, "language": "python"}}, {})
    found = [d for d in plan(notebook, around).diagnostics if d.code in CODES]
    assert all(d.message and d.fix and d.severity == "warning" for d in found)
    return [(d.code, d.cell, d.line) for d in found]


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (["import pandas as pd\npd.read_csv('gone.csv')"], [("missing-file", 0, 2)]),
        (["import pandas as pd\npd.read_csv('here.csv')"], []),
        (["x = 1", "open('gone.txt').read()"], [("missing-file", 1, 1)]),
        (["from pathlib import Path\nPath('gone.txt').read_text()"], [("missing-file", 0, 2)]),
        (["P = 'gone.txt'", "\nopen(P)"], [("missing-file", 1, 2)]),
        (["%run gone.py"], [("missing-file", 0, 1)]),
        (["open('made.txt', 'w')", "open('made.txt')"], []),
        (["%%writefile made.txt\nx", "open('made.txt')"], []),
        (["!wget http://host/a.csv", "open('a.csv')"], []),
        (["import zipfile\nzipfile.ZipFile('here.csv').extractall()", "open('a.csv')"], []),
        (["if flag:\n    open('gone.txt')"], []),
        (["try:\n    open('gone.txt')\nexcept OSError:\n    pass"], []),
        (["try:\n    open('gone.txt')\nexcept KeyError:\n    pass"], []),
        (["def f():\n    return open('gone.txt')"], []),
        (["import pandas as pd\npd.read_csv('https://host/a.csv')\npd.read_csv('/data/a.csv')\npd.read_csv('../a.csv')"], []),
        (
            ["import pandas as pd\npd.read_csv('gone.csv').copy()\npd.read_csv('more.csv')"],
            [("missing-file", 0, 2), ("missing-file", 0, 3)],
        ),
    ],
)
def test_files(sources: list[str], expected: list[tuple[str, int, int]]) -> None:
    assert said(*sources) == expected


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (["import gone"], [("missing-module", 0, 1)]),
        (["import os\nfrom gone.deep import x"], [("missing-module", 0, 2)]),
        (["import pandas, beside, os.path"], []),
        (["from . import helpers"], [("missing-module", 0, 1)]),
        (["from gone import *"], [("star-import", 0, 1)]),
        (["from beside import *\nfrom math import *"], []),
        (["try:\n    import gone\nexcept ImportError:\n    gone = None"], []),
        (["%%writefile gone.py\nx = 1", "import gone"], []),
        (["%pip install gone", "import gone"], []),
        (["import sys\nif sys.platform == 'x':\n    import gone"], []),
    ],
)
def test_modules(sources: list[str], expected: list[tuple[str, int, int]]) -> None:
    assert said(*sources) == expected


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (["# parameters\nn = 1", "n = 2"], [("shadowed-parameter", 1, 1)]),
        (["# parameters\nn = 1", "x = 1\nfor n in range(3): pass"], [("shadowed-parameter", 1, 2)]),
        (["n = 3", "# parameters\nn = 1"], [("shadowed-parameter", 0, 1)]),
        (["# parameters\nn = 1", "n = n * 2"], []),
        (["# parameters\nn = 1", "def f(n): return n\nm = f(n)"], []),
    ],
)
def test_parameters_that_another_cell_hides(sources: list[str], expected: list[tuple[str, int, int]]) -> None:
    assert said(*sources) == expected


def test_nothing_is_said_of_surroundings_that_nobody_looked_at():
    assert said("import gone\nopen('gone.txt')", around=None) == []


def test_a_folder_and_this_python_are_looked_at(tmp_path: Path):
    (tmp_path / "data.csv").write_text("a")
    (tmp_path / "beside.py").write_text("x = 1")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "deeper.py").write_text("x = 1")
    source = "import beside, deeper, pytest, gone_for_good\nopen('data.csv')\nopen('gone.csv')"
    for kernel, local, modules in (("python3", True, [("missing-module", 0, 1)]), ("other", True, []), ("python3", False, [])):
        notebook = Notebook("n", (), {"kernelspec": {"name": kernel, "language": "python"}}, {})
        around = surroundings(notebook, tmp_path, local=local)
        assert said(source, around=around, kernel=kernel) == [*modules, ("missing-file", 0, 3)]


def test_a_finding_about_a_whole_cell_stands_on_its_first_line():
    cells = (
        Cell(0, "code", "x = 1", metadata={"tags": ["step:a", "prev:nowhere"]}),
        Cell(1, "code", "y = 1", metadata={"tags": ["step:b"]}),
    )
    found = plan(Notebook("n", cells, {}, {})).diagnostics
    assert [(d.code, d.cell, d.line) for d in found] == [("unknown-step", 0, 1)]

"""Environment variables that cells read and nobody in the notebook sets."""

from __future__ import annotations

import pytest

from jupyter_mlops.notebook.document import Cell
from jupyter_mlops.pipeline.environ import environment_reads
from jupyter_mlops.pipeline.plan import plan
from tests.unit.notebook_building import Spec, notebook

CASES: list[tuple[list[str], list[tuple[int, str, int, bool]]]] = [
    (["import os\nkey = os.environ['KEY']"], [(0, "KEY", 2, True)]),
    (["os.environ.get('KEY')", "os.getenv('KEY', 'x')"], [(0, "KEY", 1, False), (1, "KEY", 1, False)]),
    (["from os import environ, getenv\nenviron['A']\ngetenv('B')"], [(0, "A", 2, True), (0, "B", 3, False)]),
    (["os.environ.get('A')\nos.environ['A']"], [(0, "A", 1, True)]),
    (["os.environ['A'] = '1'", "os.environ['A']"], []),
    (["os.environ.setdefault('A', '1')", "os.environ['A']"], []),
    (["os.environ.update(A='1')", "os.environ.update({'B': '1'})", "os.environ['A'], os.environ['B']"], []),
    (["%env A=1", "%set_env B 2", "os.environ['A'], os.environ['B']"], []),
    (["def f():\n    return os.environ['A']", "f()"], [(0, "A", 2, True)]),
    (["os.environ['PATH'], os.environ['HOME']"], []),
    (["os.environ[name]", "settings.get('A')", "settings['A']", "os.environ"], []),
    (["def (", "os.environ['A']"], [(1, "A", 1, True)]),
]


@pytest.mark.parametrize(("sources", "expected"), CASES)
def test_the_usual_spellings(sources: list[str], expected: list[tuple[int, str, int, bool]]) -> None:
    found = environment_reads(Cell(index, "code", source) for index, source in enumerate(sources))
    assert [(one.cell, one.name, one.line, one.needed) for one in found] == expected


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([("import os\nk = os.environ['KEY']", ["step:a"])], [("environment-read", "info", 0, 2)]),
        ([("import os\nk = os.environ['KEY']", {"mlops": {"step": "a", "env": {"KEY": "1"}}})], []),
        (
            [
                (
                    "import os\nk = os.environ['KEY']",
                    {"mlops": {"step": "a", "secrets": [{"env": "KEY", "secret": "s", "key": "k"}]}},
                )
            ],
            [],
        ),
        ([("import os", {"mlops": {"step": "a", "env": {"KEY": "1"}}}), ("k = os.environ['KEY']", [])], []),
        (
            [("import os", {"mlops": {"step": "a", "env": {"KEY": "1"}}}), ("k = os.environ['KEY']", ["step:b"])],
            [("environment-read", "info", 1, 1)],
        ),
    ],
)
def test_what_no_step_declares_is_said(cells: list[Spec], expected: list[tuple[str, str, int, int]]) -> None:
    found = plan(notebook(*cells)).diagnostics
    assert [(one.code, one.severity, one.cell, one.line) for one in found] == expected
    assert all("KEY" in one.message and "`secrets`" in one.fix for one in found)

"""Analysing again after an edit: only what the edit reaches is scanned, and the result is that of a first analysis."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_mlops.dataflow import memory as module
from jupyter_mlops.dataflow.link import analyse
from jupyter_mlops.dataflow.memory import Memory
from jupyter_mlops.notebook.document import Cell
from tests.unit.dataflow.test_laws import PROGRAMS
from tests.unit.laws import law


def cells(sources: list[str]) -> list[Cell]:
    return [Cell(index, "code", source) for index, source in enumerate(sources)]


@pytest.fixture
def scanned(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Cells that were scanned, in order."""
    found: list[int] = []
    scan = module.scan

    def counted(cell: Cell, above: module.Above) -> module.CellFacts:
        found.append(cell.index)
        return scan(cell, above)

    monkeypatch.setattr(module, "scan", counted)
    return found


BASE = ["import os\na = []", "b = a", "def f(x):\n    x.append(k)", "k = 1", "f(b)", "print(a, os.sep)"]


@pytest.mark.parametrize(
    ("edits", "again"),
    [
        ({}, []),
        ({3: "k = 2"}, [3]),
        ({5: "print(a)"}, [5]),
        ({3: "\n\nk = 1"}, [3]),
        ({0: "import os\na = [1]"}, [0]),
        ({1: "b = list(a)"}, [1, 4]),  # b is no longer a: the call of cell 4 reaches less
        ({2: "def f(x):\n    return k"}, [2, 4]),
        ({2: "def f(x):\n    x.append(k)\n    return 1"}, [2]),
        ({3: "del os"}, [3, 4, 5]),
        ({0: "from __future__ import annotations\nimport os\na = []"}, [0, 1, 2, 3, 4, 5]),
    ],
)
def test_what_an_edit_reaches_is_scanned_again(edits: dict[int, str], again: list[int], scanned: list[int]) -> None:
    memory = Memory(100)
    analyse(cells(BASE), memory)
    edited = [edits.get(index, source) for index, source in enumerate(BASE)]
    del scanned[:]
    found = analyse(cells(edited), memory)
    assert scanned == again
    assert found == analyse(cells(edited), Memory(0))


def test_facts_of_a_kept_scan_have_the_groups_of_now(scanned: list[int]):
    """``c = []`` does not look at the groups of other names, which are part of the facts."""
    memory = Memory(100)
    analyse(cells(["a = b = []", "c = []"]), memory)
    del scanned[:]
    found = analyse(cells(["a = d = []", "c = []"]), memory)
    assert scanned == [0]
    assert set(found.facts[1].groups) == {frozenset("ad")}


def test_the_memory_has_an_end(scanned: list[int]):
    memory = Memory(3)
    for number in range(10):
        analyse(cells([f"x = {number}"]), memory)
        assert len(memory) <= 3
    del scanned[:]
    analyse(cells(["x = 9"]), memory)
    analyse(cells(["x = 1"]), memory)
    assert scanned == [0]


@pytest.mark.slow
@settings(law, max_examples=40)
@given(st.lists(PROGRAMS, min_size=1, max_size=5), st.lists(st.tuples(st.integers(0, 4), PROGRAMS), max_size=4))
def test_an_analysis_with_memory_is_one_without(sources: list[str], edits: list[tuple[int, str]]) -> None:
    memory = Memory(100)
    for place, source in [(0, sources[0]), *edits]:
        sources[place % len(sources)] = source
        assert analyse(cells(sources), memory) == analyse(cells(sources), Memory(0))

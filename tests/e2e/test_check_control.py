"""``check`` of notebooks with ``each``, ``when`` and ``finally``: one kernel in plain Python beside the pipeline."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.check import check as checking
from jupyter_mlops.check.check import check
from jupyter_mlops.check.side import Side
from jupyter_mlops.check.verdict import Verdict
from jupyter_mlops.flow import Workbench
from jupyter_mlops.settings import Settings, Storage
from tests.control_flow import EQUAL, Cell
from tests.e2e.machine import ROOT
from tests.e2e.test_check import notebook

RATES: Cell = ("rates = [1, 0, 2]\nkept = {'n': 5}", {"step": "load"})


def checked(folder: Path, *cells: Cell, tell: Any = lambda _: None) -> Verdict:
    made = [(source, {"mlops": dict(options), "tags": []}) for source, options in cells]
    path = notebook(folder, *made, numbered=False)
    return check(Workbench(Settings(Storage(folder / "home"))), path, tell=tell)


def found(verdict: Verdict) -> list[tuple[str, int | None, str]]:
    return [(one.kind, one.cell, one.what) for one in verdict.differences]


@pytest.mark.slow
@pytest.mark.parametrize("key", EQUAL)
def test_what_plain_python_gives_is_equal(tmp_path: Path, key: str) -> None:
    verdict = checked(tmp_path, *EQUAL[key][0])
    assert verdict.outcome == "equal", verdict
    assert verdict.stopped is None
    assert verdict.counts.values >= 1


@pytest.mark.slow
def test_the_example_that_sweeps_is_equal(tmp_path: Path) -> None:
    folder, told = tmp_path / "examples", []
    shutil.copytree(ROOT / "examples", folder, ignore=shutil.ignore_patterns(".*", "readings.csv"))
    verdict = check(Workbench(Settings(Storage(tmp_path / "home"))), folder / "sweep.ipynb", tell=told.append)
    assert verdict.outcome == "equal", verdict
    assert (verdict.counts.values > 20, verdict.counts.outputs, verdict.counts.logged) == (True, 4, 1)
    assert [line for line in told if "branch" in line] == [f"single kernel: cell 4, branch {x} (3 of 7)" for x in range(4)]


CASES: Mapping[str, tuple[list[Cell], dict[str, Any] | None, list[str]]] = {
    "a branch fails, and the end still runs": (
        [
            RATES,
            ("share = 10 / rate", {"step": "train", "each": "rate in rates"}),
            ("print(share)", {"step": "best"}),
            ("print(outcome, kept, 'share' in globals())", {"step": "report", "finally": "outcome"}),
        ],
        {"cell": 1, "line": 1, "error": "ZeroDivisionError"},
        [],
    ),
    "a step fails after it has changed what it got": (
        [
            RATES,
            ("kept['n'] = 6\n1 / 0", {"step": "train"}),
            ("print(outcome, kept)", {"step": "report", "finally": "outcome"}),
        ],
        {"cell": 1, "line": 2, "error": "ZeroDivisionError"},
        [],
    ),
    "the end fails": (
        [RATES, ("print(kept)\nkept['m']", {"step": "report", "finally": True})],
        {"cell": 1, "line": 2, "error": "KeyError"},
        [],
    ),
    "a condition that cannot be read": (
        [RATES, ("x = 1", {"step": "tune", "when": "kept['m'] > 1"})],
        {"cell": 1, "line": None, "error": "WrongUsage"},
        [],
    ),
    "branches that nobody gathers": (
        [RATES, ("share = rate + 1\nprint(share)", {"step": "train", "each": "rate in rates"})],
        None,
        ["train"],
    ),
    "environment, folder and random numbers": (
        [
            ("import os, random\nrandom.seed(3)\nos.environ['WHO'] = 'load'\nos.makedirs('sub', exist_ok=True)", {"step": "load"}),
            (
                "drawn = [random.random() for _ in range(n)]\nwho = os.environ['WHO']\nos.environ['WHO'] = f'branch {n}'",
                {"step": "draw", "each": "n in [1, 2, 3]"},
            ),
            ("print(drawn, who, os.environ['WHO'], random.random(), os.path.basename(os.getcwd()))", {"step": "show"}),
        ],
        None,
        [],
    ),
    "what branches share with what came before": (
        [
            ("base = [1, [2]]\nalias = base[1]", {"step": "load"}),
            ("mine = (base, alias)\ndel alias", {"step": "each", "each": "n in [1, 2]"}),
            ("print(mine[0][0][1] is mine[0][1], mine[0][0] is mine[1][0], 'alias' in globals())", {"step": "show"}),
        ],
        None,
        [],
    ),
    "a file that branches change, make and remove": (
        [
            ("import os\nfor x in 'ab':\n    open(x, 'w').write(x)\nos.makedirs('d', exist_ok=True)", {"step": "load"}),
            (
                """there = sorted(p for p in os.listdir() if len(p) < 5)
if n == 1:
    open('a', 'a').write('1')
else:
    os.remove('b')
    open('d/c', 'w').write('2')""",
                {"step": "part", "each": "n in [1, 2]"},
            ),
            ("print(there, open('a').read(), os.path.exists('b'), open('d/c').read())", {"step": "show"}),
        ],
        None,
        [],
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("key", CASES)
def test_equal_also_where_it_stops(tmp_path: Path, key: str) -> None:
    cells, stopped, uncompared = CASES[key]
    verdict = checked(tmp_path, *cells)
    assert verdict.outcome == "equal", verdict
    assert verdict.stopped == stopped
    assert [one["name"] for one in verdict.uncompared] == uncompared


@pytest.mark.slow
def test_a_branch_that_changes_what_came_from_before_is_told(tmp_path: Path) -> None:
    """The reference has a copy; the pipeline refuses, by name."""
    cells: list[Cell] = [
        ("seen = []\nadd = seen.append", {"step": "load"}),
        ("add(n)", {"step": "train", "each": "n in [1, 2]"}),
        ("print(seen)", {"step": "show"}),
    ]
    verdict = checked(tmp_path, *cells)
    assert (verdict.outcome, found(verdict)[0]) == ("different", ("error", 1, "stopped"))
    assert verdict.differences[0].single == "ran to its end"


def test_a_pipeline_that_gathers_wrongly_is_different(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: the reference does what is right, whatever the pipeline does."""
    right = checking.run_pipeline

    def wrong(bench: Any, view: Any, name: str, *rest: Any) -> Side:
        path = view.folder / name
        path.write_text(path.read_text().replace("n in [1, 2]", "n in [2, 1]"))
        return right(bench, view, name, *rest)

    monkeypatch.setattr(checking, "run_pipeline", wrong)
    verdict = checked(tmp_path, ("x = n * 10", {"step": "train", "each": "n in [1, 2]"}), ("print(x)", {"step": "show"}))
    assert verdict.outcome == "different"
    assert [one for one in found(verdict) if one[0] != "file"] == [("output", 1, "stdout"), ("value", None, "n"), ("value", 0, "x")]


@pytest.mark.parametrize("go", [True, False])
def test_a_condition_decides_what_is_compared(tmp_path: Path, go: bool) -> None:
    verdict = checked(tmp_path, (f"n = {int(go)}", {"step": "load"}), ("print('ran')\nn = 5", {"step": "tune", "when": "n > 0"}))
    assert (verdict.outcome, verdict.counts.values, verdict.counts.outputs) == ("equal", 1, int(go))

"""A verdict as a value, as JSON and in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_mlops.check.folders import compare, view_of
from jupyter_mlops.check.verdict import Counts, Difference, Verdict, ordered, sentence, words
from jupyter_mlops.settings import Settings, Storage

VALUE = Difference("value", "x", "1", "2", 3, "x[0]")
FILE = Difference("file", "out.csv", "wrote sha256:1", "did not write it")
STEADY = Difference("output", "stdout", "a", "b", 1, unsteady=True)


@pytest.mark.parametrize(
    ("differences", "outcome"),
    [((), "equal"), ((VALUE,), "different"), ((STEADY,), "unsteady"), ((STEADY, VALUE), "different")],
)
def test_outcome(differences: tuple[Difference, ...], outcome: str) -> None:
    verdict = Verdict("a.ipynb", Counts(2, 1), differences)
    assert verdict.outcome == verdict.to_json()["outcome"] == outcome


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        (Verdict("a.ipynb", Counts(12, 1)), "equal: 12 values, 1 output"),
        (Verdict("a.ipynb", Counts(0, 0, 2, 1)), "equal: 0 values, 0 outputs, 2 files, 1 logged artifact"),
        (
            Verdict("a.ipynb", Counts(0, 3), stopped={"cell": 4, "line": 2, "error": "KeyError"}),
            "equal: 0 values, 3 outputs; both stop at cell 4, line 2: KeyError",
        ),
        (Verdict("a.ipynb", Counts(1, 1), (VALUE, STEADY)), "different: 1 difference; equal are 1 value, 1 output"),
        (
            Verdict("a.ipynb", Counts(1, 1), (STEADY,)),
            "not decided: what differs, differs between two plain runs too; equal are 1 value, 1 output",
        ),
    ],
)
def test_sentence(verdict: Verdict, said: str) -> None:
    assert sentence(verdict) == said


def test_words() -> None:
    assert words(VALUE) == ["cell 3: value of x[0]", "  single kernel  1", "  pipeline       2"]
    assert words(FILE)[0] == "file out.csv"
    assert words(STEADY) == ["cell 1: output stdout differs between two plain runs too"]


def test_where_a_side_stopped_comes_first_and_cells_in_order() -> None:
    stop = Difference("error", "stopped", "a", "b", 9)
    late = Difference("output", "stdout", "a", "b", 7)
    assert ordered([FILE, VALUE, late, STEADY, stop]) == (stop, STEADY, late, VALUE, FILE)


def test_files() -> None:
    before = {"data.csv": "sha256:0", "gone.txt": "sha256:1"}
    single = {"data.csv": "sha256:0", "out.csv": "sha256:2", "plot.png": "sha256:3", "made": "folder"}
    pipeline = {"data.csv": "sha256:9", "gone.txt": "sha256:1", "out.csv": "sha256:2", "made": "folder"}
    equal, found = compare(before, single, pipeline)
    assert equal == 2
    assert [(one.what, one.single, one.pipeline) for one in found] == [
        ("data.csv", "left it as it was", "wrote sha256:9"),
        ("gone.txt", "removed it", "left it as it was"),
        ("plot.png", "wrote sha256:3", "did not write it"),
    ]


def test_a_view_is_a_copy_with_its_surroundings(tmp_path: Path) -> None:
    home = tmp_path / "project" / "notebooks"
    home.mkdir(parents=True)
    (home / "a.csv").write_text("1")
    (home.parent / "shared.csv").write_text("2")
    view = view_of(home, tmp_path / "work", Settings(Storage(tmp_path / "mlops")))
    before = view.files()
    (view.folder / "a.csv").write_text("changed")
    assert (home / "a.csv").read_text() == "1"
    assert (view.folder / ".." / "shared.csv").read_text() == "2"
    assert {path for path in before if view.files()[path] != before[path]} == {"a.csv"}

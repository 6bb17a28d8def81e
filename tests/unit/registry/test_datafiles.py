"""Data files that travel: those that a cell names, within the folder and the limit, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_mlops.registry import datafiles
from jupyter_mlops.registry.datafiles import Data, data_files

TREE = (
    "rows.csv",
    "data/a.csv",
    "data/b.csv",
    "data/deep/c.txt",
    ".git/config",
    "node_modules/x.csv",
    "lib/helper.py",
    "out.ipynb",
    "ü b.txt",
)
IGNORE = (".git", "node_modules")

CASES = [
    ('pd.read_csv("rows.csv")', ["rows.csv"]),
    ('open("./rows.csv")', ["rows.csv"]),
    ('PATH = "data/a.csv"', ["data/a.csv"]),
    ('glob("data/*.csv")', ["data/a.csv", "data/b.csv"]),
    ('glob("**/*.txt", recursive=True)', ["data/deep/c.txt", "ü b.txt"]),
    ('Path("data") / name', ["data/a.csv", "data/b.csv", "data/deep/c.txt"]),
    ('%time df = pd.read_csv("rows.csv")', ["rows.csv"]),
    ('open("ü b.txt")', ["ü b.txt"]),
    ('print("*", "**", "?", ".", "", "/")', []),
    ('open("gone.csv"); open("../outside.csv"); open("/etc/hosts"); open("~/x"); open("https://x/rows.csv")', []),
    ('open("data/../../outside.csv")', []),
    ('open(".git/config"); glob("*/x.csv"); open("out.ipynb")', []),
    ('f"{folder}/rows.csv"', []),
    ("x = (", []),
    ("rows = 'a' * 3\n'rows.csv\\n'", []),
    (f'"{"x" * 5000}"', []),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "work"
    for name in TREE:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(name)
    (tmp_path / "outside.csv").write_text("no")
    return place


@pytest.mark.parametrize(("source", "expected"), CASES, ids=[source[:40] for source, _ in CASES])
def test_what_a_cell_names(source: str, expected: list[str], folder: Path) -> None:
    found = data_files([source], folder, IGNORE)
    assert list(found.files) == expected
    assert found.left == {}
    assert all(path.read_text() == name for name, path in found.files.items())


def test_modules_travel_once(folder: Path) -> None:
    assert data_files(['sys.path.append("lib")'], folder, IGNORE, ["lib/helper.py"]).files == {}


def test_a_link_travels_as_its_file(folder: Path) -> None:
    (folder / "link.csv").symlink_to(folder.parent / "outside.csv")
    (folder / "broken.csv").symlink_to(folder / "nowhere")
    found = data_files(['open("link.csv"); open("broken.csv")'], folder, ())
    assert [path.read_text() for path in found.files.values()] == ["no"]


def test_what_does_not_fit_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datafiles, "LIMIT", 30)
    (folder / "rows.csv").write_text("x" * 40)
    found = data_files(['open("rows.csv"), "data"'], folder, ())
    assert found.left == {"rows.csv": 40, "data/deep/c.txt": 15}
    assert list(found.files) == ["data/a.csv", "data/b.csv"]


def test_there_are_no_more_than_many(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datafiles, "MOST", 1)
    assert data_files(['"data"'], folder, ()) == Data(
        {"data/a.csv": folder / "data/a.csv"}, {"data/b.csv": 10, "data/deep/c.txt": 15}
    )

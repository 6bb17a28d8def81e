"""`jupyter mlops steps`: lists, changes, and what the notebook's file looks like afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.notebook_building import document

Mlops = Callable[..., Any]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A notebook with two headings, in Jupyter's own form."""
    found = tmp_path / "n.ipynb"
    cells = document("md:# Load", "x = 1  # größer", "y = x", "md:# Train", "m = fit(y)", "print(m)")
    found.write_text(json.dumps(cells, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return found


def named(found: Any) -> dict[str, list[int]]:
    return {step["name"]: step["cells"] for step in found.json["steps"]}


def test_steps_are_listed(mlops: Mlops, path: Path) -> None:
    before = path.read_bytes()
    assert named(mlops("steps", "n.ipynb", "--json")) == {"load": [1, 2], "train": [4, 5]}
    words = mlops("steps", "n.ipynb").out
    assert "load" in words
    assert "4-5" in words
    assert path.read_bytes() == before


@pytest.mark.slow
def test_a_change_is_written_and_taken_back(mlops: Mlops, path: Path) -> None:
    before = path.read_bytes()
    path.chmod(0o640)
    done = mlops("steps", "n.ipynb", "--split", "5", "--name", "show", "--json")
    assert named(done) == {"load": [1, 2], "train": [4], "show": [5]}
    assert [edit["cell"] for edit in done.json["changed"]] == [1, 4, 5]
    assert named(mlops("convert", "n.ipynb", "--json")) == named(done)
    assert path.stat().st_mode & 0o777 == 0o640
    assert "größer".encode() in path.read_bytes()
    assert named(mlops("steps", "n.ipynb", "--rename", "show", "tell", "--json")) == {"load": [1, 2], "train": [4], "tell": [5]}
    assert named(mlops("steps", "n.ipynb", "--join", "train", "tell", "--json")) == {"load": [1, 2], "train": [4, 5]}
    assert path.read_bytes() == before


def test_reset_takes_back_all_at_once(mlops: Mlops, path: Path) -> None:
    before = path.read_bytes()
    assert mlops("steps", "n.ipynb", "--split", "2").code == 0
    assert path.read_bytes() != before
    assert mlops("steps", "n.ipynb", "--reset").code == 0
    assert path.read_bytes() == before


def test_a_dry_run_writes_nothing(mlops: Mlops, path: Path) -> None:
    before = path.read_bytes()
    assert named(mlops("steps", "n.ipynb", "--split", "2", "--dry-run", "--json")) == {"load": [1], "load-2": [2], "train": [4, 5]}
    assert path.read_bytes() == before


def test_a_link_stays_a_link(mlops: Mlops, path: Path) -> None:
    real = path.with_name("real.ipynb")
    path.rename(real)
    path.symlink_to(real.name)
    assert mlops("steps", "n.ipynb", "--split", "2").code == 0
    assert path.is_symlink()
    assert b'"step": "load-2"' in real.read_bytes()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--split", "0"], "no step runs cell 0"),
        (["--split", "x"], "invalid int value"),
        (["--join", "load", "nosuch"], "there is no step nosuch"),
        (["--rename", "load", "train"], "a step train already"),
        (["--name", "x"], "--split"),
        (["--reset", "--split", "2"], "not allowed with"),
        (["--splt", "2"], "Did you mean --split?"),
    ],
)
def test_wrong_usage_is_told_with_a_fix(mlops: Mlops, path: Path, words: list[str], says: str) -> None:
    before = path.read_bytes()
    done = mlops("steps", "n.ipynb", *words)
    assert done.code == 2
    assert says in done.err
    assert path.read_bytes() == before


def test_an_order_is_pinned_and_taken_back(mlops: Mlops, path: Path) -> None:
    before = path.read_bytes()
    done = mlops("steps", "n.ipynb", "--pin", "load", "train", "--json")
    assert [(edit["cell"], edit["metadata"]) for edit in done.json["changed"]] == [(4, {"tags": ["prev:Load"]})]
    assert done.json["steps"][1]["needs"] == ["load"]
    assert mlops("steps", "n.ipynb", "--pin", "load", "train", "--json").json["changed"] == []
    mlops("steps", "n.ipynb", "--unpin", "load", "train")
    assert path.read_bytes() == before

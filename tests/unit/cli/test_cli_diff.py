"""``diff`` and ``convert --to python`` on the command line."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Mlops = Callable[..., Any]


def write(path: Path, *sources: str) -> None:
    cells = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {"tags": [f"step:s{n}"]}, "source": source, "outputs": [],
         "execution_count": None}
        for n, source in enumerate(sources)
    ]  # fmt: skip
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}))


def git(folder: Path, *words: str) -> None:
    person = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *person, *words], cwd=folder, check=True, capture_output=True)


def test_two_notebooks(mlops: Mlops, tmp_path: Path) -> None:
    write(tmp_path / "a.ipynb", "x = 1", "y = x")
    write(tmp_path / "b.ipynb", "x = 1", "y = x + 1\nprint(y)")
    done = mlops("diff", "a.ipynb", "b.ipynb")
    assert done.code == 1
    assert done.out.splitlines() == [
        "step s1: changed, cells 1", "  @@ cell 1", "  -y = x", "  +y = x + 1", "  +print(y)", "runs again: s1",
    ]  # fmt: skip
    found = mlops("diff", "a.ipynb", "b.ipynb", "--json").json
    assert (found["same"], found["reruns"]) == (False, ["s1"])
    same = mlops("diff", "a.ipynb", "a.ipynb")
    assert (same.code, same.out) == (0, "no difference\n")


def test_against_the_last_commit(mlops: Mlops, tmp_path: Path) -> None:
    folder = tmp_path / "project" / "deep"
    folder.mkdir(parents=True)
    git(folder.parent, "init", "-q")
    write(folder / "a.ipynb", "x = 1")
    refused = mlops("diff", "project/deep/a.ipynb", "--json")
    assert (refused.code, refused.json["error"]["code"]) == (2, "no-committed-version")
    git(folder, "add", "a.ipynb")
    git(folder, "commit", "-q", "-m", "one")
    assert mlops("diff", "project/deep/a.ipynb").code == 0
    write(folder / "a.ipynb", "x = 2")
    assert "+x = 2" in mlops("diff", "project/deep/a.ipynb").out


@pytest.mark.slow
def test_against_a_run(mlops: Mlops, tmp_path: Path) -> None:
    write(tmp_path / "a.ipynb", "x = 1", "y = x")
    run = mlops("run", "a.ipynb", "--json").json["run"]
    assert mlops("diff", run, "a.ipynb").code == 0
    write(tmp_path / "a.ipynb", "x = 3", "y = x")
    found = mlops("diff", run, "a.ipynb", "--json").json
    assert found["reruns"] == ["s0", "s1"]
    told = mlops("runs", run, "--json").json["deliveries"]
    assert [(one["step"], one["delivered"], one["changed"]) for one in told["steps"]] == [("s0", [], ["x"]), ("s1", ["x"], ["y"])]
    assert (told["unplanned"], told["unused"]) == ([], [])


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("missing.ipynb",), "not-found"),
        (("a.ipynb", "missing-run"), "run-not-found"),
        (("broken.ipynb", "a.ipynb"), "syntax-error"),
    ],
)
def test_what_cannot_be_compared(words: tuple[str, ...], code: str, mlops: Mlops, tmp_path: Path) -> None:
    write(tmp_path / "a.ipynb", "x = 1")
    write(tmp_path / "broken.ipynb", "x = (")
    done = mlops("diff", *words, "--json")
    assert (done.code, done.json["error"]["code"]) == (2, code)


@pytest.mark.slow
def test_a_script(mlops: Mlops, tmp_path: Path) -> None:
    write(tmp_path / "a.ipynb", "x = 1", "x + 1")
    assert mlops("convert", "a.ipynb", "--to", "python", "-o", "a.py").code == 0
    assert "_mlops_show((x + 1))" in (tmp_path / "a.py").read_text()
    assert mlops("convert", "a.ipynb", "--to", "python").code == 2
    assert mlops("convert", "a.ipynb", "--to", "python", "-o", "-").out == (tmp_path / "a.py").read_text()
    write(tmp_path / "b.ipynb", "1 + 1", "x = _")
    refused = mlops("convert", "b.ipynb", "--to", "python", "-o", "b.py")
    assert refused.code == 2
    assert "export-history" in refused.err or "no history" in refused.err
    assert not (tmp_path / "b.py").exists()

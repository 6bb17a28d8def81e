"""``jupyter mlops lineage`` on a real run, and deletions that lineage stands against."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.registry.events import history
from jupyter_mlops.registry.provenance import Made, Thing, record_lineage
from jupyter_mlops.runner.dataset import publish_dataset

CELLS = [
    ("import pandas as pd\nfrom jupyter_mlops import log_dataset, log_model\nlog_dataset(pd.DataFrame({'a': [1, 2]}), 'rows')", ["step:data"]),
    ("trees = 5", ["parameters"]),
    ("from jupyter_mlops import load_dataset\nold = load_dataset('old'), load_dataset('rows')\nlog_model(lambda rows: rows, 'echo')", ["step:train"]),
]  # fmt: skip


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A notebook in a git repository of its own."""
    folder = tmp_path / "work"
    folder.mkdir()
    cells = [
        {
            "cell_type": "code",
            "id": f"c{place}",
            "source": source,
            "metadata": {"tags": tags},
            "outputs": [],
            "execution_count": None,
        }
        for place, (source, tags) in enumerate(CELLS)
    ]
    path = folder / "made.ipynb"
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}))
    for variable in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{variable}_NAME", "a")
        monkeypatch.setenv(f"GIT_{variable}_EMAIL", "a@example.com")
    if shutil.which("git"):
        for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "one"]):
            subprocess.run(["git", *words], cwd=folder, check=True)
    return path


@pytest.fixture
def old(mlops_home: Path, tmp_path: Path) -> None:
    """A dataset that was there before."""
    folder = tmp_path / "old"
    folder.mkdir()
    (folder / "data.csv").write_text("a\n1\n")
    publish_dataset(Layout(mlops_home / "registry"), "old", folder, {"source": "frame"}, key="old", annotations={})


@pytest.mark.slow
@pytest.mark.usefixtures("old")
def test_a_run_tells_what_it_made(mlops: Callable[..., Any], notebook: Path) -> None:
    ran = mlops("run", str(notebook), "-p", "trees=7", "--json")
    assert ran.code == 0, ran.err
    run = mlops("runs", "--json").json["runs"][0]["name"]
    for name in ("echo", "rows", "datasets/rows:v1"):
        (origin,) = mlops("lineage", name, "--json").json["origins"]
        assert (origin["run"], origin["pipeline"], origin["notebook"]) == (run, "made", "made.ipynb")
        assert origin["parameters"] == {"trees": 7}
        assert {one["name"] for one in origin["materials"]} >= {"bundle", "notebook"}
        assert bool(origin["commit"]) == bool(shutil.which("git"))
        assert origin["dirty"] is False
    said = mlops("lineage", "echo").out
    for line in ("models/echo:v1", f"run {run} of made (local", "notebook made.ipynb", "parameter trees = 7"):
        assert line in said
    assert "    datasets/old:v1" in said
    assert "    datasets/rows:v1" in said, "recorded by an earlier step of this very run"
    assert f"    models/echo:v1  by run {run}" in mlops("lineage", "old", "--down").out
    assert "Nothing is told of what made it" in mlops("lineage", "old").err
    assert "Nothing was made of it" in mlops("lineage", "echo", "--down").err
    assert "there is no version" in mlops("lineage", "ecco").err


@pytest.mark.slow
@pytest.mark.usefixtures("old")
def test_reindex_tells_what_it_found(mlops: Callable[..., Any], mlops_home: Path, notebook: Path) -> None:
    assert mlops("registry", "reindex", "--json").json == {"models": 0, "datasets": 1, "statements": 0, "new": 0}
    assert mlops("run", str(notebook)).code == 0
    shutil.rmtree(mlops_home / "registry" / "_index", ignore_errors=True)
    assert mlops("registry", "reindex", "--json").json == {"models": 1, "datasets": 2, "statements": 2, "new": 0}
    assert "2 versions say what made them" in mlops("registry", "reindex").out


@pytest.mark.slow
def test_what_something_was_made_of_is_not_deleted_without_a_reason(
    mlops: Callable[..., Any], mlops_home: Path, tmp_path: Path
) -> None:
    layout = Layout(mlops_home / "registry")
    things = []
    for name in ("raw", "clean"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "a.csv").write_text(name)
        things.append(Thing(f"datasets/{name}", *publish_dataset(layout, name, folder, {}, key=name, annotations={"run": "r"})))
    raw, clean = things
    record_lineage(layout, Made("p", "r", inputs=[raw], outputs=[clean]))
    refused = mlops("datasets", "delete", "raw:v1")
    assert refused.code == 2
    assert "datasets/raw:v1 is what datasets/clean:v1 was made of" in refused.err
    assert "--reason" in refused.err
    assert "datasets/clean:v1  by run r" in mlops("lineage", "raw", "--down").out
    assert mlops("datasets", "delete", "raw:v1", "--reason", "holds personal data").code == 0
    (event,) = history(layout, "datasets/raw", [])
    assert (event["action"], event["tag"], event["reason"]) == ("delete", "v1", "holds personal data")
    assert "datasets/raw:v1 (deleted)" in mlops("lineage", "clean").out
    assert mlops("datasets", "delete", "clean:v1").code == 0, "nothing was made of it"

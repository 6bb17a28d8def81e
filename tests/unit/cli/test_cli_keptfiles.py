"""``jupyter mlops runs RUN``: the files and series of metrics that a run kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CELLS = [
    "from jupyter_mlops import log_artifact, log_metrics\nimport pathlib\npathlib.Path('note.txt').write_text('hello')\nlog_artifact('note.txt')",
    "for epoch in range(3):\n    log_metrics(loss=1 / (epoch + 1), step=epoch)",
]


@pytest.mark.slow
def test_files_and_series(mlops: Callable[..., Any], tmp_path: Path) -> None:
    cells = [
        {
            "cell_type": "code", "id": f"c{place}", "source": source, "metadata": {"tags": [f"step:s{place}"]}, "outputs": [],
            "execution_count": None,
        }
        for place, source in enumerate(CELLS)
    ]  # fmt: skip
    path = tmp_path / "kept.ipynb"
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}))
    ran = mlops("run", str(path))
    assert ran.code == 0, ran.err
    run = mlops("runs", "--json").json["runs"][0]["name"]
    shown = mlops("runs", run, "--json").json
    assert [(one["name"], one["step"], one["task"]) for one in shown["series"]] == [("loss", step, "s1") for step in range(3)]
    assert [one["value"] for one in shown["series"]] == [1, 0.5, 1 / 3]
    assert all(one["time"] for one in shown["series"])
    assert {one["name"] for one in shown["files"]} >= {"artifacts/note.txt", "metrics.jsonl", "workflow.json"}
    said = mlops("runs", run).out
    assert "series loss: 3 values" in said
    assert "file note.txt  5 B" in said
    out = tmp_path / "out"
    assert f"files in {out}" in mlops("runs", run, "--files", str(out)).err
    assert (out / "artifacts" / "note.txt").read_text() == "hello"
    assert len((out / "metrics.jsonl").read_text().splitlines()) == 3
    (tmp_path / "file").write_text("")
    assert "cannot write" in mlops("runs", run, "--files", str(tmp_path / "file")).err

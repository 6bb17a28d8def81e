"""``jupyter mlops datasets``: the words and the JSON."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.runner.dataset import publish_dataset


@pytest.fixture
def recorded(mlops_home: Path, tmp_path: Path) -> None:
    """``rides`` in two versions."""
    for number, files in enumerate(({"a.csv": "1", "b.csv": "2"}, {"a.csv": "11", "c.csv": "3"})):
        folder = tmp_path / f"in{number}"
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text)
        facts = {"rows": number, "columns": [{"name": "n", "datatype": ("INT64", "FP64")[number]}]}
        publish_dataset(Layout(mlops_home / "registry"), "rides", folder, facts, key=str(number), annotations={"run": "r-1"})


@pytest.mark.slow
@pytest.mark.usefixtures("recorded")
def test_from_list_to_deletion(mlops: Callable[..., Any], tmp_path: Path) -> None:
    assert "rides" in mlops("datasets").out
    (listed,) = mlops("datasets", "--json").json["datasets"]
    assert (listed["name"], listed["tag"], listed["rows"], listed["bytes"]) == ("rides", "v2", 1, 3)
    shown = mlops("datasets", "show", "rides", "--json").json
    assert [one["tag"] for one in shown["versions"]] == ["v2", "v1"]
    assert [file["path"] for file in shown["files"]] == ["a.csv", "c.csv"]
    assert "FP64" in mlops("datasets", "show", "rides").out
    assert "b.csv" in mlops("datasets", "show", "rides:v1").out
    said = mlops("datasets", "diff", "rides:v1", "rides:v2").out
    for line in ("+ c.csv", "- b.csv", "~ a.csv", "column n: INT64 → FP64", "rows: 0 → 1", "0 files are the same"):
        assert line in said
    changes = mlops("datasets", "diff", "rides:v1", "rides:v2", "--json").json
    assert [one["path"] for one in changes["changed"]] == ["a.csv"]
    pulled = mlops("datasets", "pull", "rides:v1", str(tmp_path / "out"))
    assert "2 files" in pulled.out
    assert (tmp_path / "out" / "b.csv").read_text() == "2"
    assert mlops("datasets", "delete", "rides:v2").code == 0
    assert mlops("datasets", "--json").json["datasets"][0]["tag"] == "v1"


def test_without_any(mlops: Callable[..., Any]) -> None:
    assert "log_dataset" in mlops("datasets").err
    assert mlops("datasets", "--json").json == {"datasets": []}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["show"], "datasets show NAME[:TAG]"),
        (["diff", "a:v1"], "datasets diff NAME:TAG NAME:TAG"),
        (["delete", "rides"], "datasets delete rides:v1"),
        (["show", "nothing"], "no dataset named"),
        (["pull", "NO"], "not a valid"),
    ],
)
def test_wrong_words(mlops: Callable[..., Any], words: list[str], said: str) -> None:
    found = mlops("datasets", *words)
    assert found.code != 0
    assert said in found.err

"""The environment on the command line: with a conversion, with a run, and where a package is missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from tests.unit.notebook_building import Spec, document


def write(folder: Path, *cells: Spec) -> str:
    path = folder / "nb.ipynb"
    path.write_text(json.dumps(document(*cells, metadata={"kernelspec": {"name": "python3", "language": "python"}})))
    return str(path)


@pytest.mark.slow
def test_a_conversion_and_a_run_say_what_is_imported(mlops: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("1\n")
    (tmp_path / "helper.py").write_text("import cloudpickle\n")
    path = write(tmp_path, ("import helper\nrows = open('rows.csv').read()", ["step:load"]), ("print(rows)", ["step:show"]))
    shown = mlops("convert", path, "--json").json["environment"]
    expected = {"name": "cloudpickle", "version": metadata.version("cloudpickle"), "modules": ["cloudpickle"], "source": "index"}
    assert shown["distributions"] == [expected]
    assert (shown["local"], shown["data"], shown["left"], shown["missing"]) == (["helper"], ["rows.csv"], {}, [])
    assert shown["steps"] == {"load": ["cloudpickle"], "show": []}
    ran = mlops("run", path, "--json").json
    assert ran["phase"] == "Succeeded"
    kept = mlops("runs", ran["run"], "--json").json["environment"]
    assert kept == {key: value for key, value in shown.items() if key not in {"data", "left"}}


@pytest.mark.slow
def test_a_run_that_lacks_a_package_does_not_start(mlops: Callable[..., Any], tmp_path: Path) -> None:
    done = mlops("run", write(tmp_path, "print('never')", "import nowhere_at_all"), "--json")
    assert done.code == 2
    assert done.json["error"]["code"] == "missing-packages"
    assert done.json["error"]["cell"] == 1
    assert "fix: Install it: " in done.err
    assert mlops("runs", "--json").json == {"runs": []}


def test_a_conversion_without_the_kernel_says_nothing_of_it(mlops: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "nb.ipynb"
    path.write_text(json.dumps(document("import os", metadata={"kernelspec": {"name": "gone", "language": "python"}})))
    assert mlops("convert", str(path), "--json").json["environment"] is None

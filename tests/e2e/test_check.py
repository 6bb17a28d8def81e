"""``check``: equal is said of what is equal, and of nothing else; the examples are."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.check.check import check
from jupyter_mlops.check.verdict import Verdict
from jupyter_mlops.errors import NotFound, Refused, WrongUsage
from jupyter_mlops.flow import Workbench
from jupyter_mlops.settings import Settings, Storage
from tests.e2e.machine import ROOT, Machine

CONTROL = {"sweep"}
"""Examples with `each`, `when` or `finally`, which a script does not know; ``test_check_control`` checks them."""

EXAMPLES = [path for path in sorted((ROOT / "examples").glob("*.ipynb")) if path.stem not in CONTROL]


def notebook(folder: Path, *cells: str | tuple[str, dict[str, Any]], name: str = "nb.ipynb", numbered: bool = True) -> Path:
    """A notebook whose cells are a step each; ``numbered``: named for their place."""
    made = []
    for number, cell in enumerate(cells):
        source, metadata = cell if isinstance(cell, tuple) else (cell, {})
        tags = [*metadata.get("tags", ()), *([f"step:s{number}"] if numbered else [])]
        made.append(
            {"cell_type": "code", "id": f"c{number}", "metadata": {**metadata, "tags": tags}, "source": source,
             "outputs": [], "execution_count": None}
        )  # fmt: skip
    spec = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
    path = folder / name
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": spec, "cells": made}))
    return path


@dataclass
class Place:
    """A home and a folder."""

    bench: Workbench
    folder: Path

    def check(self, *cells: Any, **options: Any) -> Verdict:
        return check(self.bench, notebook(self.folder, *cells), **options)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "work").mkdir()
    return Place(Workbench(Settings(Storage(tmp_path / "home"))), tmp_path / "work")


def fingerprint(folder: Path) -> dict[str, tuple[str, int]]:
    return {
        str(path.relative_to(folder)): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_libraries_and_notebooks_know_a_step_as_a_kernel(place: Place) -> None:
    verdict = place.check(
        "import pandas as pd\nwide = pd.DataFrame([range(1000, 1030)] * 2)",
        "print(wide, pd.options.display.max_columns)",
        "wide",
        "print(type(get_ipython()).__name__, hasattr(get_ipython(), 'kernel'), 'IPKernelApp' in get_ipython().config)",
    )
    assert (verdict.outcome, verdict.differences) == ("equal", ())
    assert verdict.counts.outputs == 4


def test_what_one_side_cannot_store_is_not_compared(place: Place) -> None:
    verdict = place.check("import ipywidgets\nlabel = ipywidgets.Label('x')", "n = 1")
    assert verdict.outcome == "equal", verdict.differences
    assert [(one["name"], "cannot be stored" in one["reason"]) for one in verdict.uncompared] == [("label", True)]


def test_equal_and_nothing_of_the_folder_has_changed(place: Place) -> None:
    (place.folder / "in.txt").write_text("7")
    (place.folder / "tools.py").write_text("class Tool:\n    size = 3\n")
    cells = (
        ("n = 2", {"tags": ["parameters"]}),
        "from tools import Tool\nshared = [n, Tool()]\nother = shared\nnumbers = (i for i in range(3))\nprint('made')",
        "shared.append(int(open('in.txt').read()))\nopen('out.txt', 'w').write(str(len(other)))",
        "from jupyter_mlops import log_metrics, log_model\n%load_ext jupyter_mlops\n%mlops runs\nlog_metrics(loss=0.5)",
        "kept = log_model(lambda rows: rows, 'echo')\nkept",
        "f'{len(other)} of {n}'",
    )
    notebook(place.folder, *cells)
    before, told = fingerprint(place.folder), []
    verdict = place.check(*cells, parameters={"n": "5"}, tell=told.append)
    assert verdict.outcome == "equal", verdict
    assert verdict.stopped is None
    assert (verdict.counts.values, verdict.counts.outputs, verdict.counts.files, verdict.counts.logged) == (7, 5, 1, 1)
    assert [one["name"] for one in verdict.uncompared] == ["numbers"]
    assert {name: mark for name, mark in fingerprint(place.folder).items() if name != "nb.ipynb"} == {
        name: mark for name, mark in before.items() if name != "nb.ipynb"
    }
    assert not place.bench.settings.storage.home.exists()
    assert told[0] == "single kernel: cell 0 (1 of 6)"
    assert "pipeline: step s5 (6 of 6)" in told


def test_both_stop_at_the_same_place(place: Place) -> None:
    verdict = place.check("print('before')\nx = 1", "y = 2\n\nx / 0", "never = 1")
    assert verdict.outcome == "equal", verdict
    assert verdict.stopped == {"cell": 1, "line": 3, "error": "ZeroDivisionError"}
    assert verdict.counts.outputs >= 1


@pytest.mark.slow
def test_a_process_that_ends_ends_both(place: Place) -> None:
    verdict = place.check("print('before')", "import os\nos._exit(3)")
    assert verdict.outcome == "equal", verdict
    assert verdict.stopped == {"cell": 1, "line": None, "error": "the process ended"}


def test_an_exception_that_is_allowed_stops_neither_side(place: Place) -> None:
    verdict = place.check(("1 / 0", {"tags": ["raises-exception"]}), "x = 1")
    assert (verdict.outcome, verdict.stopped, verdict.counts.values) == ("equal", None, 1)


@pytest.mark.slow
def test_what_no_step_is_given_is_found(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_NOT_FOR_STEPS", "here")
    verdict = place.check("import os", "found = os.environ.get('MLOPS_NOT_FOR_STEPS')\nprint(found)", "fine = 1")
    assert verdict.outcome == "different"
    assert [(one.kind, one.cell, one.what, one.single, one.pipeline) for one in verdict.differences] == [
        ("output", 1, "stdout", "here", "None"),
        ("value", 1, "found", "a str", "a NoneType"),
    ]
    assert not any(one.unsteady for one in verdict.differences)


def test_what_the_notebook_leaves_of_the_process_is_compared(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_NOT_FOR_STEPS", "here")
    same = (
        "import os, random, sys, warnings\nrandom.seed(3)\nos.environ['MODE'] = 'a'\nsys.path.append('lib')",
        "import pandas as pd\npd.options.display.max_rows = 7\nwarnings.simplefilter('ignore')\ndrawn = random.random()",
    )
    verdict = place.check(*same, "if os.environ.get('MLOPS_NOT_FOR_STEPS'):\n    os.environ['MODE'] = 'b'", "random.random() > 2")
    assert verdict.outcome == "different"
    assert [(one.kind, one.what, one.path, one.single, one.pipeline) for one in verdict.differences] == [
        ("process", "environ", "environ[0][0][1]", "'b'", "'a'"),
    ]
    assert place.check(*same).outcome == "equal"


@pytest.mark.slow
def test_only_the_pipeline_stops(place: Place) -> None:
    verdict = place.check("print('one')\nnumbers = (i for i in range(3))", "total = sum(numbers)")
    assert verdict.outcome == "different"
    (found,) = verdict.differences
    assert (found.kind, found.single) == ("error", "ran to its end")
    assert "numbers" in found.pipeline
    assert "generator" in found.pipeline


@pytest.mark.slow
def test_what_no_two_runs_agree_in_is_never_called_equal(place: Place) -> None:
    verdict = place.check("import os, time\npid = os.getpid()", "print(time.time_ns())\nid([])", "steady = 3")
    assert verdict.outcome == "unsteady"
    assert {(one.kind, one.cell, one.what) for one in verdict.differences} == {
        ("value", 0, "pid"), ("output", 1, "stdout"), ("output", 1, "text/plain"),
    }  # fmt: skip
    assert all(one.unsteady for one in verdict.differences)


@pytest.mark.parametrize(
    ("cells", "options", "error", "code"),
    [
        (("x = (",), {}, Refused, "syntax-error"),
        (("x = 1",), {"parameters": {"y": "1"}}, WrongUsage, "unknown-parameter"),
        (("x = 1",), {"kernel": "no-such-kernel"}, NotFound, "kernel-not-found"),
    ],
)
def test_refused(place: Place, cells: Any, options: Any, error: type[Exception], code: str) -> None:
    with pytest.raises(error) as raised:
        place.check(*cells, **options)
    assert raised.value.code == code  # type: ignore[attr-defined]


@pytest.mark.slow
def test_the_command_line(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    try:
        path = notebook(machine.work, "x = 1\nprint(x)", "y = x + 1")
        answer = machine.ask("check", path)
        assert (answer["outcome"], answer["equal"]["values"], answer["steps"]) == ("equal", 2, 2)
        assert machine.run("check", path).out == "nb.ipynb (2 steps) equal: 2 values, 1 output\n"
        path = notebook(machine.work, "import os\nprint(os.getpid())")
        assert machine.ask("check", path, code=1)["outcome"] == "unsteady"
        assert machine.ask("check", path, "--allow-unsteady")["outcome"] == "unsteady"
        refused = machine.ask("check", notebook(machine.work, "x = ("), code=2)
        assert (refused["outcome"], refused["error"]["cell"]) == ("refused", 0)
        assert machine.ask("runs")["runs"] == []
    finally:
        machine.clean()


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_equal(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "examples"
    shutil.copytree(path.parent, folder, ignore=shutil.ignore_patterns(".*", "readings.csv"))
    before = fingerprint(folder)
    verdict = check(Workbench(Settings(Storage(tmp_path / "home"))), folder / path.name)
    assert verdict.outcome == "equal", verdict
    assert verdict.uncompared == ()
    assert verdict.counts.values > 20
    assert verdict.counts.outputs > 10
    assert fingerprint(folder) == before


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_runs_as_a_script_and_prints_what_it_prints(path: Path, tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    try:
        done = machine.run("convert", path.name, "--to", "python", "-o", "script.py")
        assert done.code == 0, done
        script = subprocess.run(
            [sys.executable, "script.py"], cwd=machine.work, env=machine.env, capture_output=True, text=True, timeout=100
        )
        assert script.returncode == 0, script.stderr
        answer = machine.ask("run", path.name)
        executed = json.loads(Path(answer["notebook"]).read_text())
        printed = [
            line
            for cell in executed["cells"]
            for output in cell.get("outputs", ())
            if output["output_type"] == "stream" and output["name"] == "stdout"
            for line in "".join(output["text"]).splitlines()
            if not line.startswith(("CPU times", "Wall time"))
        ]
        assert printed
        assert [line for line in printed if line not in script.stdout.splitlines()] == []
    finally:
        machine.clean()

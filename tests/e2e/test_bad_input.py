"""Bad input, each with an error that names the place and the fix; nothing is lost, nothing keeps running."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.machine import Machine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

TRAIN = """
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from jupyter_mlops import log_model

X = pd.DataFrame({"age": np.arange(20), "tenure": np.arange(20) % 7})
model = LogisticRegression().fit(X, (X["age"] > 9).astype(int))
log_model(model, "ages", data=X.head(2))
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    made = Machine(tmp_path_factory.mktemp("bad"))
    yield made
    made.clean()


def notebook(*cells: str | tuple[str, str], kernel: str = "python3", language: str = "python") -> str:
    """A notebook of code cells; a pair is (tag, source)."""
    made = []
    for index, cell in enumerate(cells):
        tag, source = cell if isinstance(cell, tuple) else ("", cell)
        made.append(
            {
                "cell_type": "code",
                "id": f"c{index}",
                "metadata": {"tags": [tag]} if tag else {},
                "source": source,
                "outputs": [],
                "execution_count": None,
            }
        )
    metadata = {"kernelspec": {"name": kernel, "display_name": kernel, "language": language}}
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": made})


OLD = json.dumps({"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": [], "metadata": {}}]})

REFUSED: dict[str, tuple[str, str, int | None, int | None, str, str]] = {
    "empty": ("", "not-a-notebook", None, None, "is empty", ".ipynb"),
    "text": ("print(1)", "not-a-notebook", None, None, "is not JSON", ".ipynb"),
    "json": ('{"a": 1}', "not-a-notebook", None, None, "not a notebook", ".ipynb"),
    "v3": (OLD, "old-notebook-format", None, None, "format 3", "nbconvert"),
    "julia": (notebook("x = 1", kernel="julia", language="julia"), "other-language", None, None, "julia", "Python kernel"),
    "syntax": (notebook("x = 1", "y = 2\nif y\n    z = 3"), "syntax-error", 1, 2, "cell 1", "Correct"),
    "input": (notebook("x = 1", "\nname = input('who? ')"), "input-call", 1, 2, "input()", "parameters"),
    "getpass": (notebook("import getpass\nsecret = getpass.getpass()"), "getpass-call", 0, 2, "getpass", "secret"),
    "cycle": (notebook(("step:a", "x = 1"), ("step:b", "y = x")).replace('"step:a"', '"step:a", "prev:b"').replace('"step:b"', '"step:b", "prev:a"'),
              "cycle", 1, None, "wait for each other", "prev:"),
    "twice": (notebook(("step:load", "x = 1"), ("step:train", "y = x"), ("step:load", "z = y")), "duplicate-step", 2, None, "'load' again", "another name"),
    "gpu": (notebook("%%step train --gpu many\nx = 1"), "invalid-metadata", 0, 1, "--gpu", "metadata.md"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_names_the_place_and_the_fix(machine, case):
    text, code, cell, line, message, fix = REFUSED[case]
    path = machine.work / f"{case}.ipynb"
    path.write_text(text)
    answer = machine.ask("convert", path.name, code=2)
    assert (answer["steps"], answer["links"], answer["parameters"]) == ([], [], [])
    found = next(item for item in answer["diagnostics"] if item["code"] == code)
    assert found["severity"] == "error"
    assert (found["cell"], found["line"]) == (cell, line) or (line is None and found["cell"] == cell)
    assert message in found["message"]
    assert fix in found["fix"]
    run = machine.ask("run", path.name, code=2)
    assert run["error"]["code"] == code
    assert run["error"]["cell"] == cell
    spoken = machine.run("convert", path.name)
    assert spoken.code == 2
    assert spoken.out == ""
    assert message in spoken.err
    assert fix in spoken.err
    assert path.read_text() == text


def test_every_finding_is_said_at_once(machine):
    (machine.work / "many.ipynb").write_text(notebook("x = (", "y = input()", "z = )"))
    answer = machine.ask("convert", "many.ipynb", code=2)
    assert [(item["code"], item["cell"]) for item in answer["diagnostics"] if item["severity"] == "error"] == [
        ("syntax-error", 0),
        ("input-call", 1),
        ("syntax-error", 2),
    ]


ARGUMENTS: list[tuple[list[str], str, str, str]] = [
    (["run", "gone.ipynb"], "not-found", "gone.ipynb", "path"),
    (["convert", "."], "not-found", "no notebook", "path"),
    (["run", "diamond.ipynb", "-p", "tree=3"], "unknown-parameter", "no parameter tree", "Did you mean trees?"),
    (["run", "diamond.ipynb", "-p", "trees=many"], "bad-parameter", "trees", "default"),
    (["run", "diamond.ipynb", "-p", "judge=r2"], "bad-parameter", "one of", "mae"),
    (["run", "diamond.ipynb", "-p", "trees"], "wrong-usage", "NAME=VALUE", "trees=50"),
    (["run", "churn.ipynb", "--kernel", "nope"], "kernel-not-found", "nope", "python3"),
    (["runs", "gone-x1"], "run-not-found", "gone-x1", ""),
    (["logs", "gone-x1"], "run-not-found", "gone-x1", ""),
    (["stop", "gone-x1"], "run-not-found", "gone-x1", ""),
    (["delete", "gone-x1"], "run-not-found", "gone-x1", ""),
    (["models", "gone"], "model-not-found", "gone", ""),
    (["deploy", "gone"], "model-not-found", "gone", ""),
    (["deploy", "Not Valid!"], "invalid-name", "Not Valid!", ""),
    (["predict", "gone"], "not-found", "gone", ""),
    (["services", "stop", "gone"], "not-found", "gone", ""),
    (["convrt", "x"], "wrong-usage", "convrt", "convert"),
    (["run", "churn.ipynb", "--detatch"], "wrong-usage", "--detatch", "--detach"),
]


@pytest.mark.parametrize(
    ("words", "code", "message", "fix"), ARGUMENTS, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_wrong_arguments(machine, words, code, message, fix):
    error = machine.ask(*words, code=2)["error"]
    assert error["code"] == code
    assert message in error["message"]
    assert fix in error["fix"]
    assert error["fix"]
    assert machine.ask("runs")["runs"] == []


def test_a_kernelspec_that_does_not_exist(machine):
    (machine.work / "conda.ipynb").write_text(notebook("x = 1", kernel="conda-env-old"))
    error = machine.ask("run", "conda.ipynb", code=2)["error"]
    assert error["code"] == "kernel-not-found"
    assert "conda-env-old" in error["message"]
    assert "--kernel" in error["fix"]
    assert machine.ask("run", "conda.ipynb", "--kernel", "python3")["phase"] == "Succeeded"


def failed(machine: Machine, name: str, *cells: str | tuple[str, str]) -> dict[str, Any]:
    """The answer of a run that must fail, which must say so everywhere and keep what came before."""
    (machine.work / f"{name}.ipynb").write_text(notebook(*cells))
    answer = machine.ask("run", f"{name}.ipynb", code=1)
    assert answer["phase"] == "Failed"
    assert machine.ask("runs", answer["run"])["phase"] == "Failed"
    return answer


def test_a_step_that_raises(machine):
    answer = failed(
        machine,
        "raises",
        ("step:load", "print('before')"),
        ("step:train", "def f(d):\n    return 1 / d\n\nprint('here')\nf(0)"),
        ("step:after", "print(1)"),
    )
    error = answer["error"]
    assert (error["code"], error["cell"]) == ("step-failed", 1)
    assert error["line"] in {2, 5}
    assert "ZeroDivisionError" in error["message"]
    assert "division by zero" in error["message"]
    assert [step["phase"] for step in answer["steps"]][:2] == ["Succeeded", "Failed"]
    assert answer["steps"][2]["phase"] in {"Skipped", "Pending"}
    executed = json.loads(Path(answer["notebook"]).read_text())
    assert executed["cells"][0]["outputs"][0]["text"] == "before\n"
    assert executed["cells"][1]["outputs"][-1]["ename"] == "ZeroDivisionError"
    spoken = machine.run("run", "raises.ipynb")
    assert spoken.code == 1
    assert "cell 1" in spoken.out
    assert "1 / d" in spoken.out


def test_a_value_that_cannot_be_stored(machine):
    answer = failed(
        machine,
        "generator",
        ("step:make", "import threading\nlock = threading.Lock()"),
        ("step:use", "with lock:\n    print('in')"),
    )
    error = answer["error"]
    assert error["code"] == "not-storable"
    assert "lock" in error["message"]
    assert error["fix"]


def test_making_one_is_no_error(machine):
    (machine.work / "unused.ipynb").write_text(
        notebook(("step:make", "squares = (n * n for n in range(3))\nx = 2"), ("step:use", "print(x)"))
    )
    assert machine.ask("run", "unused.ipynb")["phase"] == "Succeeded"


def test_a_model_name_that_is_no_repository(machine):
    answer = failed(machine, "badname", TRAIN.replace('"ages"', '"My Model!"'))
    assert answer["error"]["code"] in {"invalid-name", "step-failed"}
    assert "My Model!" in answer["error"]["message"]
    assert answer["error"]["cell"] == 0
    assert machine.ask("models")["models"] == []


@pytest.fixture(scope="module")
def served(machine):
    """The model ``ages``, ready."""
    (machine.work / "ages.ipynb").write_text(notebook(TRAIN))
    machine.ask("run", "ages.ipynb")
    yield machine.ask("deploy", "ages")
    machine.ask("services", "delete", "ages")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"age": 1}], ["tenure"]),
        ([{"age": 1, "tenure": 2, "colour": "red"}], ["colour"]),
        ([{"age": "old", "tenure": 2}], ["age"]),
        ([{"aeg": 1, "tenure": 2}], ["aeg"]),
        ([[1, 2, 3]], []),
    ],
)
def test_wrong_columns_are_named(machine, served, rows, words):
    (machine.work / "rows.json").write_text(json.dumps(rows))
    error = machine.ask("predict", "ages", "--data", "rows.json", code=1)["error"]
    assert error["code"] == "prediction-rejected"
    assert all(word in error["message"] for word in words)
    assert error["fix"]
    assert machine.ask("predict", "ages")["predictions"] == [0, 0]


@pytest.mark.parametrize(("text", "code"), [("", 2), ("not json, nor csv", 2), ("{", 2)])
def test_data_that_is_no_data(machine, served, text, code):
    error = machine.ask("predict", "ages", "--data", "-", code=code, stdin=text)["error"]
    assert error["code"] == "wrong-usage"
    assert error["fix"]


def test_a_port_in_use(machine, served):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        error = machine.ask("deploy", "ages", "--name", "second", "--port", port, code=2)["error"]
    assert error["code"] == "port-in-use"
    assert str(port) in error["message"]
    assert "--port" in error["fix"]
    if any(service["name"] == "second" for service in machine.ask("services")["services"]):
        machine.ask("services", "delete", "second")
    assert machine.ask("predict", "ages")["predictions"] == [0, 0]


def test_a_full_disk_in_the_registry(tmp_path):
    """A file system of 2 MB, in a mount namespace of its own: the run says what is full, and the registry is whole afterwards."""
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine gives no mount namespace to its user")
    machine = Machine(tmp_path)
    home = machine.home / "mlops"
    home.mkdir()
    (machine.work / "big.ipynb").write_text(
        notebook(("step:make", "import os\ndata = os.urandom(8_000_000)"), ("step:use", "print(len(data))"))
    )
    script = f'mount -t tmpfs -o size=2m tmpfs {home} && "$@"; code=$?; cp -r {home} {tmp_path}/after; exit $code'
    done = machine.run("run", "big.ipynb", "--json", prefix=("unshare", "-rm", "sh", "-c", script, "sh"))
    assert done.code == 1, done
    error = done.json["error"]
    assert error["code"] == "storage-full", done
    assert error["fix"]
    assert "Traceback (most recent call last)" not in done.err
    for index in (tmp_path / "after" / "registry").rglob("index.json"):
        json.loads(index.read_text())
    assert machine.quiet() == {}

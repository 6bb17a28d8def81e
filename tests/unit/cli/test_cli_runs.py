"""Commands on real runs: the JSON contracts, the words, and that the run outlives the one who waits."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """``write("a.ipynb", "x = 1", …)``; a cell may be a pair of source and tags."""

    def make(name: str, *cells: str | tuple[str, list[str]]) -> Path:
        made = []
        for index, cell in enumerate(cells):
            source, tags = (cell, []) if isinstance(cell, str) else cell
            metadata = {"tags": tags} if tags else {}
            made.append(
                {
                    "cell_type": "code",
                    "id": f"c{index}",
                    "source": source,
                    "metadata": metadata,
                    "outputs": [],
                    "execution_count": None,
                }
            )
        path = tmp_path / name
        path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": made}))
        return path

    return make


@pytest.fixture(autouse=True)
def _clean(mlops: Callable[..., Any], mlops_home: Path) -> Iterator[None]:
    """No run goes on after its test."""
    yield
    names = [one["name"] for one in mlops("runs", "--json").json["runs"]] if (mlops_home / "runs").is_dir() else []
    if names:
        assert mlops("delete", "--force", *names).code == 0


SUM = [("one = 1", ["step:load"]), ("scale = 2", ["parameters"]), ("total = one * scale\nprint('total', total)", ["step:add"])]


def test_convert_keeps_its_contract(mlops: Callable[..., Any], write: Write) -> None:
    write("sum.ipynb", *SUM)
    done = mlops("convert", "sum.ipynb", "--json")
    assert (done.code, done.err) == (0, "")
    found = done.json
    assert {"steps", "links", "parameters", "diagnostics"} <= set(found)
    assert all({"name", "cells", "needs"} <= set(step) for step in found["steps"])
    assert sorted(cell for step in found["steps"] for cell in step["cells"]) == [0, 1, 2]
    assert {"from": 0, "to": 2, "names": ["one"], "kind": "data"} in found["links"]
    [parameter] = found["parameters"]
    assert (parameter["name"], parameter["type"], parameter["default"], parameter["cell"]) == ("scale", "int", 2, 1)


@pytest.mark.slow
def test_convert_in_words_and_as_a_workflow(mlops: Callable[..., Any], write: Write, tmp_path: Path) -> None:
    import yaml

    write("sum.ipynb", *SUM)
    words = mlops("convert", "sum.ipynb").out
    assert "add ← " in words
    assert "one" in words
    assert "scale" in words
    done = mlops("convert", "sum.ipynb", "-o", "workflow.yaml")
    assert "wrote workflow.yaml" in done.err
    written = (tmp_path / "workflow.yaml").read_text()
    assert mlops("convert", "sum.ipynb", "-o", "-").out == written
    assert yaml.safe_load(written)["kind"] == "Workflow"
    assert sorted(path.name for path in tmp_path.glob("*workflow*")) == ["workflow.yaml"]
    nowhere = mlops("convert", "sum.ipynb", "-o", "none/workflow.yaml")
    assert (nowhere.code, "cannot write none/workflow.yaml" in nowhere.err) == (2, True)


def test_a_refused_notebook_keeps_the_contract_too(mlops: Callable[..., Any], write: Write) -> None:
    write("bad.ipynb", "fine = 1", "x = (1,")
    done = mlops("convert", "bad.ipynb", "--json")
    assert done.code == 2
    assert done.json["steps"] == []
    found = next(one for one in done.json["diagnostics"] if one["severity"] == "error")
    assert (found["cell"], found["line"]) == (1, 1)
    assert found["message"]
    assert found["fix"]
    assert "cell 1:1" in done.err
    run = mlops("run", "bad.ipynb", "--json")
    assert run.code == 2
    assert (run.json["run"], run.json["error"]["cell"], run.json["error"]["line"]) == (None, 1, 1)


@pytest.mark.slow
def test_run_keeps_its_contract(mlops: Callable[..., Any], write: Write) -> None:
    write("sum.ipynb", *SUM)
    done = mlops("run", "sum.ipynb", "-p", "scale=5", "--json")
    assert done.code == 0, done.err
    found = done.json
    assert (found["phase"], found["error"]) == ("Succeeded", None)
    assert all({"name", "phase", "cells", "seconds", "cached"} <= set(step) for step in found["steps"])
    assert [step["phase"] for step in found["steps"]] == ["Succeeded"] * len(found["steps"])
    assert all(step["seconds"] >= 0 and step["cached"] is False for step in found["steps"])
    executed = json.loads(Path(found["notebook"]).read_text())
    assert "total 5" in json.dumps(executed)
    assert "step add: Succeeded" in done.err

    name = found["run"]
    [listed] = mlops("runs", "--json").json["runs"]
    assert (listed["name"], listed["phase"], listed["parameters"]["scale"]) == (name, "Succeeded", 5)
    assert mlops("runs", name, "--json").json["name"] == name
    assert name in mlops("runs").out
    assert "Succeeded" in mlops("runs", name).out
    lines = mlops("logs", name, "--json").json["lines"]
    assert "total 5" in [line["text"] for line in lines]
    assert mlops("logs", name, "--step", "add").out.splitlines() == ["total 5"]
    wrong = mlops("logs", name, "--step", "none")
    assert (wrong.code, "Its steps are" in wrong.err) == (2, True)
    assert mlops("delete", name, "--json").json == {"deleted": [name]}
    assert mlops("runs", "--json").json == {"runs": []}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-p", "scal=5"], "Did you mean scale?"),
        (["-p", "scale=many"], "expected a whole number"),
        (["--kernel", "no-such-kernel"], "no kernel 'no-such-kernel'"),
    ],
)
def test_a_run_that_cannot_start_leaves_nothing(mlops: Callable[..., Any], write: Write, words: list[str], said: str) -> None:
    write("sum.ipynb", *SUM)
    done = mlops("run", "sum.ipynb", *words, "--json")
    assert done.code == 2
    assert said in done.err
    assert done.json["error"]["message"]
    assert mlops("runs", "--json").json == {"runs": []}


@pytest.mark.slow
def test_a_cell_that_raises(mlops: Callable[..., Any], write: Write) -> None:
    write("fails.ipynb", "a = 1", "b = 0\nprint(a / b)")
    done = mlops("run", "fails.ipynb", "--json")
    assert done.code == 1
    error = done.json["error"]
    assert (error["cell"], error["line"]) == (1, 2)
    assert "ZeroDivisionError" in error["message"]
    words = mlops("run", "fails.ipynb")
    assert words.code == 1
    assert "ZeroDivisionError" in words.out
    assert "print(a / b)" in words.out


SLOW = ["import time, pathlib\npathlib.Path('started').write_text('')", "print('going', flush=True)\ntime.sleep(120)"]


def until(check: Callable[[], Any], seconds: float = 60) -> Any:
    end = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def running(mlops: Callable[..., Any]) -> str | None:
    """The run whose second cell has begun."""
    for one in mlops("runs", "--json").json["runs"]:
        if one["phase"] == "Running" and "going" in mlops("logs", one["name"]).out:
            return str(one["name"])
    return None


@pytest.mark.slow
def test_detach_stop_and_delete(mlops: Callable[..., Any], write: Write) -> None:
    write("slow.ipynb", *SLOW)
    done = mlops("run", "slow.ipynb", "--detach", "--json")
    assert done.code == 0
    name = done.json["run"]
    assert f"jupyter mlops stop {name}" in done.err
    until(lambda: running(mlops))
    busy = mlops("delete", name)
    assert (busy.code, "--force" in busy.err) == (2, True)
    assert mlops("stop", name, "--json").json["name"] == name
    until(lambda: mlops("runs", name, "--json").json["phase"] == "Stopped")
    assert mlops("stop", name).code == 0


@pytest.mark.slow
@pytest.mark.parametrize(("words", "phase"), [([], "Running"), (["--stop-on-interrupt"], "Stopped")])
def test_ctrl_c_ends_the_waiting_and_the_run_only_if_asked(
    mlops: Callable[..., Any], write: Write, environment: dict[str, str], tmp_path: Path, words: list[str], phase: str
) -> None:
    write("slow.ipynb", *SLOW)
    command = [sys.executable, "-m", "jupyter_mlops.cli", "run", "slow.ipynb", "--json", *words]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=tmp_path, start_new_session=True
    ) as process:
        name = until(lambda: running(mlops))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == (130 if not words else 1), err
    assert json.loads(out)["run"] == name
    assert "Traceback" not in err
    if not words:
        assert f"{name} goes on" in err
        assert f"jupyter mlops stop {name}" in err
    until(lambda: mlops("runs", name, "--json").json["phase"] == phase)


@pytest.mark.slow
def test_logs_are_followed_to_the_end(mlops: Callable[..., Any], write: Write, environment: dict[str, str], tmp_path: Path) -> None:
    write("short.ipynb", "import time\nprint('first', flush=True)\ntime.sleep(1)\nprint('last')")
    name = mlops("run", "short.ipynb", "--detach", "--json").json["run"]
    assert mlops("logs", name, "-f").out.splitlines() == ["first", "last"]
    texts = [json.loads(line)["text"] for line in mlops("logs", name, "-f", "--json").out.splitlines()]
    assert texts == ["first", "last"]


@pytest.mark.slow
def test_a_terminal_shows_steps_bars_and_the_end_of_the_log(write: Write, environment: dict[str, str], tmp_path: Path) -> None:
    write("bars.ipynb", "import time\nprint('hello from the cell', flush=True)", "time.sleep(0.7)", "x = 1")
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "jupyter_mlops.cli", "run", "bars.ipynb"],
        stdout=subprocess.PIPE, stderr=follower, env={**environment, "TERM": "xterm"}, cwd=tmp_path,
    ) as process:  # fmt: skip
        os.close(follower)
        shown = b""
        while True:
            try:
                part = os.read(leader, 4096)
            except OSError:  # the other side closed
                break
            if not part:
                break
            shown += part
        out = process.stdout.read().decode() if process.stdout else ""
    os.close(leader)
    text = shown.decode()
    assert process.returncode == 0, text
    assert re.search(r"━+╌* [0-3]/3", text)
    assert "hello from the cell" in text
    assert "\x1b[" in text
    assert "✓" in text
    assert "Succeeded" in out

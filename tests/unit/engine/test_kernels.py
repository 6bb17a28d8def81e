"""From a kernelspec's name to a Python that can run steps."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.engine import kernels
from jupyter_mlops.engine.kernels import find_kernel, kernel_names
from jupyter_mlops.errors import MlopsError, NotFound, PlatformError, Refused

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
LAUNCH = ["-m", "ipykernel_launcher", "-f", "{connection_file}"]


@pytest.fixture
def specs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes kernelspecs that only this test sees."""
    root = tmp_path / "data" / "kernels"
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "data"))
    kernels._ask.cache_clear()

    def write(name: str, argv: list[str], language: str = "python", **more: Any) -> None:
        (root / name).mkdir(parents=True)
        (root / name / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": name, "language": language, **more}))

    yield write
    kernels._ask.cache_clear()


def program(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("name", ["", "python3"])
def test_the_default_kernel_is_this_python(name: str) -> None:
    found = find_kernel(name)
    assert (found.name, found.minor, found.language) == ("python3", MINOR, "python")
    done = subprocess.run([*found.command, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == sys.prefix


def test_a_python_without_a_path_is_the_one_jupyter_runs_in(specs: Any) -> None:
    specs("bare", ["python", *LAUNCH])
    assert find_kernel("bare").command == (sys.executable,)


def test_a_python_with_a_path_is_itself_and_keeps_its_variables(specs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BASE", "/opt/base")
    specs("own", [sys.executable, *LAUNCH], env={"SPARK_HOME": "${BASE}/spark", "X": "a b", "UNSET": "${NOT_SET_HERE}"})
    command = find_kernel("own").command
    done = subprocess.run(
        [*command, "-c", "import os; print(os.environ['SPARK_HOME'], os.environ['X'])"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "/opt/base/spark a b"


def test_what_stands_before_the_python_stays_before_it(specs: Any, tmp_path: Path) -> None:
    runner = program(tmp_path / "conda", 'shift 4; export RAN=yes; exec "$@"')
    specs("env1", [runner, "run", "--no-capture-output", "-n", "env1", sys.executable, *LAUNCH])
    found = find_kernel("env1")
    assert found.command == (runner, "run", "--no-capture-output", "-n", "env1", sys.executable)
    assert found.minor == MINOR


def test_a_kernel_that_is_not_there_is_told_with_those_that_are(specs: Any) -> None:
    specs("mine", [sys.executable, *LAUNCH])
    with pytest.raises(NotFound, match="no kernel 'gone'") as caught:
        find_kernel("gone")
    assert caught.value.code == "kernel-not-found"
    assert "--kernel" in caught.value.fix
    assert all(name in caught.value.fix for name in kernel_names())
    assert "mine" in kernel_names()


@pytest.mark.parametrize("name", ["../x", "a b", "ü", "x" * 300])
def test_a_name_that_cannot_be_one_is_not_found(name: str) -> None:
    with pytest.raises(NotFound):
        find_kernel(name)


def test_another_language_is_refused(specs: Any) -> None:
    specs("ir", ["R", "--slave"], "R")
    with pytest.raises(Refused, match="runs R"):
        find_kernel("ir")


def test_a_damaged_kernelspec_is_no_crash(specs: Any, tmp_path: Path) -> None:
    specs("bad", [])
    (tmp_path / "data/kernels/bad/kernel.json").write_text("{not json")
    with pytest.raises(MlopsError) as caught:
        find_kernel("bad")
    assert caught.value.fix


@pytest.mark.parametrize(
    ("script", "code", "part"),
    [
        ("exit 3", "kernel-not-starting", "python-x"),
        ("echo 'libpython.so: cannot open' >&2; exit 127", "kernel-not-starting", "libpython.so"),
        ("echo hello", "kernel-not-starting", "python-x"),
        ("echo '@probe [[3, 8], true]'", "kernel-too-old", "3.8"),
        ("echo noise; echo '@probe [[3, 12], false]'", "kernel-without-ipython", "no IPython"),
    ],
)
def test_a_python_that_cannot_run_steps_is_told_before_a_run(specs: Any, tmp_path: Path, script: str, code: str, part: str) -> None:
    specs("odd", [program(tmp_path / "python-x", script), *LAUNCH])
    with pytest.raises(PlatformError) as caught:
        find_kernel("odd")
    assert caught.value.code == code
    assert part in caught.value.message
    assert caught.value.fix


def test_a_python_that_is_gone_is_told(specs: Any, tmp_path: Path) -> None:
    specs("gone", [str(tmp_path / "venv/bin/python"), *LAUNCH])
    with pytest.raises(PlatformError) as caught:
        find_kernel("gone")
    assert caught.value.code == "kernel-not-starting"


def test_ipython_may_be_installed_after_it_was_missing(specs: Any, tmp_path: Path) -> None:
    marker = tmp_path / "installed"
    specs(
        "late",
        [
            program(tmp_path / "python3.12", f"[ -e {marker} ] && echo '@probe [[3, 12], true]' || echo '@probe [[3, 12], false]'"),
            *LAUNCH,
        ],
    )
    with pytest.raises(PlatformError):
        find_kernel("late")
    marker.touch()
    assert find_kernel("late").minor == "3.12"


def test_an_answer_is_kept_until_the_program_changes(specs: Any, tmp_path: Path) -> None:
    count = tmp_path / "count"
    path = tmp_path / "python3"
    specs("counted", [program(path, f"echo x >> {count}; echo '@probe [[3, 12], true]'"), *LAUNCH])
    assert [find_kernel("counted").minor for _ in range(3)] == ["3.12"] * 3
    assert count.read_text() == "x\n"
    path.unlink()
    program(path, "echo '@probe [[3, 13], true]'")
    assert find_kernel("counted").minor == "3.13"

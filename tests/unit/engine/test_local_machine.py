"""What the machine has, what a process's end means, and which variables pass."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.engine.local import folder as folders
from jupyter_mlops.engine.local import process as processes
from jupyter_mlops.engine.local.assemble import Executed
from jupyter_mlops.engine.local.environment import inherited
from jupyter_mlops.engine.local.folder import RunFolder, replace_file
from jupyter_mlops.engine.local.identity import oom_kills
from jupyter_mlops.engine.local.machine import Machine
from jupyter_mlops.engine.local.pod import Pod, here
from jupyter_mlops.engine.local.process import signal_words, start
from jupyter_mlops.engine.local.request import Request
from jupyter_mlops.errors import PlatformError
from jupyter_mlops.settings import Settings, Steps, Storage, Workspace


def test_the_machine_is_counted() -> None:
    machine = Machine()
    assert machine.processors >= 1
    assert machine.memory is not None
    assert machine.memory > 64 << 20
    assert machine.devices("example.com/thing") == 0
    present = [path for path in Path("/dev").glob("nvidia[0-9]*") if path.name[6:].isdigit()]
    assert machine.devices("nvidia.com/gpu") == len(present)


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        ({}, ""),
        ({"requests": {"memory": "1Mi", "cpu": "10m"}}, ""),
        ({"requests": {"memory": "nonsense"}}, ""),
        ({"limits": {"memory": "1Ei"}}, "of memory"),
        ({"requests": {"cpu": "1"}, "limits": {"cpu": "100000"}}, "100000 processors"),
    ],
)
def test_too_much_is_said(resources: dict, said: str) -> None:
    note = Machine().note({"resources": resources})
    assert (said in note) if said else note == ""


@pytest.mark.parametrize("asked", ["1", 1])
def test_a_device_that_is_not_here_is_refused_and_none_is_fine(asked: object) -> None:
    with pytest.raises(PlatformError, match="has none"):
        Machine().check("train", {"resources": {"limits": {"example.com/gpu": asked}}})
    Machine().check("train", {"resources": {"limits": {"example.com/gpu": "0", "memory": "1Ei", "cpu": "1000"}}})


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/mlops", "/pod/mlops"), ("/mlops/out/state", "/pod/mlops/out/state"), ("/mlops/work/x", "/pod/work/x"), ("/mlopsy", "/mlopsy"),
        ("x/mlops", "x/mlops"), ("--a=/mlops", "--a=/mlops"), ("", ""), ("/dev/shm", "/pod/shm"),
    ],
)  # fmt: skip
def test_the_longest_mount_at_the_start_of_a_path_counts(path: str, found: str) -> None:
    mounts = {"/mlops": Path("/pod/mlops"), "/mlops/work": Path("/pod/work"), "/dev/shm": Path("/pod/shm")}
    assert here(path, mounts) == found


@given(
    st.dictionaries(
        st.sampled_from(["PATH", "AWS_X", "JPY_Y", "LC_ALL", "MY_TOKEN", "CUDA_HOME", "KUBERNETES_PORT", "OMP_X", "MLOPS_X"]),
        st.text(max_size=3),
    )
)
def test_all_passes_that_is_not_a_servers_own(environ: dict[str, str]) -> None:
    assert inherited(environ) == {name: value for name, value in environ.items() if name not in {"JPY_Y", "MLOPS_X"}}


def pod(tmp_path: Path, source: str) -> Pod:
    return Pod(
        (sys.executable, "-c", source), {**os.environ, "MLOPS_POD": "test/x/0/"}, tmp_path, tmp_path, {}, tmp_path / "termination"
    )


@pytest.mark.parametrize(
    ("source", "code", "message"),
    [
        ("raise SystemExit(5)", 5, "main: Error (exit code 5)"),
        ("open('termination', 'w').write('said'); raise SystemExit(1)", 1, "main: Error (exit code 1): said"),
        ("open('termination', 'w').write('x' * 9000); raise SystemExit(1)", 1, "main: Error (exit code 1): " + "x" * 4096),
        ("import os; os.kill(os.getpid(), 15)", 143, "main: Error (exit code 143): ended (SIGTERM): somebody asked it to stop"),
    ],
)
def test_an_end_is_told_as_a_pods(tmp_path: Path, source: str, code: int, message: str) -> None:
    running = start(pod(tmp_path, source), tmp_path / "log")
    running.process.wait()
    assert running.code == code
    assert running.message(code) == message
    assert not running.lingers


def test_a_kill_while_the_system_ran_out_of_memory_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = start(pod(tmp_path, "import os; os.kill(os.getpid(), 9)"), tmp_path / "log")
    running.process.wait()
    assert "OOM" not in running.message(137)
    monkeypatch.setattr(processes, "oom_kills", lambda: (running.oom_before or 0) + 1)
    assert running.message(137) == "main: OOMKilled (exit code 137)"


@pytest.mark.skipif(sys.platform != "linux", reason="counters of Linux")
def test_the_system_counts_what_it_kills() -> None:
    assert (oom_kills() or 0) >= 0


def test_every_exit_code_by_a_signal_names_it_and_no_other_does() -> None:
    named = {number + 128: number.name for number in signal.Signals}
    assert all(name in signal_words(code) for code, name in named.items())
    assert {code for code in range(256) if signal_words(code)} == {126, 127, *named}


def test_steps_are_the_first_to_go_when_memory_runs_out(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("oom_score_adj is Linux's")
    running = start(pod(tmp_path, "import time; time.sleep(60)"), tmp_path / "log")
    try:
        assert int(Path(f"/proc/{running.process.pid}/oom_score_adj").read_text()) >= 300
    finally:
        running.kill()
        running.process.wait()


def test_a_request_comes_back_as_it_was_written(tmp_path: Path) -> None:
    settings = Settings(Storage(tmp_path, 7), Workspace(5, ("a", "*.b")), Steps(2.5, 100))
    request = Request("p", 1.25, "file:///x", settings, "/n.ipynb", ("python", "-s"), {"pid": 1})
    assert Request.from_document(request.to_document()) == request


def test_a_file_is_replaced_as_a_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f"
    replace_file(path, b"one")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("no")))
    with pytest.raises(OSError, match="no"):
        replace_file(path, b"two")
    assert path.read_bytes() == b"one"
    assert [found.name for found in tmp_path.iterdir()] == ["f"]


def test_the_reserve_is_given_up_for_the_last_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunFolder(tmp_path)
    folder.reserve()
    folder.write_workflow({"a": 1})
    assert folder.read_workflow() == {"a": 1}
    real, calls = folders.replace_file, []

    def full(path: Path, data: bytes, **more: object) -> None:
        calls.append(path)
        if (tmp_path / "reserve").exists():
            raise OSError(28, "No space left on device")
        real(path, data, **more)

    monkeypatch.setattr(folders, "replace_file", full)
    folder.write_workflow({"a": 2})
    assert (folder.read_workflow(), len(calls)) == ({"a": 2}, 2)


def test_an_executed_notebook_is_written_only_from_what_there_is(tmp_path: Path) -> None:
    executed = Executed(tmp_path / "executed.ipynb")
    executed.use([tmp_path / "nowhere"])
    executed.write()
    assert not (tmp_path / "executed.ipynb").exists()
    (tmp_path / "nb.ipynb").write_text(
        '{"cells": [{"cell_type": "code", "source": "1", "outputs": ["old"], "execution_count": 9}, 5]}'
    )
    executed.use([tmp_path / "nb.ipynb"])
    executed.write()
    assert not (tmp_path / "executed.ipynb").exists()
    executed.end_cell(0, "killed")
    executed.write()
    text = (tmp_path / "executed.ipynb").read_text()
    assert '"evalue": "killed"' in text
    assert "old" not in text

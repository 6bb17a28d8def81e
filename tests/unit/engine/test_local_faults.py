"""What must hold when things die, fill up or are in the way."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jupyter_mlops.engine.base import DONE
from jupyter_mlops.engine.local.identity import alive, identity, own
from jupyter_mlops.engine.local.recover import STARTING, settle
from jupyter_mlops.errors import PlatformError, StorageFull
from jupyter_mlops.testing.engine import phases, wait

if TYPE_CHECKING:
    from jupyter_mlops.engine.base import Run
    from tests.unit.engine.conftest import Lab

FAMILY = """
import subprocess, signal
child = "import time, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGHUP, signal.SIG_IGN); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", child])                              # in the step's group, deaf to SIGTERM
subprocess.Popen([sys.executable, "-c", child], start_new_session=True)      # has left it
subprocess.Popen([sys.executable, "-c", "import os, sys, time; os.fork() and sys.exit(); os.setsid(); os.fork() and sys.exit(); time.sleep(600)"]).wait()
print("ready", flush=True)
"""
"""A step with children of every kind: one in its group, one in a session of its own, one daemon without a parent."""


def started(lab: Lab, source: str, **options: Any) -> Run:
    """A run whose step has printed its first line."""
    run = lab.submit(("a", source), ("b", "pass"), **options)
    assert next(lab.engine.logs(run.name, follow=True)).text == "ready"
    return run


@pytest.mark.slow
def test_stop_ends_children_grandchildren_and_daemons(lab: Lab) -> None:
    run = started(lab, FAMILY + "time.sleep(600)")
    assert len(lab.left_of(run)) >= 4
    began = time.monotonic()
    assert lab.engine.control(run.name, "stop").phase == "Stopped"
    assert time.monotonic() - began < lab.settings.steps.stop_grace + 3
    lab.until(lambda: not lab.left_of(run))


@pytest.mark.slow
def test_what_a_finished_step_left_running_ends_with_it(lab: Lab) -> None:
    run = wait(lab.engine, started(lab, FAMILY).name)
    assert run.phase == "Succeeded"
    lab.until(lambda: not lab.left_of(run))


@pytest.mark.slow
def test_a_step_that_is_deaf_to_sigterm_is_killed_after_its_grace(lab: Lab) -> None:
    run = started(lab, "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)")
    assert lab.engine.control(run.name, "stop").phase == "Stopped"
    assert not lab.left_of(run)


def test_a_step_may_use_its_grace_to_end_well(lab: Lab) -> None:
    source = (
        "import signal\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('bye', flush=True), sys.exit(0)))\n"
        "print('ready', flush=True); time.sleep(600)"
    )
    run = started(lab, source)
    stopped = lab.engine.control(run.name, "stop")
    assert stopped.phase == "Stopped"
    assert phases(stopped)["b"] == "Skipped"
    assert lab.text(run).splitlines() == ["ready", "bye"]


def test_kill_9_of_a_step_is_a_failure_that_says_killed(lab: Lab) -> None:
    run = started(lab, "print('ready', flush=True); time.sleep(600)")
    os.kill(json.loads((lab.folder(run).pod("a") / "process.json").read_bytes())["pid"], signal.SIGKILL)
    run = wait(lab.engine, run.name)
    assert (run.phase, phases(run)) == ("Failed", {"a": "Failed", "b": "Skipped"})
    assert run.failure is not None
    assert (run.failure.code, run.failure.step) == ("killed", "a")
    assert "killed" in run.failure.message


def test_kill_9_of_the_supervisor_is_said_by_the_next_engine_and_nothing_is_left(lab: Lab) -> None:
    run = started(lab, FAMILY + "time.sleep(600)")
    os.kill(lab.supervisor(run)["pid"], signal.SIGKILL)
    lab.until(lambda: not alive(lab.supervisor(run)))
    found = lab.another().get(run.name)
    assert (found.phase, phases(found)) == ("Error", {"a": "Error", "b": "Skipped"})
    assert found.failure is not None
    assert (found.failure.code, found.failure.blame) == ("interrupted", "platform")
    assert "killed" in found.failure.message
    assert found.revision > run.revision
    lab.until(lambda: not lab.left_of(run))
    assert not (lab.folder(run).path / "work").exists()
    assert [again.phase for again in lab.engine.watch(run.name)] == ["Error"]


@pytest.mark.slow
def test_whoever_watches_or_follows_sees_the_end_of_a_killed_supervisor(lab: Lab) -> None:
    run = started(lab, "print('ready', flush=True); time.sleep(600)")
    watch, lines = lab.engine.watch(run.name), lab.another().logs(run.name, follow=True)
    next(watch)
    os.kill(lab.supervisor(run)["pid"], signal.SIGKILL)
    assert [change.phase for change in watch][-1] == "Error"
    assert [line.text for line in lines] == ["ready"]


def test_sigterm_to_the_supervisor_stops_the_run(lab: Lab) -> None:
    run = started(lab, "print('ready', flush=True); time.sleep(600)")
    os.kill(lab.supervisor(run)["pid"], signal.SIGTERM)
    assert wait(lab.engine, run.name).phase == "Stopped"


def test_a_killed_supervisor_of_a_run_that_was_being_stopped_is_a_stop(lab: Lab) -> None:
    run = started(lab, "print('ready', flush=True); time.sleep(600)")
    os.kill(lab.supervisor(run)["pid"], signal.SIGSTOP)
    lab.folder(run).stop.touch()
    os.kill(lab.supervisor(run)["pid"], signal.SIGKILL)
    lab.until(lambda: not alive(lab.supervisor(run)))
    assert lab.engine.get(run.name).phase == "Stopped"


@pytest.mark.slow
def test_a_supervisor_that_hangs_does_not_keep_stop_waiting(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_mlops.engine.local.engine.STOP_MARGIN", 0.5)
    run = started(lab, "print('ready', flush=True); time.sleep(600)")
    os.kill(lab.supervisor(run)["pid"], signal.SIGSTOP)
    assert lab.engine.control(run.name, "stop").phase == "Stopped"
    lab.until(lambda: not lab.left_of(run))


def test_a_number_that_was_given_again_fools_nobody(lab: Lab) -> None:
    run = started(lab, "print('ready', flush=True); time.sleep(600)")
    os.kill(lab.supervisor(run)["pid"], signal.SIGKILL)
    folder = lab.folder(run)
    request = folder.read_request()
    folder.write_request({**request, "supervisor": {**own(), "started": "1"}}, request["created"])  # our number, another start
    assert lab.engine.get(run.name).phase == "Error"


def test_a_reboot_is_told_apart(lab: Lab) -> None:
    run = started(lab, "print('ready', flush=True); time.sleep(600)")
    os.kill(lab.supervisor(run)["pid"], signal.SIGKILL)
    folder = lab.folder(run)
    request = folder.read_request()
    folder.write_request({**request, "supervisor": {**own(), "boot": "another"}}, request["created"])
    found = lab.engine.get(run.name)
    assert found.failure is not None
    assert "the machine restarted" in found.failure.message


def test_a_submitter_that_died_in_between_leaves_no_eternal_pending(lab: Lab) -> None:
    run = lab.run(("a", "pass"))
    lab.until(lambda: not alive(lab.supervisor(run)))
    folder = lab.folder(run)
    document, request = folder.read_workflow(), folder.read_request()
    folder.write_workflow({**document, "status": {"phase": "Pending"}})
    folder.write_request({**request, "supervisor": {}}, request["created"])
    assert lab.engine.get(run.name).phase == "Pending"
    folder.write_request({**request, "supervisor": {}, "created": time.time() - STARTING - 1}, request["created"])
    found = lab.engine.get(run.name)
    assert found.phase == "Error"
    assert found.failure is not None
    assert "before the run had started" in found.failure.message


def test_a_defect_of_ours_ends_the_run_and_says_whose_it_is(lab: Lab) -> None:
    run = started(lab, "print('ready', flush=True); time.sleep(600)")
    os.kill(lab.supervisor(run)["pid"], signal.SIGKILL)
    settle(lab.folder(run), defect="KeyError: 'x'")
    found = lab.engine.get(run.name)
    assert found.failure is not None
    assert (found.failure.code, found.failure.blame) == ("bug", "us")
    assert "KeyError" in found.failure.message


def test_a_step_that_was_not_yet_recorded_ends_too(lab: Lab) -> None:
    run = started(lab, FAMILY + "time.sleep(600)")
    os.kill(lab.supervisor(run)["pid"], signal.SIGKILL)
    lab.until(lambda: not alive(lab.supervisor(run)))
    (lab.folder(run).pod("a") / "process.json").unlink()
    assert lab.engine.get(run.name).phase == "Error"
    lab.until(lambda: not lab.left_of(run))


def test_settling_a_run_that_goes_on_does_nothing(lab: Lab) -> None:
    run = started(lab, "print('ready', flush=True); time.sleep(600)")
    settle(lab.folder(run))
    assert lab.engine.get(run.name).phase == "Running"


@pytest.mark.parametrize("damage", ["empty", "half", "list", "gone", "no request", "not json request"])
def test_a_broken_folder_hides_no_other_run(lab: Lab, damage: str) -> None:
    good, bad = lab.run(("a", "pass")), lab.run(("a", "pass"))
    lab.until(lambda: not alive(lab.supervisor(bad)))
    folder = lab.folder(bad)
    text = folder.workflow.read_bytes()
    {
        "empty": lambda: folder.workflow.write_bytes(b""),
        "half": lambda: folder.workflow.write_bytes(text[: len(text) // 2]),
        "list": lambda: folder.workflow.write_bytes(b"[]"),
        "gone": folder.workflow.unlink,
        "no request": folder.request.unlink,
        "not json request": lambda: folder.request.write_bytes(b"\xff"),
    }[damage]()
    (lab.settings.storage.runs / "stray-file").write_text("x")
    (lab.settings.storage.runs / ".gone-1").mkdir()
    long_ago = time.time() - 2 * STARTING
    for path in (folder.path, folder.request):
        if path.exists():
            os.utime(path, (long_ago, long_ago))
    listed = {run.name: run for run in lab.engine.list()}
    assert set(listed) == {good.name, bad.name}
    failure = listed[bad.name].failure
    assert failure is not None
    assert (failure.code, listed[bad.name].phase) == ("corrupt", "Error")
    assert failure.fix
    assert listed[bad.name] == lab.engine.get(bad.name)
    assert list(lab.engine.logs(bad.name)) == []
    lab.engine.control(bad.name, "delete")
    assert not folder.path.exists()
    shutil.rmtree(lab.settings.storage.runs / ".gone-1")
    (lab.settings.storage.runs / "stray-file").unlink()


def test_a_run_is_not_recorded_in_a_registry_that_cannot_take_it_and_says_so(lab: Lab) -> None:
    lab.settings.storage.home.mkdir(exist_ok=True)
    lab.settings.storage.registry.write_text("in the way")
    run = lab.run(("a", "print('x')"))
    assert run.phase == "Succeeded"
    assert "could not be recorded" in run.workflow["status"]["message"]
    lab.settings.storage.registry.unlink()


def test_a_folder_that_cannot_be_written_is_said_at_once(lab: Lab) -> None:
    lab.settings.storage.home.mkdir(exist_ok=True)
    lab.settings.storage.runs.write_text("in the way")
    with pytest.raises(PlatformError) as caught:
        lab.submit(("a", "pass"))
    assert caught.value.code == "not-writable"
    lab.settings.storage.runs.unlink()


def test_identity_is_none_for_nobody_and_for_zombies() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    try:
        deadline = time.monotonic() + 10
        while identity(child.pid) is not None:
            assert time.monotonic() < deadline
        assert not alive({"pid": child.pid, "started": "0", "boot": ""})
    finally:
        child.wait()
    assert alive(own())
    assert not alive(None)
    assert not alive({})
    assert not alive({**own(), "pid": "1"})


FULL = """
import json, os, pathlib, sys
from jupyter_mlops.engine.base import Submission, DONE
from jupyter_mlops.engine.local.engine import LocalEngine
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.settings import Settings, Storage
from jupyter_mlops.errors import StorageFull
from jupyter_mlops.testing.engine import wait, workflow
home = pathlib.Path(sys.argv[1])
settings = Settings(storage=Storage(home=home))
engine = LocalEngine(settings, Layout(settings.storage.registry))
fill = '''
path = pathlib.Path(os.environ["MLOPS_CACHE"]) / "filler"
with path.open("wb", buffering=0) as file:
    try:
        while True: file.write(bytes(4096))
    except OSError as error:
        print("full", flush=True)
time.sleep(0.5)
sys.exit(3)
'''
run = wait(engine, engine.submit(Submission(workflow(("a", fill)))).name)
print(json.dumps({"phase": run.phase, "step": run.steps[0].phase}), flush=True)
try:
    engine.submit(Submission(workflow(("a", "pass"))))
except StorageFull as error:
    print(json.dumps({"refused": error.code, "fix": error.fix, "left": sorted(p.name for p in settings.storage.runs.iterdir())}))
"""


@pytest.mark.skipif(
    sys.platform != "linux" or subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode != 0,
    reason="needs a mount namespace for a disk that can be filled",
)
def test_on_a_full_disk_a_run_still_ends_and_a_new_one_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "small"
    home.mkdir()
    script = tmp_path / "full.py"
    script.write_text(FULL)
    command = f"mount -t tmpfs -o size=2m small {home} && exec {sys.executable} {script} {home}"
    done = subprocess.run(["unshare", "-rm", "sh", "-c", command], capture_output=True, text=True, timeout=120)
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert first == {"phase": "Failed", "step": "Failed"}
    assert second["refused"] == StorageFull.default_code
    assert second["fix"]
    assert len(second["left"]) == 1


ROOM = """
import json, pathlib, sys
from jupyter_mlops.engine.base import Submission
from jupyter_mlops.engine.local.engine import LocalEngine
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.settings import Settings, Storage
from jupyter_mlops.testing.engine import wait, workflow
home, notebook = map(pathlib.Path, sys.argv[1:])
settings = Settings(storage=Storage(home=home))
engine = LocalEngine(settings, Layout(settings.storage.registry))
run = wait(engine, engine.submit(Submission(workflow(("a", "pass")), str(notebook))).name)
print(json.dumps([run.phase, run.steps[0].phase, run.failure.code, run.failure.blame, run.failure.fix]))
"""


@pytest.mark.skipif(
    sys.platform != "linux" or subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode != 0,
    reason="needs a mount namespace for a disk that can be filled",
)
def test_no_room_for_the_private_view_is_told_as_the_platforms(lab: Lab, tmp_path: Path) -> None:
    (lab.project / "data.bin").write_bytes(os.urandom(4 << 20))
    home, script = tmp_path / "small", tmp_path / "room.py"
    home.mkdir()
    script.write_text(ROOM)
    command = f"mount -t tmpfs -o size=2m small {home} && exec {sys.executable} {script} {home} {lab.notebook}"
    done = subprocess.run(["unshare", "-rm", "sh", "-c", command], capture_output=True, text=True, timeout=120)
    assert json.loads(done.stdout)[:4] == ["Error", "Skipped", "storage-full", "platform"]
    assert json.loads(done.stdout)[4]


def test_the_end_of_a_run_is_final(lab: Lab) -> None:
    run = lab.run(("a", "pass"))
    assert run.phase in DONE
    lab.until(lambda: not alive(lab.supervisor(run)))
    assert lab.engine.get(run.name) == lab.another().get(run.name)

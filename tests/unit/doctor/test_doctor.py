"""Every check has a case in which it is content and one in which it is not, with a line of what to do."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.doctor import jupyter, machine, python
from jupyter_mlops.doctor.check import CHECKS, Finding, Machine, Registered, check, fail, ok
from jupyter_mlops.doctor.run import examine, run_all
from jupyter_mlops.errors import PlatformError, Refused, WrongUsage
from jupyter_mlops.settings import Settings, Storage

SERVER = {"ip": "127.0.0.1", "token": True, "password": False, "unauthenticated": False, "behind_proxy": False}


def on(home: Path, **server: Any) -> Machine:
    return Machine(Settings(storage=Storage(home=home)), {**SERVER, **server} if server else None)


def private_config(folder: Path, mode: int) -> Finding:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text("{}")
    (folder / "config.json").chmod(mode)
    return python.private(folder)


def unwritable(folder: Path) -> Finding:
    """A file where the folder should be: not even root can make a file in it."""
    (folder / "taken").write_text("")
    return machine.home_writable(on(folder / "taken"))


def readable(folder: Path) -> Finding:
    (folder / "home").mkdir(mode=0o755)
    return machine.home_writable(on(folder / "home"))


def registry_with(folder: Path, index: str) -> Finding:
    layout = folder / "registry" / "models" / "churn"
    layout.mkdir(parents=True)
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (layout / "index.json").write_text(index)
    return machine.registry(on(folder))


def run_left_by(folder: Path, phase: str) -> Finding:
    """A run whose supervisor's number and start time belong to nobody."""
    run = folder / "runs" / "churn-x"
    run.mkdir(parents=True)
    (run / "workflow.json").write_text(json.dumps({"metadata": {"name": "churn-x"}, "status": {"phase": phase}}))
    supervisor = {"pid": 2**22 + 1, "started": "1", "boot": "no"}
    (run / "request.json").write_text(json.dumps({"supervisor": supervisor, "created": 0}))
    return machine.leftovers(on(folder))


def told(folder: Path, *states: bool | None) -> Finding:
    """Configuration folders, nearest to the user first; each enables, disables or says nothing."""
    folders = []
    for number, state in enumerate(states):
        place = folder / str(number) / "jupyter_server_config.d"
        place.mkdir(parents=True)
        if state is not None:
            (place / "jupyter_mlops.json").write_text(json.dumps({"ServerApp": {"jpserver_extensions": {"jupyter_mlops": state}}}))
        folders.append(place.parent)
    return jupyter.enabled_in(folders)


def built(folder: Path, version: str | None) -> Finding:
    if version is not None:
        (folder / "package.json").write_text(json.dumps({"version": version}))
    return jupyter.front_end_in([folder / "none", folder], "0.4.0a1")


def tool(folder: Path, code: int, says: str) -> Finding:
    path = folder / "nvidia-smi"
    path.write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n")
    path.chmod(0o755)
    return machine.gpu_by(str(path))


def kernels(**errors: Exception | None) -> Finding:
    def find(name: str) -> None:
        if error := errors[name]:
            raise error

    return jupyter.usable(list(errors), find)


BROKEN = PlatformError("the Python of the kernel 'b' does not start", fix="Repair it.")
Case = tuple[str, str, Callable[[Path], Finding]]
CASES: list[Case] = [
    ("DJ01", "ok", lambda tmp: told(tmp, None, True)),
    ("DJ01", "ok", lambda tmp: told(tmp, True, False)),
    ("DJ01", "ok", lambda tmp: jupyter.server_extension(on(tmp, token=True))),
    ("DJ01", "fail", lambda tmp: told(tmp, False, True)),
    ("DJ01", "fail", lambda tmp: told(tmp, None)),
    ("DJ02", "ok", lambda tmp: built(tmp, "0.4.0-alpha.1")),
    ("DJ02", "warn", lambda tmp: built(tmp, "0.3.0")),
    ("DJ02", "fail", lambda tmp: built(tmp, None)),
    ("DJ03", "ok", lambda _: jupyter.locked({**SERVER})),
    ("DJ03", "ok", lambda _: jupyter.locked({**SERVER, "token": False, "password": True})),
    ("DJ03", "ok", lambda _: jupyter.locked({**SERVER, "token": False, "ip": "0.0.0.0", "behind_proxy": True})),
    ("DJ03", "warn", lambda _: jupyter.locked({**SERVER, "token": False})),
    ("DJ03", "fail", lambda _: jupyter.locked({**SERVER, "token": False, "ip": "0.0.0.0"})),
    ("DJ03", "fail", lambda _: jupyter.locked({**SERVER, "token": False, "ip": ""})),
    ("DJ03", "skip", lambda tmp: jupyter.authentication(on(tmp))),
    ("DJ04", "ok", lambda _: jupyter.closed(SERVER)),
    ("DJ04", "warn", lambda _: jupyter.closed({**SERVER, "unauthenticated": True})),
    ("DJ04", "skip", lambda tmp: jupyter.unauthenticated(on(tmp))),
    ("DJ05", "ok", lambda _: jupyter.version_at("2.18.0")),
    ("DJ05", "ok", lambda _: jupyter.version_at("3.0.0rc1")),
    ("DJ05", "warn", lambda _: jupyter.version_at("2.17.0")),
    ("DJ06", "ok", lambda _: kernels(a=None, r=Refused("another language"))),
    ("DJ06", "warn", lambda _: kernels(a=None, b=BROKEN)),
    ("DJ06", "fail", lambda _: kernels(b=BROKEN)),
    ("DJ06", "fail", lambda _: kernels(r=Refused("another language"))),
    ("DL01", "ok", lambda tmp: machine.home_writable(on(tmp / "new" / "home"))),
    ("DL01", "warn", readable),
    ("DL01", "fail", unwritable),
    ("DL02", "ok", lambda _: machine.starts([os.sys.executable])),  # type: ignore[attr-defined]
    ("DL02", "fail", lambda _: machine.starts(["/no/such/python"])),
    ("DL02", "fail", lambda _: machine.starts(["/bin/false"])),
    ("DL03", "ok", lambda _: machine.shared(2 << 30, Path("/dev/shm"))),
    ("DL03", "warn", lambda _: machine.shared(64 << 20, Path("/dev/shm"))),
    ("DL03", "skip", lambda tmp: machine.shared_memory_at(tmp / "none")),
    ("DL04", "ok", lambda tmp: machine.room(10 << 30, tmp)),
    ("DL04", "warn", lambda tmp: machine.room(1 << 30, tmp)),
    ("DL04", "fail", lambda tmp: machine.room(1 << 20, tmp)),
    ("DL05", "ok", lambda tmp: tool(tmp, 0, "NVIDIA H100, 81559 MiB")),
    ("DL05", "warn", lambda tmp: tool(tmp, 9, "Driver/library version mismatch")),
    ("DL06", "ok", lambda tmp: run_left_by(tmp, "Succeeded")),
    ("DL06", "warn", lambda tmp: run_left_by(tmp, "Running")),
    ("DL07", "ok", lambda tmp: machine.registry(on(tmp / "new"))),
    ("DL07", "ok", lambda tmp: registry_with(tmp, '{"schemaVersion": 2, "manifests": []}')),
    ("DL07", "fail", lambda tmp: registry_with(tmp, '{"schemaVersion": 2, "mani')),
    ("DL08", "ok", lambda _: machine.bindable("127.0.0.1")),
    ("DL08", "fail", lambda _: machine.bindable("192.0.2.1")),  # TEST-NET-1: no machine has it
    ("DL09", "ok", lambda _: machine.files_limit(1024)),
    ("DL09", "ok", lambda _: machine.files_limit(-1)),
    ("DL09", "warn", lambda _: machine.files_limit(256)),
    ("DL10", "ok", lambda _: machine.clock_at(1_790_000_000)),
    ("DL10", "fail", lambda _: machine.clock_at(86_400)),
    ("DP01", "ok", lambda _: python.satisfied(["a>=1", "b; python_version < '3'", "c; extra == 'test'"], {"a": "1.5"}.get)),
    ("DP01", "fail", lambda _: python.satisfied(["a>=2"], {"a": "1.5"}.get)),
    ("DP01", "fail", lambda _: python.satisfied(["a"], {}.get)),
    ("DP02", "ok", lambda _: python.version_at((3, 10, 0))),
    ("DP02", "fail", lambda _: python.version_at((3, 9, 18))),
    ("DX02", "ok", lambda tmp: private_config(tmp / "docker", 0o600)),
    ("DX02", "warn", lambda tmp: private_config(tmp / "docker", 0o644)),
    ("DX02", "skip", lambda tmp: python.private(tmp / "none")),
]


@pytest.mark.parametrize(("check_id", "level", "look"), CASES, ids=[f"{i} {level} {n}" for n, (i, level, _) in enumerate(CASES)])
def test_a_check_sees_what_there_is(check_id: str, level: str, look: Callable[[Path], Finding], tmp_path: Path) -> None:
    found = look(tmp_path)
    assert found.level == level, found
    assert found.why
    assert "\n" not in found.why + found.fix
    assert bool(found.fix) == (level in {"warn", "fail"})


def test_every_check_has_a_content_and_a_discontent_case() -> None:
    seen = {check_id: {level for other, level, _ in CASES if other == check_id} for check_id in CHECKS}
    assert {check_id for check_id, levels in seen.items() if "ok" not in levels} == set()
    assert {check_id for check_id, levels in seen.items() if not levels & {"warn", "fail"}} == set()
    assert {check_id for check_id, _, _ in CASES} == set(CHECKS)


def test_this_machine_is_examined_and_nothing_is_left_behind(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    found = examine(Settings(storage=Storage(home=home)), {**SERVER})
    assert [one.id for one in found] == [*sorted(CHECKS), "TD01"]
    assert {one.level for one in found} <= {"ok", "warn", "fail", "skip"}
    by_id = {one.id: one for one in found}
    assert all(by_id[check_id].level == "ok" for check_id in ("DJ01", "DJ03", "DL01", "DL02", "DL06", "DL07", "DL08", "DP02"))
    assert list(home.iterdir()) == []


def test_only_the_checks_that_are_named(tmp_path: Path) -> None:
    assert [one.id for one in examine(Settings(), only=["DP02", "DL10"])] == ["DL10", "DP02"]
    with pytest.raises(WrongUsage, match="DZ01"):
        examine(Settings(), only=["DZ01"])


def test_a_check_that_breaks_or_hangs_fails_alone() -> None:
    release = threading.Event()

    def hang(_: Machine) -> Finding:
        release.wait(30)
        return ok("late")

    def broken(_: Machine) -> Finding:
        raise ZeroDivisionError("no")

    checks = [Registered("A", "hangs", hang), Registered("B", "breaks", broken), Registered("C", "works", lambda _: ok("fine"))]
    try:
        found = run_all(checks, Machine(), patience=0.2)
    finally:
        release.set()
    assert [(one.id, one.level) for one in found] == [("A", "fail"), ("B", "fail"), ("C", "ok")]
    assert "no answer in 0.2 s" in found[0].why
    assert "ZeroDivisionError" in found[1].why
    assert found[0].fix
    assert found[1].fix


def test_an_id_is_given_once() -> None:
    with pytest.raises(ValueError, match="DL01"):
        check("DL01", "again")(lambda _: fail("no", "no"))


def test_a_readable_password_file_is_told_without_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"auths": {"ghcr.io": {"auth": "c2VjcmV0"}}}')
    path.chmod(0o640)
    found = python.private(tmp_path)
    assert "640" in found.why
    assert "c2Vj" not in found.why + found.fix
    subprocess.run(["sh", "-c", found.fix], check=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert python.private(tmp_path).level == "ok"


def test_settings_decide_where_is_looked(tmp_path: Path) -> None:
    settings = replace(Settings(), storage=Storage(home=tmp_path / "elsewhere"))
    assert str(tmp_path) in machine.home_writable(Machine(settings)).why

"""Results of long ago and scratch folders of killed checks go; what somebody holds, or may ask for, stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from jupyter_mlops.check.leftovers import LOCK, PREFIX, UNLOCKED, collect, scratch_folder, sweep
from jupyter_mlops.oci.lock import locked

DAY = 86400.0

HOLD = """
import sys, tempfile, time
tempfile.tempdir = sys.argv[1]
from jupyter_mlops.check.leftovers import scratch_folder
with scratch_folder() as folder:
    (folder / "home").mkdir()
    (folder / "home" / "big").write_bytes(b"x" * 1000)
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


def aged(folder: Path, days: float) -> Path:
    """A result whose last word is so long ago."""
    folder.mkdir(parents=True)
    (folder / "check.json").write_text("{}")
    when = time.time() - days * DAY
    os.utime(folder / "check.json", (when, when))
    return folder


def test_a_killed_check_leaves_nothing_after_the_next_one(temporary: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(temporary)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        folder = Path(other.stdout.readline().strip())
        with scratch_folder() as mine:
            assert (folder / "home" / "big").exists()
        assert not mine.exists()
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
    assert (folder / "home" / "big").exists()
    with scratch_folder() as mine:
        assert sorted(temporary.iterdir()) == [mine]
    assert list(temporary.iterdir()) == []


def test_what_is_not_the_scratch_of_a_check_stays(temporary: Path, tmp_path: Path) -> None:
    (temporary / "mlops-step-1").mkdir()
    (temporary / f"{PREFIX}new").mkdir()  # made just now, by somebody who has not come to its lock
    old = temporary / f"{PREFIX}old"
    old.mkdir()
    when = time.time() - UNLOCKED - 1
    os.utime(old, (when, when))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / LOCK).touch()
    (temporary / f"{PREFIX}link").symlink_to(elsewhere)
    (temporary / f"{PREFIX}file").touch()
    sweep(temporary)
    assert sorted(path.name for path in temporary.iterdir()) == [
        "mlops-check-file",
        "mlops-check-link",
        "mlops-check-new",
        "mlops-step-1",
    ]
    assert (elsewhere / LOCK).exists()
    sweep(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("days", "seconds", "count", "left"),
    [
        ((1, 2, 3), 10 * DAY, 10, "012"),
        ((1, 20, 30), 10 * DAY, 10, "0"),
        ((3, 1, 2), 10 * DAY, 2, "12"),
        ((1, 2), 10 * DAY, 0, ""),
    ],
)
def test_results_are_kept_by_age_and_count(days: tuple[float, ...], seconds: float, count: int, left: str, tmp_path: Path) -> None:
    checks = tmp_path / "checks"
    for name, age in enumerate(days):
        aged(checks / str(name), age)
    collect(checks, "none", seconds, count)
    assert "".join(sorted(folder.name for folder in checks.iterdir())) == left


def test_a_check_that_goes_on_and_the_one_that_begins_are_kept(tmp_path: Path) -> None:
    checks = tmp_path / "checks"
    for name in ("going", "beginning", "old"):
        aged(checks / name, 400)
    with locked(checks / "going" / "lock"):
        collect(checks, "beginning")
    assert sorted(folder.name for folder in checks.iterdir()) == ["beginning", "going"]
    collect(tmp_path / "nowhere", "none")

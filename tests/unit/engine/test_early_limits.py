"""When nothing is tried at all: few processors, a GPU, little memory, a folder that is too much to look at or to copy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.engine.local import early
from jupyter_mlops.engine.local.early import Early
from jupyter_mlops.engine.local.folder import RunFolder
from jupyter_mlops.engine.local.machine import Machine
from tests.unit.engine.test_order import chain

NEEDS = {"load": frozenset[str](), "fit": frozenset({"load"}), "plot": frozenset({"load"})}


@dataclass(frozen=True)
class Small(Machine):
    """A machine with so much of everything."""

    cores: int = 4
    gpus: int = 0
    free: int | None = 50
    whole: int | None = 100
    wanted: float = 3.9

    @property
    def processors(self) -> int:
        return self.cores

    @property
    def memory(self) -> int | None:
        return self.whole

    def load(self) -> float:
        return self.wanted

    def free_memory(self) -> int | None:
        return self.free

    def devices(self, resource: str) -> int:
        return self.gpus if resource == "nvidia.com/gpu" else 0


@pytest.mark.parametrize(
    ("machine", "after", "files", "expected"),
    [
        (Small(), 1.0, 1, True),
        (Small(cores=1), 1.0, 1, False),
        (Small(gpus=1), 1.0, 1, False),
        (Small(free=24), 1.0, 1, False),
        (Small(free=25), 1.0, 1, True),
        (Small(free=None), 1.0, 1, True),
        (Small(whole=None), 1.0, 1, True),
        (Small(wanted=4.0), 1.0, 1, False),
        (Small(wanted=4.0), 0.0, 1, True),
        (Small(), -1.0, 1, False),
        (Small(), 3.0, 1, False),
        (Small(), 1.0, 6, False),
    ],
)
def test_when_it_is_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: Machine, after: float, files: int, expected: bool
) -> None:
    monkeypatch.setattr(early, "LOOKED_AT", 5)
    program = chain("load", "fit", "plot", "show")
    work = tmp_path / "work"
    work.mkdir()
    for number in range(files):
        (work / str(number)).touch()
    one = Early(program, NEEDS, RunFolder(tmp_path), work, machine, after)
    one.before(program.tasks[1], {"load": "Succeeded"})
    assert one.due(program.tasks[1], 2.0) is expected
    assert not one.due(program.tasks[2], 2.0)


@pytest.mark.parametrize(
    ("disturb", "expected"),
    [
        (lambda _: None, True),
        (lambda work: (work / "new").touch(), False),
        (lambda work: (work / "a").write_text("longer"), False),
        (lambda work: (work / "a").unlink(), False),
    ],
    ids=["as it was", "a file more", "another content", "a file less"],
)
def test_a_copy_counts_only_of_the_folder_as_it_was(tmp_path: Path, disturb: Any, expected: bool) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "a").write_text("x")
    one = Early(chain("load"), NEEDS, RunFolder(tmp_path), work, Small(), 0.0)
    seen = early._look(work)
    assert seen is not None
    disturb(work)
    made = one._copy("early-1", seen)
    assert (made is not None) is expected
    assert (made is not None and (made / "a").read_text() == "x") is expected
    assert (tmp_path / "branches" / "early-1").exists() is expected


def test_a_folder_that_is_too_big_is_not_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early, "COPIED", 3)
    monkeypatch.setattr(early, "shares_blocks", lambda *_: False)
    work = tmp_path / "work"
    work.mkdir()
    (work / "a").write_text("four")
    one = Early(chain("load"), NEEDS, RunFolder(tmp_path), work, Small(), 0.0)
    assert one._copy("early-1", early._look(work) or {}) is None
    assert not (tmp_path / "branches").exists()

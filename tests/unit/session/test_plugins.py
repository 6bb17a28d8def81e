"""Carriers of third parties: found by entry point, used by every step, told when they are broken."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from jupyter_mlops.session.carriers import carriers, plugins
from jupyter_mlops.session.carriers.base import Context
from tests.unit.session.processes import in_processes

CARRIER = """
STATE = {'n': 0}
class Mine:
    name, module = 'mine', ''
    def __init__(self, context): pass
    def capture(self): return STATE['n'] or None
    def restore(self, value): STATE['n'] = value
"""


def install(folder: Path, name: str, entry_points: str) -> None:
    (folder / f"{name}.dist-info").mkdir(parents=True)
    (folder / f"{name}.dist-info" / "entry_points.txt").write_text(entry_points)


def test_entries_are_read_from_the_import_path(tmp_path: Path) -> None:
    install(tmp_path, "a-1", "[console_scripts]\nx = y:z\n[jupyter_mlops.carriers]\nMine = mine_lib:Mine\nother=b.c:d.e\n")
    install(tmp_path, "b-1", "[jupyter_mlops.carriers]\nMine = second:Other\n")
    install(tmp_path, "c-1", "[jupyter_mlops.carriers\nbroken")
    assert plugins.entries([str(tmp_path), str(tmp_path / "not there")]) == {"Mine": "mine_lib:Mine", "other": "b.c:d.e"}


@pytest.mark.slow
def test_a_carrier_of_a_package_carries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine_lib.py").write_text(CARRIER)
    install(tmp_path, "mine-1", "[jupyter_mlops.carriers]\nmine = mine_lib:Mine\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        cells = ["import mine_lib\nmine_lib.STATE['n'] = 5", "n = 1", "import mine_lib\nprint(mine_lib.STATE)"]
        assert in_processes(cells)[-1].printed == "{'n': 5}\n"
    finally:
        sys.modules.pop("mine_lib", None)


def test_a_broken_one_is_told_and_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "bad-1", "[jupyter_mlops.carriers]\nbad = no_such_library:Carrier\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    context = Context(tmp_path)
    assert len(carriers(context)) > 10
    assert any("no_such_library" in text and "bad" in text for text in context.warnings)

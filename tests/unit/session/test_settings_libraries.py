"""Accessors that cells register and defaults that they set: what is not installed is skipped by name."""

from __future__ import annotations

import pytest

from tests.unit.session.processes import THREADED, apart, in_one_process, in_processes, warm
from tests.unit.session.settings_libraries import SETTINGS

warm()


@pytest.mark.parametrize("name", SETTINGS)
def test_a_process_a_cell_is_one_kernel(name: str) -> None:
    needs, _ = SETTINGS[name]
    for module in needs:
        pytest.importorskip(module, reason=f"{module} is not installed: its settings are not tried here")
    if set(needs) & set(THREADED):
        apart(__name__, name)
    else:
        judge(name)


def judge(name: str) -> None:
    """Every cell in a process of its own prints and shows what one kernel does."""
    _, cells = SETTINGS[name]
    expected = in_one_process(cells)
    assert [cell.error for cell in expected] == [""] * len(cells)
    assert any(cell.printed or cell.shown for cell in expected[1:]), "the case shows nothing"
    assert in_processes(cells) == expected

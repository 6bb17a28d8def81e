"""The promise, quickly: objects of every kind are in steps what they are in one kernel. One fork a cell."""

from __future__ import annotations

import pytest

from tests.unit.session.objects import OBJECTS, REFUSED
from tests.unit.session.processes import Failed, in_one_process, in_processes, warm

warm()


@pytest.mark.slow
@pytest.mark.parametrize("name", OBJECTS)
def test_a_process_a_cell_is_one_kernel(name: str) -> None:
    expected = in_one_process(OBJECTS[name])
    assert expected[-1].printed, "the case shows nothing"
    assert in_processes(OBJECTS[name]) == expected


@pytest.mark.slow
@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_cross_is_refused_by_name_when_it_is_asked_for(name: str) -> None:
    cells, said = REFUSED[name]
    assert all(not cell.error for cell in in_one_process(cells))
    assert [cell.error for cell in in_processes(cells[:-1])] == [""] * (len(cells) - 1)
    with pytest.raises(Failed, match=said):
        in_processes(cells)

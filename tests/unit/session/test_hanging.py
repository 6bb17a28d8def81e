"""What the notebook hangs on classes, libraries, IPython and the interpreter is in steps what it is in one kernel."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.unit.session.hanging import HANGING
from tests.unit.session.processes import Steps, in_one_process, in_processes, warm

warm()


@pytest.mark.slow
@pytest.mark.parametrize("name", HANGING)
def test_a_process_a_cell_is_one_kernel(name: str) -> None:
    expected = in_one_process(HANGING[name])
    assert any(cell.printed or cell.shown for cell in expected[1:]), "the case shows nothing"
    assert in_processes(HANGING[name]) == expected


def test_what_hangs_and_cannot_travel_is_told_by_name() -> None:
    with tempfile.TemporaryDirectory() as folder:
        steps = Steps(Path(folder))
        steps.run("import time\nclass Held:\n    def __init__(self): self.made = (i for i in ())\ntime.held = Held()")
        assert steps.warned == ["time.held, a Held, cannot be handed to later steps (TypeError: cannot pickle 'generator' object)"]


@pytest.mark.slow
def test_the_work_of_a_step_is_not_done_with_functions_of_the_notebook() -> None:
    with tempfile.TemporaryDirectory() as folder:
        steps = Steps(Path(folder))
        steps.run("import json, os\njson.dumps = lambda *_, **__: 'patched'\nos.path.exists = lambda _: False\nkept = [1]")
        assert steps.run("print(json.dumps(kept), os.path.exists('.'))").printed == "patched False\n"
        assert steps.run("import json\nprint(json.dumps(1), kept)").printed == "patched [1]\n"


@pytest.mark.slow
def test_the_module_of_the_names_is_that_of_a_kernel() -> None:
    """A real kernel prints exactly this (``plot_*`` scripts of galleries show their ``__doc__``)."""
    asked = "print(__doc__, __name__, __package__, __spec__, __loader__)"
    expected = "Automatically created module for IPython interactive environment __main__ None None None\n"
    cells = [asked, asked, "__doc__ = 'mine'", "print(__doc__)"]
    for done in (in_one_process(cells), in_processes(cells)):
        assert [cell.printed for cell in done] == [expected, expected, "", "mine\n"]

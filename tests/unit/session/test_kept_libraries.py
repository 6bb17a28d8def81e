"""What libraries keep without a name is the same with a process for every cell; what is not installed is skipped by name."""

from __future__ import annotations

import importlib
import traceback
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import pytest

from jupyter_mlops.session.carriers.base import Context
from jupyter_mlops.session.carriers.richlib import RichInstalled
from jupyter_mlops.session.tracebacks import make_traceback, places_of
from tests.unit.session.kept_libraries import KEPT
from tests.unit.session.processes import Failed, Steps, in_fork, in_one_process, in_processes, warm

warm()


def _skip_without(module: str) -> None:
    """Say loudly what is not tried. It is not imported here: a kernel and a step begin without it."""
    if find_spec(module) is None:
        pytest.skip(f"{module} is not installed: what it keeps is not tried here")


@pytest.mark.slow
@pytest.mark.parametrize("name", KEPT)
def test_a_process_a_cell_is_one_kernel(name: str) -> None:
    needs, cells = KEPT[name]
    for module in needs:
        _skip_without(module)
    expected = in_one_process(cells)
    assert [cell.error for cell in expected] == [""] * len(cells)
    assert any(cell.printed or cell.shown for cell in expected[1:]), "the case shows nothing"
    assert in_processes(cells) == expected


@pytest.mark.slow
@pytest.mark.parametrize("name", ["reraised", "with cause"])
def test_an_error_of_an_earlier_cell_stops_where_it_did(name: str) -> None:
    raised = {
        "reraised": "try: 1/0\nexcept ZeroDivisionError as x: e = x",
        "with cause": "try:\n  try: 1/0\n  except Exception as x: raise ValueError('b') from x\nexcept ValueError as y: e = y",
    }
    cells = [raised[name], "raise e"]
    expected = in_one_process(cells)
    assert expected[1].error
    assert in_processes(cells) == expected


@pytest.mark.slow
def test_errors_of_rich_are_shown_by_rich_in_later_steps() -> None:
    _skip_without("rich")
    cells = ["from rich import traceback\n_ = traceback.install(width=60)", "loc = 5\n1/0"]
    expected = in_one_process(cells)
    assert "Traceback" in expected[1].shown[0]
    assert in_processes(cells) == expected


def test_a_console_of_the_notebook_is_told_and_not_silently_another(tmp_path: Any) -> None:
    _skip_without("rich")
    steps = Steps(tmp_path)
    steps.run("from rich import pretty, console\nc = console.Console(width=30)\npretty.install(console=c, max_length=2)")
    shown = steps.run("[1, 2, 3, 4]")
    assert any("console" in text for text in steps.warned)
    assert "..." in shown.shown[-1], "the options came without the console"


REFUSED = {
    "a trainer of tokenizers": (
        ("tokenizers",),
        "from tokenizers import trainers\nt = trainers.BpeTrainer(vocab_size=60)",
        "t, made in cell 0, is a",
    ),
    "a function of a C library": ((), "import ctypes\nt = ctypes.CDLL(None).abs", "t, made in cell 0, is a _FuncPtr"),
    "a structure of ctypes": (
        (),
        "import ctypes\nclass P(ctypes.Structure): _fields_ = [('x', ctypes.c_int)]\nt = P(1)",
        "t, made in cell 0, is a P",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_pickle_keeps_is_refused_with_its_cell(name: str, tmp_path: Any) -> None:
    needs, made, said = REFUSED[name]
    for module in needs:
        _skip_without(module)
    steps = Steps(tmp_path)
    steps.run(made)
    steps.run("n = 1")
    with pytest.raises(Failed, match=said):
        steps.run("print(t)")


def test_without_a_shell_rich_has_nothing(tmp_path: Any) -> None:
    assert RichInstalled(Context(tmp_path)).capture() is None


class Deep:
    """Something that fails in a method."""

    def fail(self, by: int) -> float:
        """Over two lines."""
        return (1 +
                1 / by)  # fmt: skip


def _caught() -> BaseException:
    try:
        Deep().fail(
            0,
        )
    except ZeroDivisionError as error:
        return error
    raise AssertionError


def test_a_traceback_says_the_same_when_it_is_made_anew() -> None:
    error = _caught()
    made = make_traceback(places_of(error.__traceback__))
    assert traceback.format_tb(made) == traceback.format_tb(error.__traceback__)
    assert places_of(made) == places_of(error.__traceback__)


def test_where_no_columns_are_known_none_are_marked() -> None:
    error = _caught()
    places = tuple(replace(place, column=None, end_column=None) for place in places_of(error.__traceback__))
    text = "".join(traceback.format_tb(make_traceback(places)))
    assert "^" not in text
    assert "~" not in text
    assert text.count("File") == len(places) == 2


def test_no_traceback_stays_none() -> None:
    assert make_traceback(places_of(None)) is None


def test_seeds_of_opencv_are_noted_by_a_function_that_is_still_found_by_name() -> None:
    _skip_without("cv2")
    cells = [
        "import cv2\nfrom cv2 import setRNGSeed as seed",
        "seed(9)",
        "import cv2, numpy as np\nprint(cv2.randu(np.zeros((1, 3)), 0, 1))",
    ]

    assert in_processes(cells) == in_one_process(cells)


@pytest.mark.slow
def test_figures_that_another_test_left_open_are_in_no_kernel() -> None:
    _skip_without("matplotlib")
    cells = KEPT["figure numbers closed"][1]

    def after_another() -> list[Any]:
        pyplot = importlib.import_module("matplotlib.pyplot")
        importlib.import_module("matplotlib_inline.backend_inline")
        pyplot.figure()
        return [in_one_process(cells), in_processes(cells)]

    one, many = in_fork(after_another)
    assert one == many == in_one_process(cells)

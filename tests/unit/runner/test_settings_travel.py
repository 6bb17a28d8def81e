"""Settings of the process that one kernel in this process cannot show: streams of logging, figures, reloading; and warnings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.unit.runner.staging import Stage

BASIC = "import logging, sys\nlogging.basicConfig(level=logging.INFO, format='%(levelname)s|%(message)s', stream=sys.stdout)"
NAMED = (
    "import logging, sys\nlog = logging.getLogger('mine')\nlog.setLevel('DEBUG')\nlog.propagate = False\n"
    "h = logging.StreamHandler(sys.stdout)\nh.setFormatter(logging.Formatter('{message}!', style='{'))\nlog.addHandler(h)\n"
    "del h, log"
)
RELOAD = (
    "open('late.py', 'w').write('V = 1')\nimport late\nprint(late.V)",
    "import os\nopen('late.py', 'w').write('V = 2222')\nos.utime('late.py', (2e9, 2e9))",
    "print(late.V)",
)
CASES: dict[str, tuple[Sequence[str], Sequence[tuple[int, ...]], Sequence[str]]] = {
    "basic": (
        [
            BASIC,
            "import logging\nlogging.info('x')\nlogging.debug('no')",
            "logging.warning('y')\nprint(len(logging.root.handlers))",
        ],
        [(0,), (1,), (2,)],
        ["", "INFO|x\n", "WARNING|y\n1\n"],
    ),
    "named": (
        [NAMED, "import logging\nlogging.getLogger('mine').debug('hi')", "print(len(logging.getLogger('mine').handlers))"],
        [(0,), (1,), (2,)],
        ["", "hi!\n", "1\n"],
    ),
    "autoreload": (["%load_ext autoreload\n%autoreload 2", *RELOAD], [(0,), (1, 2, 3)], ["", "1\n", "", "2222\n"]),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_printed_by_later_steps(name: str, tmp_path: Path) -> None:
    cells, steps, expected = CASES[name]
    stage = Stage(tmp_path, cells, steps)
    ran = stage.run()
    assert ran[-1].code == 0, ran[-1].failure
    assert [one.stream(cell) for one, step in zip(ran, steps, strict=True) for cell in step] == list(expected)


@pytest.mark.slow
@pytest.mark.parametrize("before", ["", "%matplotlib inline\n"], ids=["before matplotlib", "after matplotlib"])
def test_figures_keep_their_format(before: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    cells = [
        f"{before}%config InlineBackend.figure_formats = ['svg']",
        "n = 1",
        "import matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.show()",
        "plt.plot([1, 2]); plt.show()",
    ]
    ran = Stage(tmp_path, cells, fresh_folders=True).run()
    for cell in (2, 3):
        shown = [x["data"] for x in ran[cell].outputs[str(cell)]["outputs"] if x["output_type"] == "display_data"]
        assert [sorted(data) for data in shown] == [["image/svg+xml", "text/plain"]]


def test_what_cannot_travel_is_told_by_name(tmp_path: Path) -> None:
    first_cell = (
        "import json, logging, logging.handlers\n"
        "lines = (x for x in 'ab')\n"
        "json.dumps_again = lambda x, from_=lines: next(from_)\njson.fine = 5\n"
        "logging.getLogger('m').addHandler(logging.handlers.MemoryHandler(10))"
    )
    cells = [
        first_cell,
        "import json\nprint(json.fine, hasattr(json, 'dumps_again'))",
    ]
    first, second = Stage(tmp_path, cells).run()
    assert first.code == second.code == 0
    assert second.stream(1) == "5 False\n"
    told = first.report["warnings"]
    assert len(told) == 2
    assert any("json.dumps_again" in text for text in told)
    assert any("MemoryHandler" in text and "logger m" in text for text in told)
    assert all(text in first.text for text in told)
    assert second.report["warnings"] == []


def test_a_cell_that_may_raise_ends_nothing(tmp_path: Path) -> None:
    cells = ["x = 1\nraise ValueError('meant')", "print(x)", "raise KeyError('not meant')", "print('never')"]
    ran = Stage(tmp_path, cells, [(0, 1), (2,), (3,)], tags={0: ["raises-exception"]}).run()
    assert [one.code for one in ran] == [0, 1]
    assert [x["output_type"] for x in ran[0].outputs["0"]["outputs"]] == ["error"]
    assert ran[0].stream(1) == "1\n"
    assert ran[1].failure is not None
    assert ran[1].failure["cell"] == 2


@pytest.mark.slow
def test_a_task_goes_on_in_the_next_cell_and_belongs_to_its_step(tmp_path: Path) -> None:
    cells = [
        "import asyncio\nasync def say(n):\n    await asyncio.sleep(0.01)\n    return n\nt = asyncio.create_task(say(3))",
        "print(await t)\nlate = asyncio.get_running_loop().create_task(asyncio.sleep(60))",
        "print('free')",
        "late",
    ]
    ran = Stage(tmp_path, cells, [(0, 1), (2,), (3,)]).run()
    assert [one.code for one in ran] == [0, 0, 2]
    assert ran[0].stream(1) == "3\n"
    assert any("sleep" in text for text in ran[0].report["warnings"])
    assert ran[2].failure is not None
    assert (ran[2].failure["code"], ran[2].failure["cell"]) == ("not-storable", 1)


def test_a_loop_is_running_as_in_a_kernel(tmp_path: Path) -> None:
    cells = ["import asyncio\nasync def one(): return 1\nc = one()\n\nasyncio.run(c)"]
    (ran,) = Stage(tmp_path, cells).run()
    assert ran.failure is not None
    assert (ran.failure["error"], ran.failure["line"]) == ("RuntimeError", 5)
    assert "running event loop" in ran.failure["message"]


@pytest.mark.slow
def test_source_of_a_function_of_an_earlier_step(tmp_path: Path) -> None:
    cells = ["# above\ndef use(o):\n    return o\n\n", "n = 1", "import inspect\nprint(inspect.getsource(use), end='')"]
    ran = Stage(tmp_path, cells).run()
    assert ran[-1].stream(2) == "def use(o):\n    return o\n"

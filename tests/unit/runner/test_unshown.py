"""A value that cannot be shown ends the cell where a real kernel ends it, and nowhere else."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.unit.session.processes import in_one_process, warm

warm()

MADE = (
    "class Html:\n    def _repr_html_(self): raise ValueError('no')\n    def __repr__(self): return 'A!'",
    "class Text:\n    def __repr__(self): raise KeyError('no')",
    "class Own:\n    def _ipython_display_(self): raise OSError('no')",
    "class Bundle:\n    def _repr_mimebundle_(self, **_): raise IndexError('no')\n    def __repr__(self): return 'A!'",
    "class Leaves:\n    def _repr_html_(self): raise NotImplementedError\n    def __repr__(self): return 'A!'",
    "from IPython.display import display",
)
CELLS = {
    "html": "Html()", "text": "Text()", "own": "Own()", "bundle": "Bundle()", "left out": "Leaves()",
    "by display": "display(Html()); print('on')", "text by display": "display(Text())", "printed": "print(Text())",
    "assigned": "x = Text()", "silent": "Text();", "a plain error": "1/0",
}  # fmt: skip
ENDS = {"html", "text", "own", "bundle", "printed", "a plain error"}


ASK = """
import json, sys
from jupyter_client.manager import start_new_kernel
made, cells = json.load(sys.stdin)
manager, client = start_new_kernel(kernel_name="python3")
client.execute(made, reply=True, timeout=60)
print(json.dumps({name: client.execute(cell, reply=True, timeout=60)["content"]["status"] for name, cell in cells.items()}))
client.stop_channels()
manager.shutdown_kernel(now=True)
"""


@pytest.fixture(scope="module")
def kernel() -> dict[str, str]:
    """Name of the cell → the status with which a real kernel answers."""
    asked = json.dumps(["\n".join(MADE), CELLS])
    ran = subprocess.run([sys.executable, "-W", "ignore", "-c", ASK], input=asked, capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(ran.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_ends_where_a_kernel_ends_it(name: str, kernel: dict[str, str]) -> None:
    assert kernel[name] == ("error" if name in ENDS else "ok")
    ran = in_one_process(["\n".join(MADE), CELLS[name], "1"])
    assert [bool(cell.error) for cell in ran] == [False, name in ENDS, False]

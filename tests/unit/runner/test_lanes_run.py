"""A real run with lanes: counts, outputs, history and sources are those of one kernel, and a resumed run takes all of it over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jupyter_mlops.flow import Workbench
from jupyter_mlops.settings import Settings, Storage
from tests.unit.notebook_building import document

CELLS = {
    "load": "import sys\nx = [3, 1, 2]\nx",
    "left": "def f(v):\n    return v + 1\na = f(sum(x))\na",
    "right": "import math\nb = math.sqrt(max(x) + 1)\nb",
    "join": "import inspect\nprint(inspect.getsource(f), a, b, f(0), len(get_ipython().history_manager.input_hist_raw))",
}


@pytest.mark.slow
def test_a_run_with_lanes_looks_like_one_kernel(tmp_path: Path) -> None:
    bench = Workbench(Settings(Storage(tmp_path / "home")))
    path = tmp_path / "nb.ipynb"
    path.write_text(json.dumps(document(*((source, [f"step:{step}"]) for step, source in CELLS.items()))))
    assert ("left", "right") in bench.convert(bench.read(path)).independent
    *_, run = bench.engine.watch(bench.run(path).name)
    assert run.phase == "Succeeded", run.failure
    tasks = next(one for one in run.workflow["spec"]["templates"] if "dag" in one)["dag"]["tasks"]
    assert [task.get("depends", "") for task in tasks] == [
        "", "load.Succeeded", "load.Succeeded", "left.Succeeded && right.Succeeded",
    ]  # fmt: skip
    assert run.executed is not None
    cells = json.loads(Path(run.executed).read_text())["cells"]
    assert [cell["execution_count"] for cell in cells] == [1, 2, 3, 4]
    assert [cell["outputs"][0]["data"]["text/plain"] for cell in cells[:3]] == ["[3, 1, 2]", "7", "2.0"]
    assert "".join(cells[3]["outputs"][0]["text"]) == "def f(v):\n    return v + 1\n 7 2.0 1 5\n"
    *_, again = bench.engine.watch(bench.resume(run.name).name)
    assert again.phase == "Succeeded", again.failure
    assert [step.cached for step in again.steps] == [True, True, True, True]

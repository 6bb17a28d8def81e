"""What runs taught about the order of steps is in the Workflow that ``%mlops convert -o`` writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.flow import Workbench
from jupyter_mlops.kernel.magics import register
from jupyter_mlops.settings import Settings, Storage
from tests.unit.cli.test_cli_convert_learned import CELLS, needs
from tests.unit.kernel.test_kernel_magics import ran
from tests.unit.notebook_building import document


@pytest.mark.slow
def test_a_written_workflow_has_the_order_that_runs_taught(shell: Any, tmp_path: Path) -> None:
    notebook, written = tmp_path / "nb.ipynb", tmp_path / "workflow.yaml"
    notebook.write_text(json.dumps(document(*CELLS)))
    bench = Workbench(Settings(Storage(tmp_path / "home")))
    register(shell, bench)

    def converted() -> tuple[bool, bool]:
        """Whether the page tells of steps side by side, and whether the Workflow has them so."""
        result, shown, printed = ran(shell, f"%mlops convert {notebook} -o {written}")
        assert result.success, printed
        return "may run side by side" in shown[-1]["text/plain"], "left" not in needs(written.read_text())["right"]

    assert converted() == (False, False)
    *_, done = bench.engine.watch(bench.run(notebook).name)
    assert done.phase == "Succeeded", done.failure
    assert converted() == (True, True)

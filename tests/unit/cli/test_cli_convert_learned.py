"""What runs taught about the order of steps is in the Workflow that ``convert`` writes for a place, and in no other."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.notebook_building import Spec, document

CELLS: list[Spec] = [
    ("x = [3, 7]", ["step:load"]),
    ("import colorsys\na = colorsys.rgb_to_hsv(*x, 1)", ["step:left"]),
    ("import colorsys\nb = colorsys.rgb_to_hls(*x, 2)", ["step:right"]),
    ("print(a, b)", ["step:join"]),
]


def needs(text: str) -> dict[str, str]:
    """Task of a Workflow → what it depends on."""
    import yaml

    (dag,) = (one["dag"] for one in yaml.safe_load(text)["spec"]["templates"] if "dag" in one)
    return {task["name"]: task.get("depends", "") for task in dag["tasks"]}


@pytest.mark.slow
def test_a_workflow_for_a_place_has_the_order_that_its_runs_taught(mlops: Callable[..., Any], tmp_path: Path) -> None:
    notebook, written = tmp_path / "nb.ipynb", tmp_path / "workflow.yaml"
    notebook.write_text(json.dumps(document(*CELLS)))

    def converted(*more: str) -> list[dict[str, Any]]:
        found = mlops("convert", str(notebook), "-o", str(written), "--json", *more)
        return [one for one in found.json["diagnostics"] if one["code"] == "side-by-side"]

    assert converted("--target", "local") == []
    assert mlops("run", str(notebook), "--json").json["phase"] == "Succeeded"
    assert converted() == []
    assert "left" in needs(written.read_text())["right"]
    for more in (("--target", "local"), ("--target", "local", "--push")):
        (note,) = converted(*more)
        assert (note["severity"], note["cell"]) == ("info", 2)
        assert note["fix"] == "To keep their order: --pin left right."
        assert "left" not in needs(written.read_text())["right"]

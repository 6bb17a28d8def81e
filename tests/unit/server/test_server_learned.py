"""What runs taught about the order of steps stands in a conversion and a Workflow that are asked for a target."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.test_cli_convert_learned import CELLS, needs
from tests.unit.notebook_building import document


@pytest.mark.slow
async def test_a_target_that_is_named_has_the_order_that_its_runs_taught(call: Any, bench: Any, jp_root_dir: Path) -> None:
    path = jp_root_dir / "a.ipynb"
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path.write_text(json.dumps({**document(*CELLS, metadata=kernel), "nbformat_minor": 4}))  # whose cells have no ids

    async def notes(**query: str) -> list[Any]:
        answer = await call("POST", "/convert", {"path": "a.ipynb"}, schema="Conversion", **query)
        assert answer.status == 200, answer.body
        return [one["cell"] for one in answer.body["diagnostics"] if one["code"] == "side-by-side"]

    assert await notes(target="local") == []
    *_, done = bench.engine.watch(bench.run(path).name)
    assert done.phase == "Succeeded", done.failure
    assert await notes(target="local") == [2]
    assert await notes() == []
    for query, apart in (({"target": "local"}, True), ({}, False)):
        answer = await call("POST", "/workflow", {"path": "a.ipynb"}, **query)
        assert ("left" not in needs(answer.body.decode())["right"]) is apart

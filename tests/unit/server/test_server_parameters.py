"""Parameters through the REST interface: each value arrives in the notebook as it was sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.parameter_values import TYPED, expected, notebook
from tests.unit.server.test_server_runs import until


@pytest.mark.slow
async def test_values_arrive_exactly(call: Any, app: Any, jp_root_dir: Path) -> None:
    (jp_root_dir / "nb.ipynb").write_text(notebook(), encoding="utf-8")
    started = await call("POST", "/runs", {"path": "nb.ipynb", "parameters": TYPED})
    assert started.status in {200, 201, 202}, started.body
    run = await until(call, started.body["name"])
    assert run["phase"] == "Succeeded", run
    assert run["parameters"] == TYPED
    lines = (await call("GET", f"/runs/{run['name']}/logs", step="show", limit="10")).body["lines"]
    assert "".join(f"{line['text']}\n" for line in lines) == expected()


async def test_inf_is_refused_with_its_name(call: Any, app: Any, jp_root_dir: Path) -> None:
    (jp_root_dir / "nb.ipynb").write_text(notebook(), encoding="utf-8")
    answer = await call("POST", "/runs", {"path": "nb.ipynb", "parameters": {"exact": "inf"}})
    assert (answer.status >= 400, answer.body["code"]) == (True, "bad-parameter"), answer.body
    assert "inf and nan" in answer.body["message"]

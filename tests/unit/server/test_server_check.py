"""Checks by REST: started, found again, stopped; paths as the file browser has them."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

PATIENCE = 120.0
"""Seconds after which something that has to happen is not waited for any longer."""


async def over(call: Any, name: str) -> dict[str, Any]:
    until = time.monotonic() + PATIENCE
    while True:
        found: dict[str, Any] = (await call("GET", f"/checks/{name}", schema="NotebookCheck")).body
        if found["phase"] != "Running":
            return found
        assert time.monotonic() < until, found
        await asyncio.sleep(0.1)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_check_from_start_to_verdict(call: Any, write_notebook: Any) -> None:
    write_notebook("sub/same.ipynb", "x = 1", "print(x)")
    begun = await call("POST", "/checks", {"path": "sub/same.ipynb"}, schema="NotebookCheck")
    assert (begun.status, begun.body["phase"], begun.body["notebook"]) == (201, "Running", "sub/same.ipynb")
    again = await call("POST", "/checks", {"path": "sub/same.ipynb"})
    assert (again.status, again.body["code"]) == (409, "check-goes-on")
    found = await over(call, begun.body["name"])
    assert (found["phase"], found["verdict"]["outcome"]) == ("Succeeded", "equal")
    converted = await call("POST", "/convert", {"path": "sub/same.ipynb"})
    assert found["source_digest"] == converted.body["source_digest"]
    for path, expected in (("sub/same.ipynb", [found]), ("other.ipynb", [])):
        assert (await call("GET", "/checks", schema="NotebookChecks", notebook=path)).body == {"checks": expected}


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_clock_is_told_as_unsteady_with_its_cell(call: Any, write_notebook: Any) -> None:
    write_notebook("clock.ipynb", "import time", "print('at', time.time_ns())")
    found = await over(call, (await call("POST", "/checks", {"path": "clock.ipynb"})).body["name"])
    assert found["verdict"]["outcome"] == "unsteady"
    first = found["verdict"]["differences"][0]
    assert (first["kind"], first["what"], first["cell"], first["unsteady"]) == ("output", "stdout", 1, True)
    assert first["single"] != first["pipeline"]


@pytest.mark.timeout(300)
async def test_a_check_is_stopped(call: Any, write_notebook: Any) -> None:
    write_notebook("slow.ipynb", "import time\ntime.sleep(600)")
    name = (await call("POST", "/checks", {"path": "slow.ipynb"})).body["name"]
    stopped = await call("POST", f"/checks/{name}/stop", {}, schema="NotebookCheck")
    assert stopped.status == 200
    assert (await over(call, name))["phase"] == "Stopped"


@pytest.mark.parametrize(
    ("path", "sources", "status"),
    [("none.ipynb", None, 404), ("../a.ipynb", None, 400), ("bad.ipynb", ["b = = 2"], 422)],
)
async def test_what_cannot_be_checked(call: Any, write_notebook: Any, path: str, sources: list[str] | None, status: int) -> None:
    if sources:
        write_notebook(path, *sources)
    assert (await call("POST", "/checks", {"path": path})).status == status
    assert (await call("GET", "/checks", schema="NotebookChecks")).body == {"checks": []}


@pytest.mark.parametrize(("verb", "tail"), [("GET", ""), ("POST", "/stop")])
async def test_a_check_that_never_was(call: Any, verb: str, tail: str) -> None:
    answer = await call(verb, f"/checks/check-0{tail}", None if verb == "GET" else {})
    assert (answer.status, answer.body["code"]) == (404, "not-found")

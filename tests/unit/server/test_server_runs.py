"""Runs through the REST interface: real runs of the local engine, in the shapes of the description."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml as pyyaml  # noqa: TID253  (a test reads what the server wrote)
from jupyter_server.utils import url_path_join

from jupyter_mlops.engine.base import DONE, Submission
from jupyter_mlops.testing.engine import workflow

QUICK = ("load", "print('one'); say(event='metric', name='loss', value=0.5); print('two')")
FAILS = (
    "train",
    "fail(code='step-failed', message='ValueError: no', cell=2, line=3, step='train', traceback=['Traceback', 'ValueError: no'])",
)
SLEEPS = ("wait", "time.sleep(120)")


@pytest.fixture
def submit(bench: Any) -> Any:
    """Start a run of a plain Workflow; all of them are deleted at the end."""
    names = []

    def start(*steps: tuple[str, str], notebook: str | None = None, **options: Any) -> Any:
        run = bench.engine.submit(Submission(workflow(*steps, **options), notebook))
        names.append(run.name)
        return run

    yield start
    for name in names:
        if any(run.name == name for run in bench.engine.list()):
            bench.engine.control(name, "delete")


async def until(call: Callable[..., Awaitable[Any]], name: str, phases: frozenset[str] = DONE) -> dict[str, Any]:
    end = time.monotonic() + 60
    while (run := (await call("GET", f"/runs/{name}", schema="Run")).body)["phase"] not in phases:
        assert time.monotonic() < end, run
        await asyncio.sleep(0.05)
    return run


async def test_a_run_from_start_to_deletion(call: Any, submit: Any, mlops_home: Path) -> None:
    name = submit(QUICK, ("train", "print('three')"), parameters={"lr": 0.5}).name
    run = await until(call, name)
    assert (run["phase"], [step["phase"] for step in run["steps"]]) == ("Succeeded", ["Succeeded", "Succeeded"])
    assert run["parameters"] == {"lr": 0.5}
    assert run["metrics"] == {"loss": 0.5}
    assert run["steps"][1]["needs"] == ["load"]

    listed = (await call("GET", "/runs", schema="Runs")).body
    assert [one["name"] for one in listed["runs"]] == [name]
    assert listed["next"] is None

    logs = (await call("GET", f"/runs/{name}/logs", schema="Logs")).body
    assert [(line["step"], line["text"]) for line in logs["lines"]] == [("load", "one"), ("load", "two"), ("train", "three")]
    assert (logs["offset"], logs["done"]) == (3, True)
    page = (await call("GET", f"/runs/{name}/logs", schema="Logs", offset=1, limit=1)).body
    assert ([line["text"] for line in page["lines"]], page["offset"], page["done"]) == (["two"], 2, False)
    only = (await call("GET", f"/runs/{name}/logs", schema="Logs", step="train")).body
    assert [line["text"] for line in only["lines"]] == ["three"]

    kept = (await call("GET", f"/runs/{name}/files", schema="RunFiles")).body
    assert {one["name"] for one in kept["files"]} >= {"workflow.json", "load.log", "train.log", "metrics.jsonl"}
    assert [(one["name"], one["value"], one["task"]) for one in kept["series"]] == [("loss", 0.5, "load")]

    document = await call("GET", f"/runs/{name}/workflow")
    assert document.headers["Content-Type"] == "application/yaml"
    assert pyyaml.safe_load(document.body)["status"]["phase"] == "Succeeded"

    assert (await call("DELETE", f"/runs/{name}")).status == 204
    for path in (f"/runs/{name}", f"/runs/{name}/logs", f"/runs/{name}/workflow", f"/runs/{name}/notebook", f"/runs/{name}/files"):
        assert (await call("GET", path)).status == 404
    assert not (mlops_home / "runs" / name).exists()


async def test_a_failure_names_cell_line_and_traceback(call: Any, submit: Any) -> None:
    run = await until(call, submit(FAILS).name)
    failure = run["failure"]
    assert run["phase"] == "Failed"
    assert (failure["code"], failure["cell"], failure["line"], failure["step"]) == ("step-failed", 2, 3, "train")
    assert failure["traceback"][-1] == "ValueError: no"


async def test_stop(call: Any, submit: Any) -> None:
    name = submit(SLEEPS).name
    await until(call, name, frozenset({"Running"}))
    assert (await call("POST", f"/runs/{name}/stop", schema="Run")).status == 200
    assert (await until(call, name))["phase"] == "Stopped"
    assert (await call("POST", f"/runs/{name}/stop", schema="Run")).body["phase"] == "Stopped"


async def test_pages_of_runs_are_complete_and_do_not_overlap(call: Any, submit: Any) -> None:
    names = [submit(("one", "pass"), name=f"p{number % 2}").name for number in range(3)]
    for name in names:
        await until(call, name)
    seen, before = [], {}
    while before is not None:
        page = (await call("GET", "/runs", schema="Runs", limit=1, **before)).body
        seen += [run["name"] for run in page["runs"]]
        before = None if page["next"] is None else {"before": page["next"]}
    assert sorted(seen) == sorted(names)
    some = (await call("GET", "/runs", schema="Runs", pipeline="p0")).body
    assert {run["pipeline"] for run in some["runs"]} == {"p0"}


@pytest.mark.slow
async def test_paths_are_those_of_the_file_browser_or_none(call: Any, submit: Any, write_notebook: Any, tmp_path: Path) -> None:
    inside = submit(("one", "pass"), notebook=str(write_notebook("sub/a.ipynb", "1"))).name
    elsewhere = tmp_path / "elsewhere.ipynb"
    elsewhere.write_text("{}")
    outside = submit(("one", "pass"), notebook=str(elsewhere)).name
    assert (await until(call, inside))["notebook"] == "sub/a.ipynb"
    run = await until(call, outside)
    assert run["notebook"] is None
    assert str(tmp_path) not in str(run["executed"])


@pytest.mark.parametrize(
    "path", ["/runs/none", "/runs/none/logs", "/runs/none/notebook", "/runs/none/workflow", "/runs/none/files"]
)
async def test_an_unknown_run_is_404(call: Any, path: str) -> None:
    answer = await call("GET", path)
    assert (answer.status, answer.body["blame"]) == (404, "user")
    assert "none" in answer.body["message"]
    assert answer.body["fix"]


@pytest.mark.slow
async def test_a_running_run_keeps_the_server_alive_and_polling_does_not(
    call: Any, submit: Any, jp_serverapp: Any, app: Any
) -> None:
    settings = jp_serverapp.web_app.settings
    await call("POST", "/convert", {"path": "none.ipynb"})
    touched = settings["api_last_activity"]
    for path in ("/status", "/runs", "/models", "/services", "/doctor", "/runs/none"):
        await call("GET", path)
    assert settings["api_last_activity"] == touched
    assert app.current_activity() is None

    name = submit(SLEEPS).name
    end = time.monotonic() + 30
    while app.current_activity() != {"runs": 1}:
        assert time.monotonic() < end
        await asyncio.sleep(0.05)
    first = settings["mlops_last_activity"]
    while settings["mlops_last_activity"] == first:
        assert time.monotonic() < end
        await asyncio.sleep(0.05)
    assert jp_serverapp.web_app.last_activity() >= settings["mlops_last_activity"]

    await call("POST", f"/runs/{name}/stop")
    end = time.monotonic() + 30
    while app.current_activity() is not None:
        assert time.monotonic() < end
        await asyncio.sleep(0.05)


async def test_a_stopped_server_leaves_runs_alone_and_the_next_one_finds_them(call: Any, submit: Any, app: Any, bench: Any) -> None:
    name = submit(SLEEPS).name
    await until(call, name, frozenset({"Running"}))
    await app.stop_extension()
    from jupyter_mlops.flow import Workbench

    other = Workbench(bench.settings)
    assert other.engine.get(name).phase == "Running"
    assert [run.name for run in other.engine.list()] == [name]


@pytest.mark.slow
async def test_a_new_run_says_where_it_is(call: Any, write_notebook: Any, bench: Any, jp_base_url: str) -> None:
    write_notebook("sub/numbers.ipynb", "x = 2", "print(x + 1)")
    answer = await call("POST", "/runs", {"path": "sub/numbers.ipynb"}, schema="StartedRun")
    name = answer.body["name"]
    try:
        assert answer.status == 201
        assert answer.body["diagnostics"] == []
        assert answer.headers["Location"] == url_path_join(jp_base_url, "jupyter-mlops/api/v1/runs", name)
        assert answer.body["notebook"] == "sub/numbers.ipynb"
        run = await until(call, name)
        assert run["phase"] == "Succeeded", run["failure"]
        executed = (await call("GET", f"/runs/{name}/notebook")).body
        outputs = [output for cell in executed["cells"] for output in cell.get("outputs", [])]
        assert [output["text"] for output in outputs] in ([["3\n"]], ["3\n"])
    finally:
        bench.engine.control(name, "delete")


CELLS = (
    ("rows = [1, 2, 3]\nprint('loaded')", {"mlops": {"step": "load"}}),
    ("lr = 0.5\nworks = False", {"tags": ["parameters"], "mlops": {"step": "train"}}),
    ("assert works\nprint('lr', lr, sum(rows))", {"mlops": {"step": "train"}}),
)


@pytest.fixture
def failed(call: Any, write_notebook: Any, bench: Any) -> Any:
    """A function that runs the notebook above to its failure in the second step, and gives the run."""
    made = []

    async def run(parameters: dict[str, Any]) -> dict[str, Any]:
        path = write_notebook("resume.ipynb", *(source for source, _ in CELLS))
        notebook = json.loads(path.read_text())
        for cell, (_, metadata) in zip(notebook["cells"], CELLS, strict=True):
            cell["metadata"] = metadata
        path.write_text(json.dumps(notebook))
        answer = await call("POST", "/runs", {"path": "resume.ipynb", "parameters": parameters}, schema="Run")
        made.append(answer.body["name"])
        return await until(call, made[-1])

    yield run
    for run_ in bench.engine.list():
        bench.engine.control(run_.name, "delete")


@pytest.mark.slow
async def test_a_resumed_run_takes_over_what_finished_and_keeps_what_is_not_said(call: Any, failed: Any) -> None:
    before = await failed({"lr": 0.25})
    assert (before["phase"], before["resumed"]) == ("Failed", None)
    asked = {"path": "resume.ipynb", "parameters": {"works": True}, "resume": before["name"]}
    answer = await call("POST", "/runs", asked, schema="Run")
    assert (answer.status, answer.body["resumed"]) == (201, before["name"])
    run = await until(call, answer.body["name"])
    assert run["phase"] == "Succeeded", run["failure"]
    assert run["parameters"] == {"lr": 0.25, "works": True}
    assert {step["name"]: step["cached"] for step in run["steps"]} == {"load": True, "train": False}
    logs = (await call("GET", f"/runs/{run['name']}/logs", schema="Logs", step="train")).body
    assert [line["text"] for line in logs["lines"]] == [f"runs again: it did not succeed in {before['name']}", "lr 0.25 6"]


@pytest.mark.slow
async def test_without_resume_every_step_runs(call: Any, failed: Any) -> None:
    await failed({})
    answer = await call("POST", "/runs", {"path": "resume.ipynb", "parameters": {"works": True}}, schema="Run")
    run = await until(call, answer.body["name"])
    assert (run["phase"], run["resumed"]) == ("Succeeded", None)
    assert not any(step["cached"] for step in run["steps"])


@pytest.mark.slow
async def test_a_resumption_that_cannot_be(call: Any, failed: Any) -> None:
    run = await failed({})
    for body, status in (
        ({"path": "resume.ipynb", "resume": "nobody-00000"}, 404),
        ({"path": "resume.ipynb", "resume": "../secret"}, 404),
        ({"path": "resume.ipynb", "resume": 3}, 400),
        ({"path": "other.ipynb", "resume": run["name"]}, 404),
    ):
        answer = await call("POST", "/runs", body)
        assert answer.status == status, (body, answer.body)
        assert answer.body["fix"]
    listed = (await call("GET", "/runs", schema="Runs")).body["runs"]
    assert [one["name"] for one in listed] == [run["name"]]

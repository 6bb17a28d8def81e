"""What a run keeps, file by file, and its metrics while it goes on: nothing of it becomes a page of the notebook server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest

from jupyter_mlops.engine.base import DONE, Submission
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.registry.runs import RunRecords
from jupyter_mlops.server.handlers import runfiles
from jupyter_mlops.testing.engine import workflow

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
FILES = {
    "artifacts/plots/roc.png": PNG,
    "artifacts/Ä b.PNG": PNG,
    "artifacts/photo.jpeg": b"\xff\xd8",
    "artifacts/plot.svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "artifacts/page.html": b"<script>alert(1)</script>",
    "artifacts/rows.csv": b"a\n1\n",
    "artifacts/none": b"",
}
SHOWN = {"artifacts/plots/roc.png": "image/png", "artifacts/Ä b.PNG": "image/png", "artifacts/photo.jpeg": "image/jpeg"}


@pytest.fixture
def run(bench: Any) -> Iterator[Any]:
    """A run that ended, and keeps these files."""
    found = bench.engine.submit(Submission(workflow(("one", "pass")), None))
    end = time.monotonic() + 60
    while bench.engine.get(found.name).phase not in DONE or not RunRecords(bench.store).runs(found.pipeline):
        assert time.monotonic() < end
        time.sleep(0.05)
    RunRecords(bench.store).put(found.pipeline, found.name, {"name": found.name}, FILES)
    yield bench.engine.get(found.name)
    bench.engine.control(found.name, "delete")


async def until(condition: Any) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("name", FILES)
async def test_each_file_is_shown_or_saved(call: Any, run: Any, name: str) -> None:
    answer = await call("GET", f"/runs/{run.name}/file", name=name)
    assert (answer.status, answer.body) == (200, FILES[name])
    headers = answer.headers
    assert headers["Content-Type"] == SHOWN.get(name, "application/octet-stream")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert ("Content-Disposition" in headers) == (name not in SHOWN)
    assert headers.get("Content-Disposition", "attachment;").startswith("attachment;")


@pytest.mark.parametrize("name", ["artifacts/nothing", "../../etc/passwd", "/etc/passwd", "", "artifacts/plots"])
async def test_what_the_run_does_not_keep_is_not_there(call: Any, run: Any, name: str) -> None:
    answer = await call("GET", f"/runs/{run.name}/file", name=name)
    assert (answer.status, answer.body["code"]) == (404, "file-not-found")


async def test_a_name_is_needed_and_a_run(call: Any, run: Any) -> None:
    assert (await call("GET", f"/runs/{run.name}/file")).status == 400
    assert (await call("GET", "/runs/none/file", name="x")).status == 404


async def test_a_large_file_is_left_to_the_command_line(call: Any, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runfiles, "LARGEST", 3)
    answer = await call("GET", f"/runs/{run.name}/file", name="artifacts/rows.csv")
    assert (answer.status, answer.body["code"]) == (400, "file-too-large")
    assert f"runs {run.name} --files" in answer.body["fix"]


async def test_a_damaged_file_is_not_shown(call: Any, run: Any, bench: Any) -> None:
    layout = bench.store
    assert isinstance(layout, Layout)
    for layer in layout.get_manifest(f"runs/{run.pipeline}", f"run-{run.name}").document["layers"]:
        if layer["size"] == len(PNG):
            layout.blob_path(f"runs/{run.pipeline}", layer["digest"]).write_bytes(PNG[:-1] + b"x")
    answer = await call("GET", f"/runs/{run.name}/file", name="artifacts/plots/roc.png")
    assert answer.status == 502, "what is kept is at fault, not who asks"
    assert answer.body["code"] == "corrupt"


async def test_metrics_are_told_while_the_run_goes_on(call: Any, bench: Any) -> None:
    says = "".join(f"say(event='metric', name='loss', value={value}, step={step}); " for step, value in enumerate((0.5, 0.25)))
    found = bench.engine.submit(Submission(workflow(("fit", says + "time.sleep(60)")), None))
    try:
        series: list[Any] = []
        end = time.monotonic() + 30
        while len(series) < 2:
            assert time.monotonic() < end
            body = (await call("GET", f"/runs/{found.name}/files", schema="RunFiles")).body
            series = body["series"]
            await asyncio.sleep(0.05)
        assert body["files"] == []
        assert [(one["name"], one["value"], one["step"], one["task"]) for one in series] == [
            ("loss", 0.5, 0, "fit"),
            ("loss", 0.25, 1, "fit"),
        ]
        assert bench.engine.get(found.name).phase not in DONE
    finally:
        bench.engine.control(found.name, "stop")
        await until(lambda: bench.engine.get(found.name).phase in DONE)
        bench.engine.control(found.name, "delete")

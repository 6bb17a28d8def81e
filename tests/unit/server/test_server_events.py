"""Events: every change is told once, to whoever listens, with a name and a phase and nothing else."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.engine.base import Submission
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.names import OCI_EMPTY, OCI_MANIFEST
from jupyter_mlops.server.app import ACTION
from jupyter_mlops.server.events.watcher import CHANGED, Folders, Seen
from jupyter_mlops.settings import Storage
from jupyter_mlops.testing.engine import wait, workflow


def write(path: Path, document: Any) -> None:
    """Replace a file as the engine does, with a newer time even on a coarse clock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    last = path.stat().st_mtime_ns if path.exists() else 0
    fresh = path.with_suffix(".new")
    fresh.write_text(document if isinstance(document, str) else json.dumps(document))
    stamp = max(last + 2_000_000, time.time_ns())
    os.utime(fresh, ns=(stamp, stamp))
    fresh.replace(path)


def run_document(name: str, phase: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {}, "status": {"phase": phase}}


def tag_a_model(root: Path) -> None:
    store = Layout(root)
    config = store.put_blob("models/churn", b"{}", OCI_EMPTY)
    about = {"mediaType": config.media_type, "digest": config.digest, "size": config.size}
    store.put_manifest("models/churn", {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": about, "layers": []}, tags=["v1"])


def told(folders: Folders) -> list[tuple[str, str, str]]:
    return sorted((kind, name, seen.phase) for (kind, name), seen in folders.look())


def test_each_change_is_told_once(tmp_path: Path) -> None:
    folders = Folders(Storage(home=tmp_path))
    assert told(folders) == []
    write(tmp_path / "runs" / "a" / "workflow.json", run_document("a", "Running"))
    assert told(folders) == [("run", "a", "Running")]
    assert (folders.active(), folders.busy()) == ({"a"}, True)
    assert told(folders) == []
    write(tmp_path / "runs" / "a" / "workflow.json", run_document("a", "Succeeded"))
    assert told(folders) == [("run", "a", "Succeeded")]
    assert (folders.active(), folders.busy()) == (frozenset(), False)
    write(
        tmp_path / "services" / "default" / "s" / "isvc.json", {"kind": "InferenceService", "metadata": {"name": "s"}, "status": {}}
    )
    assert told(folders) == [("service", "default/s", "Pending")]
    assert folders.busy()
    tag_a_model(tmp_path / "registry")
    assert told(folders) == [("model", "churn", "Changed")]


def test_datasets_are_told_by_their_whole_names(tmp_path: Path) -> None:
    """One may lie inside the folder of another; blobs and hidden folders are none."""
    folders = Folders(Storage(home=tmp_path), rest=0)
    assert told(folders) == []
    for name in ("rows", "rows/clean", "team/eu/rows"):
        write(tmp_path / "registry" / "datasets" / name / "index.json", {})
        (tmp_path / "registry" / "datasets" / name / "blobs" / "sha256").mkdir(parents=True)
        assert told(folders) == [("dataset", name, "Changed")]
    write(tmp_path / "registry" / "datasets" / "team" / ".hidden" / "index.json", {})
    assert told(folders) == []
    write(tmp_path / "registry" / "datasets" / "rows" / "index.json", {"manifests": []})
    assert told(folders) == [("dataset", "rows", "Changed")]
    (tmp_path / "registry" / "datasets" / "rows" / "clean" / "index.json").unlink()
    assert told(folders) == [("dataset", "rows/clean", "Deleted")]


def test_names_of_datasets_are_not_walked_for_at_every_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("jupyter_mlops.server.events.watcher.time.monotonic", lambda: now[0])
    folders = Folders(Storage(home=tmp_path))
    assert told(folders) == []
    write(tmp_path / "registry" / "datasets" / "rows" / "index.json", {})
    assert told(folders) == []
    now[0] += folders.rest
    assert told(folders) == [("dataset", "rows", "Changed")]
    write(tmp_path / "registry" / "datasets" / "rows" / "index.json", {"manifests": []})
    assert told(folders) == [("dataset", "rows", "Changed")], "of one that is known, every change"


def test_a_thing_that_goes_is_told_as_deleted_with_a_later_revision(tmp_path: Path) -> None:
    folders = Folders(Storage(home=tmp_path))
    path = tmp_path / "runs" / "a" / "workflow.json"
    write(path, run_document("a", "Running"))
    [(_, seen)] = folders.look()
    path.unlink()
    path.parent.rmdir()
    [(key, gone)] = folders.look()
    assert (key, gone.phase) == (("run", "a"), "Deleted")
    assert gone.revision > seen.revision
    assert folders.look() == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"metadata": {}', "null"])
def test_a_file_that_cannot_be_read_now_is_not_lost(tmp_path: Path, text: str) -> None:
    folders = Folders(Storage(home=tmp_path))
    path = tmp_path / "runs" / "a" / "workflow.json"
    write(path, run_document("a", "Running"))
    folders.look()
    write(path, text)
    assert folders.look() == []
    assert folders.active() == {"a"}
    write(path, run_document("a", "Failed"))
    assert told(folders) == [("run", "a", "Failed")]


def test_finished_runs_cost_no_further_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = Folders(Storage(home=tmp_path))
    for number in range(20):
        write(tmp_path / "runs" / f"r{number}" / "workflow.json", run_document(f"r{number}", "Succeeded"))
    folders.look()
    looked: list[Any] = []
    monkeypatch.setattr(Path, "stat", lambda self, **_: looked.append(self))
    assert folders.look() == []
    assert looked == []


def test_revisions_fit_the_numbers_of_a_browser(tmp_path: Path) -> None:
    folders = Folders(Storage(home=tmp_path))
    write(tmp_path / "services" / "n" / "s" / "isvc.json", {"kind": "InferenceService", "metadata": {"name": "s"}, "status": {}})
    [(_, seen)] = folders.look()
    assert isinstance(seen, Seen)
    assert 0 < seen.revision < 2**53


async def test_a_run_is_followed_by_events_over_a_websocket(jp_ws_fetch: Any, app: Any) -> None:
    socket = await jp_ws_fetch("api", "events", "subscribe")
    engine = app.bench.engine
    run = await asyncio.to_thread(engine.submit, Submission(workflow(("one", "print('a line of the log')"))))
    app.watcher.hurry()
    seen: list[dict[str, Any]] = []
    while not (seen and seen[-1]["phase"] == "Succeeded"):
        message = json.loads(await asyncio.wait_for(socket.read_message(), 60))
        if message["schema_id"] == CHANGED and message["name"] == run.name:
            assert set(message) >= {"kind", "name", "phase", "revision"}
            assert "a line of the log" not in str(message)
            seen.append(message)
    assert {message["kind"] for message in seen} == {"run"}
    revisions = [message["revision"] for message in seen]
    assert revisions == sorted(set(revisions))
    await asyncio.to_thread(wait, engine, run.name)
    await asyncio.to_thread(engine.control, run.name, "delete")
    app.watcher.hurry()
    while seen[-1]["phase"] != "Deleted":
        message = json.loads(await asyncio.wait_for(socket.read_message(), 60))
        if message.get("name") == run.name:
            seen.append(message)
    socket.close()


async def test_one_bad_look_does_not_end_the_watching(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []

    def look(self: Folders) -> list[Any]:
        looks.append(1)
        if len(looks) == 1:
            raise OSError("the disk hiccups")
        return []

    monkeypatch.setattr(Folders, "look", look)
    end = time.monotonic() + 30
    while len(looks) < 2:
        app.watcher.hurry()
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


async def test_who_does_what_is_recorded_without_any_data(call: Any, app: Any, jp_serverapp: Any, write_notebook: Any) -> None:
    told: list[dict[str, Any]] = []

    async def listen(logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        told.append(data)

    jp_serverapp.event_logger.add_listener(schema_id=ACTION, listener=listen)
    write_notebook("secret-plan.ipynb", "password = 'hunter2'")
    name = (await call("POST", "/runs", {"path": "secret-plan.ipynb"})).body["name"]
    await call("POST", f"/runs/{name}/stop")
    await call("DELETE", f"/runs/{name}")
    await call("DELETE", f"/runs/{name}")  # it is gone: nothing was done
    end = time.monotonic() + 30
    while len(told) < 3:
        assert time.monotonic() < end
        await asyncio.sleep(0.02)
    assert [(one["action"], one["kind"], one["name"]) for one in told] == [
        (action, "run", name) for action in ("start", "stop", "delete")
    ]
    assert all(one["user"] for one in told)
    assert told[0]["reference"].startswith("sha256:")
    assert "hunter2" not in str(told)

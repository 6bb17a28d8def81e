"""Datasets, lineage, and what there is to a model's versions, over REST."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.oci.modelpack import publish_model
from jupyter_mlops.runner.dataset import publish_dataset, write_dataset
from jupyter_mlops.server.app import ACTION


@pytest.fixture
def dataset(bench: Any, tmp_path: Path) -> Any:
    """Record a version of a dataset with these files."""

    def make(name: str, **files: str) -> None:
        source, folder = tmp_path / f"in-{time.monotonic_ns()}", tmp_path / f"out-{time.monotonic_ns()}"
        source.mkdir()
        folder.mkdir()
        for file, text in files.items():
            (source / file).write_text(text)
        facts = write_dataset(source, folder)
        publish_dataset(bench.store, name, folder, facts.to_json(), key=f"r/s/{time.monotonic_ns()}", annotations={})

    return make


@pytest.fixture
def model(bench: Any, tmp_path: Path) -> Any:
    """Publish a version of a model with this metric."""

    def make(name: str, loss: float) -> None:
        folder = tmp_path / f"model-{time.monotonic_ns()}"
        folder.mkdir()
        card = {"version": 1, "format": "numpy", "file": "w.npy", "packages": {"numpy": f"2.{loss}"}}
        (folder / "mlops.json").write_text(json.dumps(card))
        (folder / "w.npy").write_bytes(b"x" * 10)
        notes = {"format": "numpy"}
        publish_model(bench.store, name, folder, key=f"r/s/{time.monotonic_ns()}", annotations=notes, metrics={"loss": loss})

    return make


async def test_datasets_from_the_list_to_deletion(
    call: Any, dataset: Any, http_server_client: Any, jp_auth_header: dict[str, str], jp_base_url: str
) -> None:
    assert (await call("GET", "/datasets", schema="Datasets")).body == {"datasets": []}
    dataset("rows", a="1", b="2")
    dataset("rows", a="1", b="changed", c="3")
    dataset("team/other", a="1")
    listed = (await call("GET", "/datasets", schema="Datasets")).body["datasets"]
    assert [(one["name"], one["tag"]) for one in listed] == [("rows", "v2"), ("team/other", "v1")]
    versions = (await call("GET", "/datasets/rows", schema="Dataset")).body["versions"]
    assert [one["tag"] for one in versions] == ["v2", "v1"]
    found = (await call("GET", "/datasets/rows/versions/v2", schema="DatasetFiles")).body
    assert [(file["path"], file["bytes"]) for file in found["files"]] == [("a", 1), ("b", 7), ("c", 1)]
    changes = (await call("GET", "/datasets/rows/diff", schema="DatasetChanges", **{"from": "v1", "to": "v2"})).body
    assert ([file["path"] for file in changes["added"]], [file["path"] for file in changes["changed"]]) == (["c"], ["b"])
    assert (changes["same"], changes["removed"]) == (1, [])
    path = f"{jp_base_url}jupyter-mlops/api/v1/datasets/team%2Fother"
    reply = await http_server_client.fetch(path, headers=jp_auth_header)
    assert json.loads(reply.body)["versions"][0]["name"] == "team/other"
    assert (await call("DELETE", "/datasets/rows/versions/v1")).status == 204
    assert [one["tag"] for one in (await call("GET", "/datasets/rows")).body["versions"]] == ["v2"]


WRONG = {
    "no such dataset": ("GET", "/datasets/none", {}, 404),
    "no such version": ("GET", "/datasets/rows/versions/v9", {}, 404),
    "nothing to compare with": ("GET", "/datasets/rows/diff", {"from": "v1"}, 400),
    "no such version to compare with": ("GET", "/datasets/rows/diff", {"from": "v1", "to": "v9"}, 404),
    "deletion of what is not there": ("DELETE", "/datasets/rows/versions/v9", {}, 404),
    "lineage of nothing": ("GET", "/lineage", {}, 400),
    "lineage of what is not there": ("GET", "/lineage", {"of": "models/none:v1"}, 404),
    "lineage sideways": ("GET", "/lineage", {"of": "datasets/rows:v1", "direction": "left"}, 400),
    "no such version of a model": ("GET", "/models/net/diff", {"from": "v1", "to": "v9"}, 404),
    "one version alone": ("GET", "/models/net/diff", {"from": "v1"}, 400),
    "no such alias": ("DELETE", "/models/net/aliases/none", {}, 404),
}


@pytest.mark.parametrize("case", WRONG)
async def test_what_is_not_there_or_not_asked_rightly(case: str, call: Any, dataset: Any, model: Any) -> None:
    dataset("rows", a="1")
    model("net", 1.0)
    verb, path, asked, status = WRONG[case]
    answer = await call(verb, path, **asked)
    assert answer.status == status, answer.body
    assert answer.body["message"]


async def test_versions_are_compared_and_aliases_remembered(call: Any, model: Any) -> None:
    model("net", 1.0)
    model("net", 2.0)
    found = (await call("GET", "/models/net/diff", schema="ModelDifferences", **{"from": "v1", "to": "v2"})).body
    assert ("metric", "loss", 1.0, 2.0) in [(one["part"], one["name"], one["before"], one["after"]) for one in found["differences"]]
    moved = await call("PUT", "/models/net/aliases/champion", {"tag": "v1", "reason": "steady"}, schema="Model")
    assert moved.status == 200
    assert (await call("DELETE", "/models/net/aliases/champion", reason="no more")).status == 204
    events = (await call("GET", "/models/net/history", schema="History")).body["events"]
    assert [(one["alias"], one["from"], one["to"], one["reason"]) for one in events if one.get("alias") == "champion"] == [
        ("champion", None, "v1", "steady"),
        ("champion", "v1", None, "no more"),
    ]


async def test_who_deleted_a_dataset_is_told(call: Any, dataset: Any, jp_serverapp: Any) -> None:
    told: list[Any] = []

    async def listen(logger: Any, schema_id: str, data: Any) -> None:
        told.append(data)

    jp_serverapp.event_logger.add_listener(schema_id=ACTION, listener=listen)
    dataset("rows", a="1")
    assert (await call("DELETE", "/datasets/rows/versions/v1")).status == 204
    end = time.monotonic() + 30
    while not told:
        assert time.monotonic() < end
        await asyncio.sleep(0.02)
    assert (told[0]["action"], told[0]["kind"], told[0]["name"]) == ("delete", "dataset", "rows:v1")


async def test_lineage_of_what_nobody_told_of(call: Any, dataset: Any) -> None:
    dataset("rows", a="1")
    for direction in ("up", "down"):
        tree = (await call("GET", "/lineage", schema="Lineage", of="datasets/rows:v1", direction=direction)).body
        assert (tree["repository"], tree["tag"], tree["origins"], tree["next"]) == ("datasets/rows", "v1", [], [])


@pytest.mark.slow
async def test_lineage_of_a_run(call: Any, dataset: Any, write_notebook: Any) -> None:
    dataset("rows", a="1")
    write_notebook(
        "train.ipynb",
        "from jupyter_mlops import load_dataset, log_model",
        "load_dataset('rows')\nclass M:\n    def predict(self, rows):\n        return rows\nlog_model(M(), 'net')",
    )
    run = (await call("POST", "/runs", {"path": "train.ipynb"})).body["name"]
    end = time.monotonic() + 90
    while (phase := (await call("GET", f"/runs/{run}")).body["phase"]) not in {"Succeeded", "Failed"}:
        assert time.monotonic() < end
        await asyncio.sleep(0.2)
    assert phase == "Succeeded"
    while not (tree := (await call("GET", "/lineage", schema="Lineage", of="models/net:v1")).body)["origins"]:
        assert time.monotonic() < end, tree
        await asyncio.sleep(0.2)
    assert [origin["run"] for origin in tree["origins"]] == [run]
    assert [(one["repository"], one["tag"]) for one in tree["next"]] == [("datasets/rows", "v1")]
    below = (await call("GET", "/lineage", schema="Lineage", of="datasets/rows:v1", direction="down")).body
    assert [(one["repository"], one["tag"]) for one in below["next"]] == [("models/net", "v1")]
    assert (await call("DELETE", "/datasets/rows/versions/v1")).status == 409
    assert (await call("DELETE", "/datasets/rows/versions/v1", reason="a test")).status == 204

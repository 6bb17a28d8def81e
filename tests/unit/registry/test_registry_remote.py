"""Models and runs on a registry over HTTP: in how many requests, with what is damaged, and what a collection clears away."""

import json
import logging
import shutil
from contextlib import contextmanager

import pytest

from jupyter_mlops.errors import Corrupt, NotFound, Unavailable
from jupyter_mlops.oci.artifact import push_artifact
from jupyter_mlops.oci.connection import Connections
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.marker import put_marker
from jupyter_mlops.oci.modelpack import publish_model
from jupyter_mlops.oci.remote import Remote
from jupyter_mlops.registry import distribution
from jupyter_mlops.registry.copy import copy
from jupyter_mlops.registry.datasets import Datasets
from jupyter_mlops.registry.distribution import DistributionRegistry
from jupyter_mlops.registry.index import Index
from jupyter_mlops.registry.layout import registry_of
from jupyter_mlops.registry.models import Models
from jupyter_mlops.registry.runs import RunRecords
from jupyter_mlops.testing.embedded import embedded_registry

CARD = {"version": 1, "signature": {"inputs": [{"name": "age", "datatype": "INT64"}]}}
KIND = "application/vnd.example.v1+json"


@pytest.fixture
def layout(tmp_path):
    return Layout(tmp_path / "registry")


@pytest.fixture
def store(layout, monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with embedded_registry(layout.root) as address:
        yield Remote(address)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.bin").write_bytes(b"w" * 1000)
    (folder / "mlops.json").write_text(json.dumps(CARD))
    return folder


@pytest.fixture
def counted(monkeypatch):
    """``with counted() as asked``: the requests of the block."""
    send, asked = Connections.send, []

    def noting(self, method, url, headers, body):
        asked.append((method, url))
        return send(self, method, url, headers, body)

    monkeypatch.setattr(Connections, "send", noting)

    @contextmanager
    def counting():
        asked.clear()
        yield asked

    return counting


@pytest.mark.slow
def test_a_list_of_fifty_models_asks_for_no_blob_and_the_second_for_little(layout, store, folder, counted):
    for number in range(50):
        for key in "ab":
            publish_model(layout, f"m{number}", folder, key=key, annotations={"format": "f"}, metrics={"m": 1.0})
    models = Models(store)
    with counted() as asked:
        found = models.list()
        first = list(asked)
    assert [len(model.versions) for model in found] == [2] * 50
    assert all(version.inputs and version.bytes and version.format for model in found for version in model.versions)
    assert not [url for _, url in first if "/blobs/" in url]
    assert len(first) <= 2 + 50 * (1 + 2 + 1), "the catalog; of each its tags, its versions, and where latest points"
    with counted() as asked:
        assert models.list() == found
        assert len(asked) <= 1 + 50 * 2
    publish_model(layout, "m7", folder, key="c", annotations={}, metrics={})
    with counted() as asked:
        assert models.find("m7").tag == "v3"
        assert len(asked) <= 6, "tags, the new version, latest, and its card"


def test_with_an_index_a_new_process_asks_for_no_manifest_that_was_read_before(layout, store, folder, counted, tmp_path):
    for key in "abc":
        publish_model(layout, "m", folder, key=key, annotations={"format": "f"}, metrics={"m": 1.0})
    index = Index(tmp_path / "index", store.address)
    first = Models(store, index=index).list()
    with counted() as asked:
        assert Models(store, index=index).list() == first
        assert not [url for method, url in asked if method == "GET" and "/manifests/" in url]
    publish_model(layout, "m", folder, key="d", annotations={"format": "f"}, metrics={"m": 2.0})
    with counted() as asked:
        (model,) = Models(store, index=index).list()
        assert [version.metrics["m"] for version in model.versions] == [2.0, 1.0, 1.0, 1.0]
        assert len([url for method, url in asked if method == "GET" and "/manifests/" in url]) <= 1, "latest is v4 too"


def test_an_index_does_not_outlive_what_it_tells_of(layout, store, folder, tmp_path):
    """Somebody empties the registry at the same address: v1 is another model."""
    index = Index(tmp_path / "index", store.address)
    publish_model(layout, "m", folder, key="a", annotations={}, metrics={"m": 1.0})
    Models(store, index=index).list()
    shutil.rmtree(layout.root / "models")
    publish_model(Layout(layout.root), "m", folder, key="b", annotations={}, metrics={"m": 2.0})
    (model,) = Models(store, index=index).list()
    assert model.versions[0].metrics == {"m": 2.0}
    assert [one.newest.metrics for one in Models(store, index=index).summaries()] == [{"m": 2.0}]


def test_a_record_is_read_in_few_requests(store, counted):
    records = RunRecords(store)
    records.put("p", "r", {"name": "r"}, {})
    records = RunRecords(store)
    with counted() as asked:
        assert records.get("p", "r") == {"name": "r"}
        assert len(asked) <= 3
    with counted() as asked:
        assert records.get("p", "r") == {"name": "r"}
        assert len(asked) <= 1
    records.put("p", "r", {"name": "r", "again": True}, {})
    assert records.get("p", "r")["again"], "a record that was replaced is seen"


def test_publishing_the_same_again_sends_nothing(store, folder, counted):
    publish_model(store, "m", folder, key="k", annotations={}, metrics={"m": 1.0})
    with counted() as asked:
        assert publish_model(store, "m", folder, key="k", annotations={}, metrics={"m": 1.0}).tag == "v1"
        assert not [method for method, _ in asked if method in {"PUT", "POST", "PATCH"}]


def test_datasets(store):
    layer = store.put_blob("datasets/d", b"1,2", "text/csv")
    push_artifact(store, "datasets/d", KIND, {"rows": 1}, [layer], tags=["v1", "latest"])
    assert [(each.name, each.tag, each.facts) for each in Datasets(store).list()] == [("d", "v1", {"rows": 1})]


@pytest.mark.slow
def test_a_damaged_version_hides_no_other(layout, store, folder, caplog):
    for key in "ab":
        publish_model(store, "m", folder, key=key, annotations={}, metrics={})
    digest = layout.get_manifest("models/m", "v1").descriptor.digest
    path = layout.blob_path("models/m", digest)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with caplog.at_level(logging.WARNING):
        assert [version.tag for version in Models(store).get("m").versions] == ["v2"]
    assert "models/m:v1" in caplog.text


def test_a_damaged_blob_is_not_copied(layout, store, folder, tmp_path):
    publish_model(layout, "m", folder, key="a", annotations={}, metrics={})
    layer = layout.get_manifest("models/m", "v1.modelpack").document["layers"][0]["digest"]
    path = layout.blob_path("models/m", layer)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    for source, target in ((layout, Remote(store.address + "/else")), (store, Layout(tmp_path / "target"))):
        with pytest.raises(Corrupt):
            copy(source, target, "models/m", "v1")
        assert list(target.tags("models/m")) == []


def test_copying_under_other_names(layout, store, folder):
    made = publish_model(layout, "m", folder, key="a", annotations={}, metrics={})
    copy(layout, store, "models/m", made.digest, into="models/n", tags=["candidate"])
    assert store.get_manifest("models/n", "candidate").descriptor.digest == made.digest
    with pytest.raises(NotFound):
        copy(layout, store, "models/m", "v9")


def test_a_collection_clears_what_was_left_and_nothing_that_is_on_its_way(store, folder):
    publish_model(store, "m", folder, key="a", annotations={}, metrics={})
    image = store.get_manifest("models/m", "v1.linux-amd64").descriptor.digest
    registry = registry_of(store)
    assert isinstance(registry, DistributionRegistry)
    for tag in ("v8.linux-amd64", "v9.linux-amd64"):
        registry.point("models/m", tag, image)
    for claim in ("_claim.v1.0123456789ab", "_claim.v9.0123456789ab"):
        put_marker(store, "models/m", claim)
    before = store.tags("models/m")
    planned = registry.collect("models/m", dry_run=True)
    assert store.tags("models/m") == before
    done = registry.collect("models/m")
    assert (planned.manifests, done.manifests) == (2, 2)
    assert set(before) - set(store.tags("models/m")) == {"v8.linux-amd64", "_claim.v1.0123456789ab"}
    assert "garbage collection" in done.skipped[0]


def test_a_lease_of_somebody_who_died_is_waited_out_and_that_of_the_living_is_respected(store, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(distribution.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(distribution.time, "sleep", lambda _: clock.__setitem__(0, clock[0] + 10))
    put_marker(store, "a", "_lease.0123456789ab")
    with registry_of(store).exclusive("a"):
        assert clock[0] >= 30
    clock[0] = 0.0

    def another(_):
        clock[0] += 10
        put_marker(store, "a", f"_lease.{int(clock[0]):012d}")

    monkeypatch.setattr(distribution.time, "sleep", another)
    with pytest.raises(Unavailable) as refused, registry_of(store).exclusive("a"):
        pass
    assert refused.value.code == "locked"

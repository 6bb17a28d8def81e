"""Copies between folders and registries: each byte once over the wire and once through the hash, and none that is there."""

import hashlib
import os

import pytest

from jupyter_mlops.errors import Corrupt
from jupyter_mlops.oci import connection, disk
from jupyter_mlops.oci.descriptor import blobs_of, children_of
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.modelpack import publish_model
from jupyter_mlops.oci.remote import Remote
from jupyter_mlops.registry.copy import copy
from jupyter_mlops.testing.embedded import embedded_registry
from jupyter_mlops.testing.wire import Fault, Wire
from tests.unit.oci.noted import noted_requests

BIG = os.urandom(3_000_000)
WAYS = [("folder", "folder"), ("folder", "registry"), ("registry", "folder"), ("registry", "registry")]


@pytest.fixture(autouse=True)
def no_config(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "none"))
    monkeypatch.setattr("jupyter_mlops.oci.http.time.sleep", lambda _: None)


@pytest.fixture
def stores(tmp_path):
    """A folder and a registry over another one, with the same model, and an empty one of each."""
    weights = tmp_path / "model"
    weights.mkdir()
    (weights / "model.bin").write_bytes(BIG)
    (weights / "mlops.json").write_text("{}")
    with embedded_registry(tmp_path / "full") as full, embedded_registry(tmp_path / "empty") as empty:
        found = {
            "folder": (Layout(tmp_path / "source"), Layout(tmp_path / "target")),
            "registry": (Remote(full), Remote(empty)),
        }
        publish_model(found["folder"][0], "m", weights, key="a", annotations={}, metrics={})
        copy(found["folder"][0], found["registry"][0], "models/m", "v1")
        found["registry"] = (Remote(full), Remote(empty))  # that has seen nothing yet
        yield found


@pytest.fixture
def asked(monkeypatch):
    return noted_requests(monkeypatch)


def layers(store, repository="models/m"):
    index = store.get_manifest(repository, "v1")
    parts = [store.get_manifest(repository, child.digest) for child in children_of(index.document)]
    return {blob.digest: blob for part in parts for blob in blobs_of(part.document)}


def read(store, digest, repository="models/m"):
    with store.open_blob(repository, digest) as stream:
        return stream.read()


@pytest.mark.parametrize(("source", "target"), WAYS)
def test_every_way(source, target, stores):
    here, there = stores[source][0], stores[target][1]
    done = copy(here, there, "models/m", "v1")
    assert there.get_manifest("models/m", "v1").data == here.get_manifest("models/m", "v1").data
    found = layers(there)
    assert found.keys() == layers(here).keys()
    assert all(hashlib.sha256(read(there, digest)).hexdigest() == digest[7:] for digest in found)
    assert done.blobs >= len(found)


@pytest.mark.parametrize(("source", "target"), WAYS)
def test_nothing_goes_over_a_disk_in_between(source, target, stores, monkeypatch):
    monkeypatch.setattr("jupyter_mlops.oci.content.Upload", None)
    copy(stores[source][0], stores[target][1], "models/m", "v1")


@pytest.mark.parametrize(("source", "target"), WAYS)
def test_what_is_there_is_neither_fetched_nor_sent(source, target, stores, asked):
    here, there = stores[source][0], stores[target][1]
    copy(here, there, "models/m", "v1")
    asked.clear()
    copy(here, there, "models/m", "v1")
    assert [request for request in asked if "/blobs/" in request[1] and request[0] != "HEAD"] == []


@pytest.mark.parametrize("source", ["folder", "registry"])
def test_another_repository_of_a_folder_gets_it_from_the_pool(source, stores, asked):
    here, there = stores[source][0], stores["folder"][1]
    copy(here, there, "models/m", "v1")
    asked.clear()
    copy(here, there, "models/m", "v1", into="models/other")
    assert [request for request in asked if "/blobs/" in request[1]] == []
    weights = max(layers(there, "models/other").values(), key=lambda blob: blob.size)
    assert there.blob_path("models/other", weights.digest).stat().st_nlink == 3


@pytest.mark.parametrize("source", ["folder", "registry"])
def test_a_copy_into_a_folder_hashes_each_byte_once(source, stores, monkeypatch):
    from jupyter_mlops.oci import verify

    hashed = []

    class Counting:
        def __init__(self, algorithm):
            self._hash = hashlib.new(algorithm)

        def update(self, data):
            hashed.append(len(data))
            self._hash.update(data)

        def hexdigest(self):
            return self._hash.hexdigest()

    monkeypatch.setattr(disk, "hasher", Counting)
    monkeypatch.setattr(verify, "hasher", Counting)
    copy(stores[source][0], stores["folder"][1], "models/m", "v1")
    assert len(BIG) <= sum(hashed) < 1.1 * len(BIG), "manifests and configs are small"


def test_half_a_blob_that_a_power_cut_left_is_written_anew(stores):
    here, there = stores["registry"][0], stores["folder"][1]
    copy(here, there, "models/m", "v1")
    weights = max(layers(there).values(), key=lambda blob: blob.size)
    os.truncate(there.blob_path("models/m", weights.digest), 1000)  # the pool has the same file
    copy(here, there, "models/m", "v1")
    assert len(read(there, weights.digest)) == weights.size


@pytest.mark.parametrize(("source", "target"), WAYS)
def test_damage_leaves_nothing_under_its_name_nor_another(source, target, stores, tmp_path):
    weights = max(layers(stores["folder"][0]).values(), key=lambda blob: blob.size)
    roots = {"folder": tmp_path / "source", "registry": tmp_path / "full"}
    path = Layout(roots[source]).blob_path("models/m", weights.digest)
    with path.open("r+b") as file:
        file.seek(1_000_000)
        file.write(b"????")
    here, there = stores[source][0], stores[target][1]
    with pytest.raises(Corrupt):
        copy(here, there, "models/m", "v1")
    assert list(there.tags("models/m")) == []
    kept = Layout(tmp_path / ("target" if target == "folder" else "empty"))
    blobs = kept.folder("models/m") / "blobs" / "sha256"
    assert not blobs.exists() or all(
        hashlib.sha256(each.read_bytes()).hexdigest() == each.name and each.stat().st_size < 1_000_000 for each in blobs.iterdir()
    )


@pytest.mark.parametrize(("up", "down"), [((1_000_000, 500_000), ()), ((), (1_000_000, 2_500_000)), ((700_000,), (900_000,))])
def test_connections_that_break_on_either_side(stores, up, down):
    source, target = (store.address.removeprefix("http://") for store in stores["registry"])
    with Wire(target, [Fault(up=cut) for cut in up]) as sending, Wire(source, [Fault(down=cut) for cut in down]) as receiving:
        copy(Remote(f"http://{receiving.host}"), Remote(f"http://{sending.host}"), "models/m", "v1")
    assert layers(stores["registry"][1]).keys() == layers(stores["registry"][0]).keys()


@pytest.mark.parametrize(("source", "target"), WAYS)
def test_each_blob_is_told_of_from_nothing_to_all(source, target, stores, monkeypatch):
    monkeypatch.setattr(connection, "_STRIDE", 1 << 20)
    told = {}
    here, there = stores[source][0], stores[target][1]
    copy(here, there, "models/m", "v1", progress=lambda digest, done, total: told.setdefault(digest, []).append((done, total)))
    blobs = layers(here)
    assert told.keys() == blobs.keys()
    for digest, moved in told.items():
        size = blobs[digest].size
        assert {total for _, total in moved} == {size}
        done = [each for each, _ in moved]
        assert (done, done[0], done[-1]) == (sorted(done), 0, size)
    weights = max(blobs.values(), key=lambda blob: blob.size)
    assert len({done for done, _ in told[weights.digest]}) >= 4, "and in between"


def test_what_is_sent_again_is_told_as_that(stores, monkeypatch):
    monkeypatch.setattr(connection, "_STRIDE", 1 << 20)
    told = []
    target = stores["registry"][1].address.removeprefix("http://")
    with Wire(target, [Fault(up=1_500_000)]) as wire:
        copy(stores["folder"][0], Remote(f"http://{wire.host}"), "models/m", "v1", progress=lambda *news: told.append(news))
    assert all(0 <= done <= total for _, done, total in told)
    assert {digest: done for digest, done, _ in told} == {digest: total for digest, _, total in told}

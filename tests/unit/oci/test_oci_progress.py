"""Transfers tell how far they are: every byte of every blob, in order, and nothing where nobody listens."""

import os
from collections import defaultdict
from contextlib import nullcontext

import pytest

from jupyter_mlops.errors import Corrupt
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.modelpack import publish_model
from jupyter_mlops.oci.names import OCI_LAYER
from jupyter_mlops.oci.progress import opened, opened_all, told
from jupyter_mlops.oci.remote import Remote
from jupyter_mlops.oci.tar import Archive
from jupyter_mlops.registry.datasets import Datasets
from jupyter_mlops.registry.imports import import_model
from jupyter_mlops.registry.models import Models
from jupyter_mlops.runner.dataset import publish_dataset
from jupyter_mlops.testing.embedded import embedded_registry

BIG = os.urandom(3_000_000)


class Heard:
    """What was told, by blob."""

    def __init__(self):
        self.told = defaultdict(list)

    def __call__(self, name, done, total):
        self.told[name].append((done, total))

    def whole(self):
        """Sizes of the blobs, all of which came to their end, and none of which went beyond it."""
        for name, steps in self.told.items():
            assert steps[-1][0] == steps[-1][1], name
            assert all(done <= total for done, total in steps), name
        return sorted(steps[-1][1] for steps in self.told.values())


@pytest.fixture(params=["folder", "registry"])
def store(request, tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    served = embedded_registry(tmp_path / "served") if request.param == "registry" else nullcontext("")
    with served as address:
        yield Remote(address) if address else Layout(tmp_path / "layout")


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "weights.bin").write_bytes(BIG)
    (folder / "rows.csv").write_text("a\n1\n")
    return folder


def test_a_model_there_and_back(store, files, tmp_path):
    up, down = Heard(), Heard()
    publish_model(store, "m", files, key="k", annotations={}, metrics={}, progress=up)
    models = Models(store)
    version = models.find("m")
    models.extract(version, tmp_path / "back", down)
    assert up.whole() == down.whole()
    assert sum(down.whole()) > len(BIG)
    assert (tmp_path / "back" / "models" / "weights.bin").read_bytes() == BIG
    assert max(len(steps) for steps in down.told.values()) > 2, "more than its beginning and its end"


def test_a_dataset_back(store, files, tmp_path):
    publish_dataset(store, "d", files, {"rows": 1}, key="k", annotations={})
    down = Heard()
    datasets = Datasets(store)
    datasets.pull(datasets.find("d"), tmp_path / "back", down)
    assert down.whole()[-1] == len(BIG)
    assert len(down.told) == 3, "two files and their card"
    assert (tmp_path / "back" / "weights.bin").read_bytes() == BIG


def test_all_is_known_before_the_first_byte_comes(store):
    blobs = [store.put_blob("a", data, OCI_LAYER) for data in (b"1" * 10, b"2" * 20)]
    heard = Heard()
    streams = opened_all(store, "a", blobs, heard)
    assert heard.told == {blobs[0].digest: [(0, 10)], blobs[1].digest: [(0, 20)]}
    for blob, opening in zip(blobs, streams, strict=True):
        with opening as stream:
            assert len(stream.read()) == blob.size
    assert heard.whole() == [10, 20]


def test_what_is_damaged_is_found_while_somebody_looks_too(store, tmp_path):
    blob = store.put_blob("a", BIG, OCI_LAYER)
    folder = tmp_path / ("served" if isinstance(store, Remote) else "layout")
    Layout(folder).blob_path("a", blob.digest).write_bytes(BIG[:-1] + bytes([BIG[-1] ^ 1]))
    with pytest.raises(Corrupt), opened(store, "a", blob, Heard()) as stream:
        stream.read()


def test_nothing_is_wrapped_for_nobody(store):
    blob = store.put_blob("a", b"123", OCI_LAYER)
    with opened(store, "a", blob, None) as stream, store.open_blob("a", blob.digest) as plain:
        assert type(stream) is type(plain)
    archive = Archive({"a": b"1"})
    assert told(archive, "0", None) is archive


@pytest.mark.parametrize("content", [b"12", [b"1", b"2"]], ids=["bytes", "chunks of unknown size"])
def test_what_says_nothing_of_its_size_is_not_told_of(content):
    assert told(content, "0", Heard()) is content


def test_content_is_the_same_when_it_is_told_of(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(BIG)
    for content in (path, Archive({"a": path})):
        heard = Heard()
        watched = told(content, "it", heard)
        plain = told(content, "it", lambda *_: None)
        for _ in range(2):  # as often as it is wanted
            assert b"".join(bytes(chunk) for chunk in watched) == b"".join(bytes(chunk) for chunk in plain)
        assert heard.whole() == [watched.size]
        assert len(heard.told["it"]) >= 2 * 3


def test_an_import_tells(store, tmp_path):
    tensors = b'{"a":{"dtype":"U8","shape":[3000000],"data_offsets":[0,3000000]}}'
    (tmp_path / "m.safetensors").write_bytes(len(tensors).to_bytes(8, "little") + tensors + BIG)
    heard = Heard()
    import_model(store, tmp_path / "m.safetensors", "m", heard)
    assert sum(heard.whole()) > len(BIG)

"""What is new is read once: hashed while it is sent, and whole whatever happens on its way."""

import hashlib
import os

import pytest

from jupyter_mlops.errors import Corrupt, NotFound, StorageFull, WrongUsage
from jupyter_mlops.oci import remote, upload
from jupyter_mlops.oci.hashing import Hashing
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.modelpack import publish_model
from jupyter_mlops.oci.names import OCI_LAYER
from jupyter_mlops.oci.remote import Remote
from jupyter_mlops.oci.tar import Archive
from jupyter_mlops.runner.dataset import publish_dataset
from jupyter_mlops.testing.embedded import embedded_registry
from jupyter_mlops.testing.wire import Fault, Wire
from tests.unit.oci.noted import noted_requests

BIG = os.urandom(3_000_000)
DIGEST = "sha256:" + hashlib.sha256(BIG).hexdigest()
REFUSED = '{"errors":[{"code":"%s","message":"%s"}]}'


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path):
    monkeypatch.setattr("jupyter_mlops.oci.http.time.sleep", lambda _: None)
    monkeypatch.setattr(remote, "NEW", 1_000)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))


@pytest.fixture
def host(tmp_path):
    with embedded_registry(tmp_path / "registry") as address:
        yield address.removeprefix("http://")


@pytest.fixture
def big(tmp_path):
    path = tmp_path / "big"
    path.write_bytes(BIG)
    return path


@pytest.fixture
def asked(monkeypatch):
    return noted_requests(monkeypatch)


def read(host, digest=DIGEST, repository="a"):
    with Remote(f"http://{host}").open_blob(repository, digest) as stream:
        return stream.read()


class Chunks:
    """Chunks that can be had again; from the reading ``shrinks`` on there are fewer."""

    def __init__(self, shrinks=99):
        self.readings, self.shrinks, self.size = 0, shrinks, len(BIG)

    def __iter__(self):
        self.readings += 1
        data = BIG if self.readings < self.shrinks else BIG[:-5]
        return (data[start : start + 70_001] for start in range(0, len(data), 70_001))


def test_it_is_read_once_and_nothing_is_asked_before(host, asked):
    chunks = Chunks()
    blob = Remote(f"http://{host}").put_blob("a", chunks, OCI_LAYER, new=True)
    assert (blob.digest, blob.size, chunks.readings) == (DIGEST, len(BIG), 1)
    assert [(method, size) for method, _, size in asked] == [("POST", 0), ("PATCH", len(BIG)), ("PUT", 0)]
    assert read(host) == BIG


@pytest.mark.parametrize(
    "make", [lambda path: path, lambda _: Chunks(), lambda path: Archive({"x/y": path, "z": b"12"}, prefix="models/")]
)
def test_it_is_the_same_blob_as_when_it_is_hashed_first(host, big, make):
    expected = Remote(f"http://{host}").put_blob("a", make(big), OCI_LAYER)
    found = Remote(f"http://{host}").put_blob("b", make(big), OCI_LAYER, new=True)
    assert found == expected
    assert len(read(host, found.digest, "b")) == found.size


def test_small_ones_are_hashed_first(host, asked, monkeypatch):
    monkeypatch.setattr(remote, "NEW", len(BIG) + 1)
    Remote(f"http://{host}").put_blob("a", Chunks(), OCI_LAYER, new=True)
    assert [method for method, *_ in asked] == ["HEAD", "POST", "PUT"]


@pytest.mark.parametrize("data", [BIG, iter([BIG])], ids=["bytes", "chunks that come once"])
def test_what_cannot_tell_its_size_or_lies_in_memory_goes_as_ever(host, data):
    assert Remote(f"http://{host}").put_blob("a", data, OCI_LAYER, new=True).digest == DIGEST
    assert read(host) == BIG


@pytest.mark.parametrize("cuts", [(1_000_000,), (500, 2_000_000), (1_500_000, 900_000, 2_900_000)])
def test_one_that_breaks_goes_on_where_the_registry_stands(host, big, cuts):
    with Wire(host, [Fault(up=cut) for cut in cuts]) as wire:
        store = Remote(f"http://{wire.host}")
        blob = store.put_blob("a", big, OCI_LAYER, new=True)
    assert blob.digest == DIGEST
    assert read(host) == BIG


def test_done_once_more_it_is_not_sent_again(host, big, asked):
    """As when a publication is tried again: the first try's blobs are there."""
    store = Remote(f"http://{host}")
    store.put_blob("a", big, OCI_LAYER, new=True)
    asked.clear()
    assert store.put_blob("a", big, OCI_LAYER, new=True).digest == DIGEST
    assert [(method, size) for method, _, size in asked] == [("HEAD", 0)]


@pytest.mark.parametrize(("shrinks", "kind"), [(1, Corrupt), (99, None)])
def test_what_became_shorter_is_not_stored(host, shrinks, kind):
    store = Remote(f"http://{host}")
    if kind is None:
        assert store.put_blob("a", Chunks(), OCI_LAYER, new=True).digest == DIGEST
        return
    with pytest.raises(kind, match="shorter"):
        store.put_blob("a", Chunks(shrinks), OCI_LAYER, new=True)
    with pytest.raises(NotFound):
        read(host)


def test_what_changes_between_a_break_and_the_next_try_is_never_taken_for_what_it_was(host):
    """The beginning that the registry kept is of other bytes than the rest. How far the first try came is the network's doing."""

    class Changing(Chunks):
        def __iter__(self):
            self.readings += 1
            return iter([BIG if self.readings == 1 else BIG[::-1]])

    with Wire(host, [Fault(up=2_000_000)]) as wire:
        try:
            blob = Remote(f"http://{wire.host}").put_blob("a", Changing(), OCI_LAYER, new=True)
        except Corrupt:
            with pytest.raises(NotFound):
                read(host)
        else:
            assert blob.digest == "sha256:" + hashlib.sha256(BIG[::-1]).hexdigest()
            assert read(host, blob.digest) == BIG[::-1]


def test_what_grows_is_stored_as_it_was(host, big, monkeypatch):
    monkeypatch.setattr("jupyter_mlops.oci.remote.known_size", lambda _: 1_000_000)
    blob = Remote(f"http://{host}").put_blob("a", Chunks(), OCI_LAYER, new=True)
    assert (blob.size, blob.digest) == (1_000_000, "sha256:" + hashlib.sha256(BIG[:1_000_000]).hexdigest())
    assert read(host, blob.digest) == BIG[:1_000_000]


# -- registries with habits ------------------------------------------------------------------------------------------------


class Odd:
    """A registry whose answers to PATCH, or to the first PUT, are another's."""

    def __init__(self, patch=(202, ""), put=(), limit=1 << 30):
        self.patch, self.put, self.limit = patch, list(put), limit
        self.got, self.begun, self.verbs = b"", 0, []

    def __call__(self, method, path, headers, body):
        self.verbs.append(method)
        if method in {"HEAD", "GET"}:
            return 404, {}, b""
        if len(body) > self.limit:
            return 413, {}, b"too large"
        if method == "POST":
            self.got, self.begun = b"", self.begun + 1
        elif method == "PATCH" and self.patch[0] != 202:
            return self.patch[0], {}, self.patch[1].encode()
        elif method == "PUT" and self.put:
            status, said = self.put.pop(0)
            return status, {}, said.encode()
        self.got += body
        return 201 if method == "PUT" else 202, {"Location": "/up"}, b""


@pytest.mark.parametrize("status", [400, 404, 405, 411, 415, 416, 501])
def test_a_registry_that_takes_no_patch_gets_it_in_one_put(status, scripted_server):
    odd, chunks = Odd(patch=(status, "")), Chunks()
    assert Remote(f"http://{scripted_server(odd).host}").put_blob("a", chunks, OCI_LAYER, new=True).digest == DIGEST
    assert odd.got == BIG
    assert odd.verbs == ["POST", "PATCH", "DELETE", "HEAD", "POST", "PUT"]


@pytest.mark.parametrize(
    ("status", "said", "kind"),
    [(507, "", StorageFull), (403, REFUSED % ("DENIED", "quota exceeded"), StorageFull), (422, "", WrongUsage)],
)
def test_one_that_has_no_room_says_so_at_once(status, said, kind, scripted_server):
    odd = Odd(patch=(status, said))
    with pytest.raises(kind):
        Remote(f"http://{scripted_server(odd).host}").put_blob("a", Chunks(), OCI_LAYER, new=True)
    assert odd.begun == 1


def test_a_gateway_that_takes_less_at_once_gets_it_in_pieces(monkeypatch, scripted_server):
    monkeypatch.setattr(upload, "PIECES", (700_000,))
    odd = Odd(limit=1_000_000)
    Remote(f"http://{scripted_server(odd).host}").put_blob("a", Chunks(), OCI_LAYER, new=True)
    assert odd.got == BIG
    assert odd.verbs.count("PATCH") == 1 + 5


def test_bytes_that_changed_on_their_way_are_sent_once_more(scripted_server):
    odd = Odd(put=[(400, REFUSED % ("DIGEST_INVALID", "other bytes"))])
    Remote(f"http://{scripted_server(odd).host}").put_blob("a", Chunks(), OCI_LAYER, new=True)
    assert (odd.got, odd.begun) == (BIG, 2)


def test_bytes_that_always_change_are_an_error(scripted_server):
    odd = Odd(put=[(400, REFUSED % ("DIGEST_INVALID", "other bytes"))] * 9)
    with pytest.raises(Corrupt):
        Remote(f"http://{scripted_server(odd).host}").put_blob("a", Chunks(), OCI_LAYER, new=True)
    assert odd.begun == 2


# -- who says that something is new ----------------------------------------------------------------------------------------


def bodies(asked):
    """Verb and size of what was sent of the big file."""
    return [method for method, _, size in asked if size >= len(BIG)]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda path: path.with_name("note").write_text("2"), []),
        (lambda path: path.write_bytes(BIG[::-1]), ["PUT"]),
        (lambda path: path.write_bytes(BIG + b"1" * 1024), ["PATCH"]),
    ],
    ids=["unchanged", "changed in place", "grown"],
)
@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_a_version_sends_what_the_one_before_lacks(kind, change, expected, host, tmp_path, asked, monkeypatch):
    monkeypatch.setattr("jupyter_mlops.oci.modelpack.WEIGHT", 1_000_000)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "weights.bin").write_bytes(BIG)

    def publish(key):
        asked.clear()
        store = Remote(f"http://{host}")
        if kind == "model":
            publish_model(store, "m", folder, key=key, annotations={}, metrics={})
        else:
            publish_dataset(store, "d", folder, {"rows": 1}, key=key, annotations={})
        return bodies(asked)

    assert publish("1") == ["PATCH"]
    change(folder / "weights.bin")
    assert publish("2") == expected


def test_a_damaged_newest_version_only_means_that_all_is_hashed_first(host, tmp_path, asked, monkeypatch):
    """Its sizes cannot be told."""
    monkeypatch.setattr("jupyter_mlops.oci.modelpack.WEIGHT", 1_000_000)
    layout = Layout(tmp_path / "registry")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "weights.bin").write_bytes(BIG)
    publish_model(Remote(f"http://{host}"), "m", folder, key="1", annotations={}, metrics={})
    pack = layout.get_manifest("models/m", "v1.modelpack").descriptor.digest
    layout.blob_path("models/m", pack).write_bytes(b"{}")
    (folder / "weights.bin").write_bytes(BIG[::-1] + bytes(1024))
    asked.clear()
    publish_model(Remote(f"http://{host}"), "m", folder, key="2", annotations={}, metrics={})
    assert bodies(asked) == ["PUT"]


# -- the digest that comes along -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 70_001, 140_002, len(BIG)])
def test_the_digest_is_that_of_the_first_bytes(size):
    hashing = Hashing(Chunks(), size)
    assert b"".join(bytes(chunk) for chunk in hashing) == BIG[:size]
    assert hashing.digest == "sha256:" + hashlib.sha256(BIG[:size]).hexdigest()


def test_there_is_none_while_it_is_on_its_way_and_none_of_what_is_too_short():
    hashing = Hashing(chunks := Chunks(), len(BIG))
    next(iter(hashing))
    assert hashing.digest == DIGEST, "read for it"
    assert chunks.readings == 2
    assert Hashing(Chunks(shrinks=1), len(BIG)).digest == ""


def test_an_archive_knows_its_size_before_it_is_read(tmp_path):
    (tmp_path / "f").write_bytes(b"x" * 700)
    long = "n" * 150 + "/ü"
    for files in ({}, {"a": b""}, {"a/b": b"1" * 512, "a/c": tmp_path / "f"}, {long: b"1"}):
        archive = Archive(files, prefix="models/")
        assert archive.size == sum(len(chunk) for chunk in archive)

"""Blobs over ``/v2/`` beyond the plain ones: other digests, deletion, conditions, uploads that outlive a server."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys

import pytest

from jupyter_mlops.errors import Conflict, NotFound, WrongUsage
from jupyter_mlops.oci.digest import algorithm_of, digest_of, hex_of, is_digest
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.names import OCI_INDEX, OCI_MANIFEST
from jupyter_mlops.oci.remote import Remote
from jupyter_mlops.registry.blobs import delete_blob
from jupyter_mlops.registry.layout import LayoutRegistry
from jupyter_mlops.registry.uploads import PATIENCE, Uploads
from jupyter_mlops.testing.embedded import embedded_registry
from tests.unit.registry.registry_client import ABSENT, KIND, Client, code, digest, left

LONG = "sha512:" + 128 * "a"


@pytest.fixture
def root(tmp_path):
    return tmp_path / "registry"


@pytest.fixture
def client(root):
    with embedded_registry(root) as address:
        yield Client(address)


def manifest(layer):
    return {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": KIND, "config": layer, "layers": [layer]}


# -- digests ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "algorithm"),
    [
        ("sha256:" + 64 * "0", "sha256"),
        (LONG, "sha512"),
        ("sha512:" + 64 * "0", None),
        ("sha256:" + 128 * "0", None),
        ("sha256:" + 63 * "0" + "G", None),
        ("sha256:" + 64 * "A", None),
        ("sha384:" + 96 * "0", None),
        ("md5:" + 32 * "0", None),
        ("sha512:" + 128 * "0" + "\n", None),
        ("sha512:" + "../" * 42 + "aa", None),
        ("", None),
    ],
)
def test_what_a_digest_is(text, algorithm):
    assert is_digest(text) is (algorithm is not None)
    if algorithm:
        assert (algorithm_of(text), hex_of(text)) == (algorithm, text.partition(":")[2])
    else:
        with pytest.raises(WrongUsage, match="not a digest"):
            hex_of(text)


@pytest.mark.parametrize(
    ("subject", "tag"),
    [("sha256:" + 64 * "a", "sha256-" + 64 * "a"), ("sha512:" + 64 * "a" + 64 * "b", "sha512-" + 64 * "a")],
)
def test_the_tag_of_referrers_is_a_tag_whatever_the_algorithm(subject, tag):
    from jupyter_mlops.oci.reference import is_tag
    from jupyter_mlops.oci.referrers import index_tag, own_tag

    assert index_tag(subject) == tag
    assert is_tag(tag)
    assert is_tag(own_tag(subject, subject))


@pytest.mark.parametrize("query", ["", "?digest-algorithm=sha512", "?digest-algorithm=sha256"])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_blob_gets_the_digest_that_is_said_in_the_end(client, root, algorithm, query):
    start, _ = client("POST", f"/v2/a/blobs/uploads/{query}")
    place, name = start.headers["Location"], digest(b"abcdef", algorithm)
    assert client("PATCH", place, b"abc")[0].status == 202
    done, _ = client("PUT", f"{place}?digest={name}", b"def")
    assert (done.status, done.headers["Docker-Content-Digest"]) == (201, name)
    assert client("GET", f"/v2/a/blobs/{name}")[1] == b"abcdef"
    assert (root / "a" / "blobs" / algorithm / name.partition(":")[2]).read_bytes() == b"abcdef"
    wrong = client("POST", f"/v2/a/blobs/uploads/?digest={digest(b'other', algorithm)}", b"abcdef")
    assert (wrong[0].status, code(wrong)) == (400, "DIGEST_INVALID")
    assert left(root) == []


def test_an_algorithm_that_is_not_kept_is_refused_before_the_bytes(client):
    answer = client("POST", "/v2/a/blobs/uploads/?digest-algorithm=md5")
    assert (answer[0].status, code(answer)) == (400, "DIGEST_INVALID")


def test_manifests_of_the_other_algorithm(client, root):
    """Pushed by digest, told by digest, listed as referrers, deleted, and collected like any other."""
    layer = {"mediaType": KIND, "digest": digest(b"{}", "sha512"), "size": 2}
    client("POST", f"/v2/a/blobs/uploads/?digest={layer['digest']}", b"{}")
    data = json.dumps(manifest(layer)).encode()
    name = digest(data, "sha512")
    put, _ = client.put(data, f"{name}?tag=v1")
    assert (put.status, put.headers["Docker-Content-Digest"]) == (201, name)
    for reference in (name, "v1"):
        answer, body = client("GET", f"/v2/a/manifests/{reference}")
        assert (body, answer.headers["Docker-Content-Digest"]) == (data, name)
    about = {**manifest(layer), "subject": {"mediaType": OCI_MANIFEST, "digest": name, "size": len(data)}}
    client.put(about, "about")
    assert len(json.loads(client("GET", f"/v2/a/referrers/{name}")[1])["manifests"]) == 1
    registry = LayoutRegistry(Layout(root))
    assert registry.collect("a").blobs == 0
    assert registry.usage()[0].bytes > len(data)
    assert client("DELETE", f"/v2/a/manifests/{name}")[0].status == 202
    assert client("DELETE", "/v2/a/manifests/about")[0].status == 202
    registry.collect("a", grace=0)
    assert not (root / "a").exists() or registry.collect("a", grace=-5).skipped == ()


def test_the_client_reads_what_others_named_by_sha512(root):
    with embedded_registry(root) as address:
        client, remote = Client(address), Remote(address)
        name = digest(b"data", "sha512")
        client("POST", f"/v2/a/blobs/uploads/?digest={name}", b"data")
        layer = {"mediaType": KIND, "digest": name, "size": 4}
        data = json.dumps(manifest(layer)).encode()
        client.put(data, digest(data, "sha512"))
        assert remote.get_manifest("a", digest(data, "sha512")).descriptor.digest == digest(data, "sha512")
        with remote.open_blob("a", name) as stream:
            assert stream.read() == b"data"


def test_a_damaged_blob_of_the_other_algorithm_is_found(tmp_path):
    layout = Layout(tmp_path)
    blob = layout.put_blob("a", b"sound", KIND, "sha512")
    layout.blob_path("a", blob.digest).write_bytes(b"wrong")
    from jupyter_mlops.errors import Corrupt

    with pytest.raises(Corrupt, match="sha512"), layout.open_blob("a", blob.digest) as stream:
        stream.read()


# -- deletion --------------------------------------------------------------------------------------------------------------


def test_a_blob_is_deleted_at_once_and_its_bytes_with_the_last_repository(client, root):
    name = client.push(b"bytes")["digest"]
    assert client("POST", f"/v2/b/blobs/uploads/?mount={name}&from=a")[0].status == 201
    pooled = Layout(root).pooled(name)
    assert client("DELETE", f"/v2/a/blobs/{name}")[0].status == 202
    assert client("HEAD", f"/v2/a/blobs/{name}")[0].status == 404
    assert client("GET", f"/v2/b/blobs/{name}")[1] == b"bytes"
    assert pooled.exists()
    assert client("DELETE", f"/v2/b/blobs/{name}")[0].status == 202
    assert not pooled.exists(), "nobody has it any more"
    answer = client("DELETE", f"/v2/b/blobs/{name}")
    assert (answer[0].status, code(answer)) == (404, "BLOB_UNKNOWN")
    assert client("DELETE", "/v2/a/blobs/nonsense")[0].status == 400


def test_a_blob_that_a_manifest_needs_stays(client):
    layer = client.push(b"{}")
    data = json.dumps(manifest(layer)).encode()
    child = {"mediaType": OCI_MANIFEST, "digest": digest(data), "size": len(data)}
    client.put(data, digest(data))
    index, _ = client.put({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child]}, "v1", media_type=OCI_INDEX)
    for name in (layer["digest"], digest(data), index.headers["Docker-Content-Digest"]):
        answer = client("DELETE", f"/v2/a/blobs/{name}")
        assert (answer[0].status, code(answer)) == (409, "DENIED")
        assert client("HEAD", f"/v2/a/blobs/{name}")[0].status == 200
    for name in (index.headers["Docker-Content-Digest"], digest(data)):
        assert client("DELETE", f"/v2/a/manifests/{name}")[0].status == 202
    assert client("DELETE", f"/v2/a/blobs/{layer['digest']}")[0].status == 202


def test_a_publisher_between_blob_and_manifest_is_told(tmp_path):
    """Whoever deletes wins, and no manifest is left without its bytes, not even one that was copied unseen."""
    publisher, deleter = Layout(tmp_path), Layout(tmp_path)
    blob = publisher.put_blob("a", b"{}", KIND)
    delete_blob(deleter, "a", blob.digest)
    document = json.dumps(manifest({"mediaType": KIND, "digest": blob.digest, "size": 2})).encode()
    for check in (True, False):
        with pytest.raises(NotFound, match=blob.digest):
            publisher.put_manifest_bytes("a", document, check=check, tags=["v1"])
    publisher.put_blob("a", b"{}", KIND)
    publisher.put_manifest_bytes("a", document, tags=["v1"])
    with pytest.raises(Conflict, match="needed"):
        delete_blob(deleter, "a", blob.digest)


def test_what_was_deleted_holds_no_lease(tmp_path):
    publisher, collector = Layout(tmp_path), LayoutRegistry(Layout(tmp_path))
    blobs = [publisher.put_blob("a", data, KIND).digest for data in (b"x", b"y")]
    assert collector.collect("a").blobs == 0, "a manifest may still come"
    delete_blob(publisher, "a", blobs[0])
    assert collector.collect("a").blobs == 0
    publisher.give_up("a", blobs[1])
    assert collector.collect("a").blobs == 1


# -- mounts ----------------------------------------------------------------------------------------------------------------


def test_a_blob_is_mounted_from_wherever_it_is(client):
    name = client.push(b"shared")["digest"]
    mounted, _ = client("POST", f"/v2/b/blobs/uploads/?mount={name}")
    assert (mounted.status, mounted.headers["Location"]) == (201, f"/v2/b/blobs/{name}")
    assert client("POST", f"/v2/b/blobs/uploads/?mount={ABSENT}")[0].status == 202, "else it must be sent"
    assert client("POST", "/v2/b/blobs/uploads/?mount=nonsense")[0].status == 400


# -- conditions ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def versions(client):
    """Two manifests, the first one under the tag ``it``: the digests of both, and the second one's bytes."""
    layer = client.push(b"{}")
    first = json.dumps(manifest(layer)).encode()
    second = json.dumps({**manifest(layer), "annotations": {"a": "b"}}).encode()
    client.put(first, "it")
    return digest(first), second


@pytest.mark.parametrize(
    ("headers", "tag", "status"),
    [
        ({"If_Match": '"{first}"'}, "it", 201),
        ({"If_Match": '"x", "{first}"'}, "it", 201),
        ({"If_Match": "*"}, "it", 201),
        ({"If_Match": '"{other}"'}, "it", 412),
        ({"If_Match": 'W/"{first}"'}, "it", 412),
        ({"If_Match": "{first}"}, "it", 412),
        ({"If_Match": "*"}, "new", 412),
        ({"If_None_Match": "*"}, "it", 412),
        ({"If_None_Match": "*"}, "new", 201),
        ({"If_None_Match": '"{first}"'}, "it", 412),
        ({"If_None_Match": '"{other}"'}, "it", 201),
        ({"If_Match": '"{first}"', "If_None_Match": '"{first}"'}, "it", 412),
    ],
)
def test_a_tag_is_written_under_a_condition(client, versions, headers, tag, status):
    first, second = versions
    given = {name: value.format(first=first, other=ABSENT) for name, value in headers.items()}
    answer = client("PUT", f"/v2/a/manifests/{tag}", second, Content_Type=OCI_MANIFEST, **given)
    assert answer[0].status == status
    found = client("HEAD", f"/v2/a/manifests/{tag}")[0].headers.get("Docker-Content-Digest")
    if status == 201:
        assert found == digest(second)
    else:
        assert code(answer) == "PRECONDITION_FAILED"
        assert found == (first if tag == "it" else None), "nothing was written"


def test_a_tag_is_deleted_under_a_condition(client, versions):
    first, _ = versions
    assert client("DELETE", "/v2/a/manifests/it", If_Match=f'"{ABSENT}"')[0].status == 412
    assert client("HEAD", "/v2/a/manifests/it")[0].status == 200
    assert client("DELETE", "/v2/a/manifests/it", If_Match=f'"{first}"')[0].status == 202


def test_of_writers_who_saw_the_same_one_moves_the_tag(root, client, versions):
    first, second = versions
    layout = Layout(root)
    documents = [json.dumps({**json.loads(second), "annotations": {"by": str(number)}}).encode() for number in range(8)]
    from concurrent.futures import ThreadPoolExecutor

    def write(data):
        return client("PUT", "/v2/a/manifests/it", data, Content_Type=OCI_MANIFEST, If_Match=f'"{first}"')[0].status

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(write, documents))
    assert sorted(statuses) == [201] + 7 * [412]
    assert layout.get_manifest("a", "it").data == documents[statuses.index(201)]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_a_reader_has_is_not_sent_again(client, versions, method):
    first, _ = versions
    blob = client.push(b"0123456789")["digest"]
    for path, name in (("manifests/it", first), (f"manifests/{first}", first), (f"blobs/{blob}", blob)):
        for header, status in ((f'"{name}"', 304), (f'W/"{name}"', 304), ("*", 304), (f'"{ABSENT}"', 200)):
            answer, body = client(method, f"/v2/a/{path}", If_None_Match=header)
            assert (answer.status, answer.headers["ETag"]) == (status, f'"{name}"')
            assert (body == b"") is (status == 304 or method == "HEAD")


# -- uploads that outlive their server -------------------------------------------------------------------------------------


def serving(root):
    """A server in a process of its own; its address is its first line."""
    script = "import sys; from pathlib import Path; from jupyter_mlops.registry.server import Options, serve\nserve(Options(Path(sys.argv[1])), lambda url: print(url, flush=True))"
    return subprocess.Popen([sys.executable, "-c", script, root], stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_an_upload_goes_on_after_the_server_ended(root, end, algorithm):
    data = os.urandom(3_000_000)
    with serving(root) as process:
        client = Client(process.stdout.readline().strip())
        start, _ = client("POST", "/v2/a/b/blobs/uploads/")
        place = start.headers["Location"]
        assert client("PATCH", place, data[:2_000_000])[0].status == 202
        process.send_signal(end)
    with embedded_registry(root) as address:
        client = Client(address)
        assert client("GET", place.replace("/a/b/", "/a/c/"))[0].status == 404, "it is not that repository's"
        status, _ = client("GET", place)
        assert (status.status, status.headers["Range"]) == (204, "0-1999999")
        assert client("PATCH", place, data[2_000_000:], Content_Range="2000000-2999999")[0].status == 202
        done, _ = client("PUT", f"{place}?digest={digest(data, algorithm)}")
        assert done.status == 201
        assert client("GET", done.headers["Location"])[1] == data
    assert left(root) == []


def test_one_server_does_not_take_what_another_still_holds(root):
    layout = Layout(root)
    first, second = Uploads(layout), Uploads(Layout(root))
    name = first.start("a")
    first.write(first.get("a", name), b"half")
    for wrong in (name, name[:-1] + ("0" if name[-1] != "0" else "1"), "../a", "x"):
        with pytest.raises(NotFound, match="has no upload"):
            second.get("a", wrong)
    first.close()
    session = second.get("a", name)
    second.write(session, b" and half")
    assert second.finish(name, session, digest(b"half and half")).size == 13


def test_what_nobody_goes_on_with_is_collected_after_a_day(root):
    layout = Layout(root)
    uploads = Uploads(layout)
    held, old, young = (uploads.start("a") for _ in range(3))
    uploads.close()
    uploads.get("a", held)
    for name in (held, old):
        path = root / "_sessions" / name
        os.utime(path, (path.stat().st_mtime - PATIENCE - 10,) * 2)
    assert LayoutRegistry(layout).collect(dry_run=True).blobs == 1
    assert len(left(root)) == 3
    assert LayoutRegistry(layout).collect().blobs == 1
    assert sorted(left(root)) == sorted([held, young])
    uploads.close()


# -- sending ---------------------------------------------------------------------------------------------------------------


def test_a_connection_carries_more_after_a_large_blob(client):
    """What the kernel sends beside the server's own counting must leave the connection sound."""
    import http.client

    data = os.urandom(9_000_000)
    name = client.push(data)["digest"]
    connection = http.client.HTTPConnection(client.host, timeout=20)
    try:
        for asked, expected in ((None, data), ("bytes=5-1000004", data[5:1_000_005]), (None, data)):
            connection.request("GET", f"/v2/a/blobs/{name}", headers={"Range": asked} if asked else {})
            assert connection.getresponse().read() == expected
    finally:
        connection.close()


def test_a_reader_who_goes_away_harms_nobody(client):
    data = os.urandom(9_000_000)
    name = client.push(data)["digest"]
    host, _, port = client.host.partition(":")
    for _ in range(3):
        with socket.create_connection((host, int(port))) as cut:
            cut.sendall(f"GET /v2/a/blobs/{name} HTTP/1.1\r\nHost: {client.host}\r\n\r\n".encode())
            assert cut.recv(100)
    assert hashlib.sha256(client("GET", f"/v2/a/blobs/{name}")[1]).hexdigest() == hex_of(name)


def test_a_blob_that_was_cut_ends_the_connection_early(client, root):
    """A shorter file than was promised must not look like the whole."""
    import http.client

    from jupyter_mlops.registry import blob_handler

    data = os.urandom(2_000_000)
    name = client.push(data)["digest"]
    real = os.sendfile
    try:
        blob_handler.os.sendfile = lambda way, file, start, count: real(way, file, start, min(count, 1000)) if start < 5000 else 0
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            client("GET", f"/v2/a/blobs/{name}")
    finally:
        blob_handler.os.sendfile = real
    assert digest_of(client("GET", f"/v2/a/blobs/{name}")[1]) == name
    del root


def test_a_reader_who_takes_nothing_is_let_go(client, monkeypatch):
    import asyncio
    import http.client

    from jupyter_mlops.registry import blob_handler

    async def never(_):
        await asyncio.Event().wait()

    data = os.urandom(1_000_000)
    name = client.push(data)["digest"]
    monkeypatch.setattr(blob_handler, "_writable", never)
    monkeypatch.setattr(blob_handler, "STALLED", 0.05)
    monkeypatch.setattr(blob_handler, "SLICE", 0.0)
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        client("GET", f"/v2/a/blobs/{name}")
    monkeypatch.undo()
    assert digest_of(client("GET", f"/v2/a/blobs/{name}")[1]) == name

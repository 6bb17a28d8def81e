"""``/v2/`` as clients see it: the rules of the distribution specification, who may, and what goes wrong."""

import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from jupyter_mlops.errors import Conflict
from jupyter_mlops.oci.artifact import push_artifact
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.names import OCI_INDEX, OCI_MANIFEST
from jupyter_mlops.registry.access import Access, new_token
from jupyter_mlops.registry.server import Options, serve
from jupyter_mlops.testing.embedded import embedded_registry
from tests.unit.registry.registry_client import ABSENT, KIND, Client, code, digest, left


@pytest.fixture
def root(tmp_path):
    return tmp_path / "registry"


@pytest.fixture
def client(root):
    with embedded_registry(root) as address:
        yield Client(address)


@pytest.fixture
def manifest(client):
    """A valid manifest whose parts are there."""
    layer = client.push(b"{}")
    return {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": KIND, "config": layer, "layers": [layer]}


def test_it_is_a_registry(client):
    for path in ("/v2/", "/v2"):
        answer, _ = client("GET", path)
        assert (answer.status, answer.headers["Docker-Distribution-API-Version"]) == (200, "registry/2.0")
        assert "Server" not in answer.headers


# -- blobs -----------------------------------------------------------------------------------------------------------------


def test_a_blob_in_two_requests(client):
    start, _ = client("POST", "/v2/a/b/blobs/uploads/")
    assert start.status == 202
    done, _ = client("PUT", f"{start.headers['Location']}?digest={digest(b'hello')}", b"hello")
    assert (done.status, done.headers["Docker-Content-Digest"]) == (201, digest(b"hello"))
    found, data = client("GET", done.headers["Location"])
    assert (found.status, data, found.headers["Docker-Content-Digest"]) == (200, b"hello", digest(b"hello"))
    head, data = client("HEAD", done.headers["Location"])
    assert (head.status, data, head.headers["Content-Length"]) == (200, b"", "5")


def test_a_blob_in_pieces_whose_order_is_checked(client):
    start, _ = client("POST", "/v2/a/blobs/uploads/")
    place = start.headers["Location"]
    first, _ = client("PATCH", place, b"abc", Content_Range="0-2")
    assert (first.status, first.headers["Range"]) == (202, "0-2")
    wrong, body = client("PATCH", place, b"xyz", Content_Range="7-9")
    assert (wrong.status, json.loads(body)["errors"][0]["code"]) == (416, "BLOB_UPLOAD_INVALID")
    status, _ = client("GET", place)
    assert (status.status, status.headers["Range"], status.headers["Location"]) == (204, "0-2", place)
    second, _ = client("PATCH", place, b"def", Content_Range="3-5")
    assert second.headers["Range"] == "0-5"
    done, _ = client("PUT", f"{place}?digest={digest(b'abcdefgh')}", b"gh", Content_Range="6-7")
    assert done.status == 201
    assert client("GET", done.headers["Location"])[1] == b"abcdefgh"


def test_an_upload_goes_on_after_the_connection_broke(client):
    start, _ = client("POST", "/v2/a/blobs/uploads/")
    place = start.headers["Location"]
    host, _, port = client.host.partition(":")
    with socket.create_connection((host, int(port))) as cut:
        cut.sendall(f"PATCH {place} HTTP/1.1\r\nHost: {client.host}\r\nContent-Length: 1000\r\n\r\n".encode() + b"x" * 400)
        deadline = time.monotonic() + 10
        while client("GET", place)[0].headers["Range"] != "0-399":
            assert time.monotonic() < deadline
    deadline = time.monotonic() + 10
    while client("PATCH", place, b"y" * 600, Content_Range="400-999")[0].status != 202:
        assert time.monotonic() < deadline, "the server has not seen yet that the connection broke"
    done, _ = client("PUT", f"{place}?digest={digest(b'x' * 400 + b'y' * 600)}")
    assert done.status == 201


def test_a_wrong_digest_is_refused_and_leaves_nothing(client, root):
    for path in (f"/v2/a/blobs/uploads/?digest={ABSENT}", "/v2/a/blobs/uploads/?digest=nonsense"):
        answer = client("POST", path, b"data")
        assert (answer[0].status, code(answer)) == (400, "DIGEST_INVALID")
    start, _ = client("POST", "/v2/a/blobs/uploads/")
    answer = client("PUT", f"{start.headers['Location']}?digest={ABSENT}", b"data")
    assert (answer[0].status, code(answer)) == (400, "DIGEST_INVALID")
    assert left(root) == []
    assert client("HEAD", f"/v2/a/blobs/{digest(b'data')}")[0].status == 404


def test_an_upload_is_cancelled(client, root):
    start, _ = client("POST", "/v2/a/blobs/uploads/")
    assert client("DELETE", start.headers["Location"])[0].status == 204
    answer = client("PATCH", start.headers["Location"], b"x")
    assert (answer[0].status, code(answer)) == (404, "BLOB_UPLOAD_UNKNOWN")
    assert left(root) == []


@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT", "DELETE"])
def test_an_upload_without_its_name_is_none(client, method):
    answer = client(method, "/v2/a/blobs/uploads/", b"x" if method in {"PATCH", "PUT"} else None)
    assert (answer[0].status, code(answer)) == (404, "BLOB_UPLOAD_UNKNOWN")


def test_an_upload_belongs_to_its_repository(client):
    start, _ = client("POST", "/v2/a/blobs/uploads/")
    assert client("PATCH", start.headers["Location"].replace("/a/", "/b/"), b"x")[0].status == 404


def test_a_blob_is_mounted_from_another_repository(client):
    client.push(b"shared")
    mounted, _ = client("POST", f"/v2/b/blobs/uploads/?mount={digest(b'shared')}&from=a")
    assert (mounted.status, mounted.headers["Location"]) == (201, f"/v2/b/blobs/{digest(b'shared')}")
    assert client("GET", mounted.headers["Location"])[1] == b"shared"
    assert client("POST", f"/v2/b/blobs/uploads/?mount={ABSENT}&from=a")[0].status == 202, "else it must be sent"


@pytest.mark.parametrize(
    ("asked", "status", "data"),
    [
        ("bytes=0-3", 206, b"0123"),
        ("bytes=4-", 206, b"456789"),
        ("bytes=-3", 206, b"789"),
        ("bytes=8-100", 206, b"89"),
        ("bytes=-100", 206, b"0123456789"),
        ("bytes=0-1,3-4", 200, b"0123456789"),
        ("lines=1-2", 200, b"0123456789"),
    ],
)
def test_a_part_of_a_blob(client, asked, status, data):
    client.push(b"0123456789")
    answer, body = client("GET", f"/v2/a/blobs/{digest(b'0123456789')}", Range=asked)
    assert (answer.status, body) == (status, data)
    if status == 206:
        start, end = re.fullmatch(r"bytes (\d+)-(\d+)/10", answer.headers["Content-Range"]).groups()
        assert b"0123456789"[int(start) : int(end) + 1] == data


def test_a_part_that_is_not_there(client):
    client.push(b"0123456789")
    assert client("GET", f"/v2/a/blobs/{digest(b'0123456789')}", Range="bytes=10-")[0].status == 416


def test_a_large_blob_streams_both_ways(client):
    data = os.urandom(9_000_000)
    client.push(data)
    assert client("GET", f"/v2/a/blobs/{digest(data)}")[1] == data


# -- manifests -------------------------------------------------------------------------------------------------------------


def test_a_manifest_by_tag_and_digest(client, manifest):
    data = json.dumps(manifest, indent=3).encode()
    put, _ = client.put(data, "v1")
    assert (put.status, put.headers["Docker-Content-Digest"]) == (201, digest(data))
    for reference in ("v1", digest(data)):
        for method in ("GET", "HEAD"):
            answer, body = client(method, f"/v2/a/manifests/{reference}")
            assert (answer.status, answer.headers["Content-Type"], answer.headers["Content-Length"]) == (
                200,
                OCI_MANIFEST,
                str(len(data)),
            )
            assert body == (data if method == "GET" else b""), "the very bytes"


def test_a_manifest_put_by_digest_with_tags(client, manifest):
    data = json.dumps(manifest).encode()
    put, _ = client.put(data, f"{digest(data)}?tag=v1&tag=v2")
    assert put.headers.get_all("OCI-Tag") == ["v1", "v2"]
    assert json.loads(client("GET", "/v2/a/tags/list")[1]) == {"name": "a", "tags": ["v1", "v2"]}
    answer = client.put(data, ABSENT)
    assert (answer[0].status, code(answer)) == (400, "DIGEST_INVALID")


def test_what_cannot_be_a_manifest(client, manifest):
    layer = {**manifest["layers"][0], "digest": ABSENT}
    for document, reference, status, expected in (
        (b"nonsense", "v1", 400, "MANIFEST_INVALID"),
        ({**manifest, "schemaVersion": 1}, "v1", 400, "MANIFEST_INVALID"),
        ({**manifest, "layers": [layer]}, "v1", 404, "MANIFEST_BLOB_UNKNOWN"),
        (manifest, "-bad-", 400, "NAME_INVALID"),
        (manifest, "sha512:abc", 400, "DIGEST_INVALID"),
        (b'{"a":"' + b"x" * (5 << 20) + b'"}', "v1", 413, "SIZE_INVALID"),
    ):
        answer = client.put(document, reference)
        assert (answer[0].status, code(answer)) == (status, expected)
    assert client.put(manifest, "v1", media_type=OCI_INDEX)[0].status == 400
    assert client("GET", "/v2/a/tags/list")[0].status == 404


def test_a_manifest_at_the_limit_is_taken(client, manifest):
    room = (4 << 20) - len(json.dumps({**manifest, "annotations": {"a": ""}}))
    assert client.put({**manifest, "annotations": {"a": "x" * room}}, "v1")[0].status == 201


def test_deleting_a_tag_keeps_the_manifest_and_its_other_tags(client, manifest):
    client.put(manifest, "v1")
    put, _ = client.put(manifest, "v2")
    assert client("DELETE", "/v2/a/manifests/v1")[0].status == 202
    assert client("GET", "/v2/a/manifests/v1")[0].status == 404
    assert client("GET", "/v2/a/manifests/v2")[0].status == 200
    assert client("DELETE", f"/v2/a/manifests/{put.headers['Docker-Content-Digest']}")[0].status == 202
    answer = client("GET", "/v2/a/manifests/v2")
    assert (answer[0].status, code(answer)) == (404, "MANIFEST_UNKNOWN")
    assert client("DELETE", f"/v2/a/manifests/{ABSENT}")[0].status == 404


def test_referrers(client, manifest):
    put, _ = client.put(manifest, "v1")
    subject = {"mediaType": OCI_MANIFEST, "digest": put.headers["Docker-Content-Digest"], "size": 10}
    about, _ = client.put({**manifest, "artifactType": "application/x", "subject": subject, "annotations": {"a": "b"}}, "m1")
    assert about.headers["OCI-Subject"] == subject["digest"]
    path = f"/v2/a/referrers/{subject['digest']}"
    answer, body = client("GET", path)
    (found,) = json.loads(body)["manifests"]
    assert (answer.headers["Content-Type"], found["artifactType"], found["annotations"]) == (OCI_INDEX, "application/x", {"a": "b"})
    assert "OCI-Filters-Applied" not in answer.headers
    answer, body = client("GET", f"{path}?artifactType=application/y")
    assert (json.loads(body)["manifests"], answer.headers["OCI-Filters-Applied"]) == ([], "artifactType")
    assert json.loads(client("GET", f"/v2/unknown/referrers/{ABSENT}")[1])["manifests"] == []
    assert client("GET", "/v2/a/referrers/v1")[0].status == 400


def test_lists_come_in_pages(client, manifest):
    for number in range(5):
        client.put(manifest, f"v{number}")
    path, seen = "/v2/a/tags/list?n=2", []
    while path:
        answer, body = client("GET", path)
        tags = json.loads(body)["tags"]
        assert len(tags) <= 2
        seen += tags
        link = answer.headers.get("Link")
        path = link[1 : link.index(">")] if link else None
    assert seen == [f"v{number}" for number in range(5)]
    assert json.loads(client("GET", "/v2/a/tags/list?n=0")[1])["tags"] == []
    assert json.loads(client("GET", "/v2/a/tags/list?last=v2")[1])["tags"] == ["v3", "v4"]
    assert client("GET", "/v2/a/tags/list?n=x")[0].status == 400
    assert json.loads(client("GET", "/v2/_catalog")[1]) == {"repositories": ["a"]}
    assert json.loads(client("GET", "/v2/_catalog?n=1&last=a")[1]) == {"repositories": []}


@pytest.mark.parametrize(
    "path",
    [
        "/v2/UPPER/tags/list",
        "/v2/../etc/tags/list",
        "/v2/a/../../b/manifests/v1",
        "/v2/%2e%2e/manifests/v1",
        "/v2/a%00/tags/list",
        "/v2/_uploads/tags/list",
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(client, path):
    answer = client("GET", path)
    assert (answer[0].status, code(answer)) == (400, "NAME_INVALID")


def test_errors_have_the_form_of_the_specification(client):
    for path, status in (("/v2/a/manifests/v1", 404), (f"/v2/a/blobs/{ABSENT}", 404), ("/v2/a/tags/list", 404), ("/", 404)):
        answer = client("GET", path)
        assert answer[0].status == status
    assert code(client("GET", "/v2/unknown/tags/list")) == "NAME_UNKNOWN"
    assert code(client("DELETE", "/v2/")) == "UNSUPPORTED"


# -- with the folder -------------------------------------------------------------------------------------------------------


def test_server_and_library_share_the_folder(client, root, manifest):
    layout = Layout(root)
    pushed = push_artifact(layout, "a", KIND, {}, tags=["from-library"])
    client.put(manifest, "from-server")
    assert layout.tags("a") == ["from-library", "from-server"]
    assert client("GET", "/v2/a/manifests/from-library")[1] == pushed.data


def test_a_damaged_manifest_is_an_error_of_the_server(client, root, manifest):
    put, _ = client.put(manifest, "v1")
    path = root / "a" / "blobs" / "sha256" / put.headers["Docker-Content-Digest"][7:]
    path.write_bytes(b"{}")
    answer, body = client("GET", "/v2/a/manifests/v1")
    assert answer.status == 500
    assert put.headers["Docker-Content-Digest"] in body.decode()


def test_a_full_disk_is_said(client, root, monkeypatch):
    from jupyter_mlops.oci import disk

    real = disk.write_all

    def full(handle, data):
        if len(data) > 1000:
            raise OSError(28, "No space left on device")
        real(handle, data)

    monkeypatch.setattr(disk, "write_all", full)
    answer = client("POST", f"/v2/a/blobs/uploads/?digest={ABSENT}", b"x" * 5000)
    assert answer[0].status == 507
    assert str(root) in answer[1].decode()


# -- who may ---------------------------------------------------------------------------------------------------------------


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_nothing_answers_without_the_token(root):
    with embedded_registry(root, token="secret-token") as address:
        client = Client(address)
        for method, path in (
            ("GET", "/v2/"),
            ("GET", "/v2/_catalog"),
            ("GET", "/v2/a/tags/list"),
            ("GET", "/v2/a/manifests/v1"),
            ("HEAD", "/v2/a/manifests/v1"),
            ("PUT", "/v2/a/manifests/v1"),
            ("DELETE", "/v2/a/manifests/v1"),
            ("GET", f"/v2/a/blobs/{ABSENT}"),
            ("POST", "/v2/a/blobs/uploads/"),
            ("PATCH", "/v2/a/blobs/uploads/x"),
            ("PUT", "/v2/a/blobs/uploads/x"),
            ("GET", f"/v2/a/referrers/{ABSENT}"),
        ):
            for given in (
                {},
                {"Authorization": "Bearer wrong"},
                {"Authorization": basic("mlops", "wrong")},
                {"Authorization": "Basic !!"},
            ):
                answer, _ = client(method, path, **given)
                assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, 'Basic realm="jupyter-mlops"')
        for good in ("Bearer secret-token", basic("mlops", "secret-token"), basic("anybody", "secret-token")):
            assert client("GET", "/v2/", Authorization=good)[0].status == 200
        assert not (root / "_uploads").exists()


def test_without_a_token_no_browser_and_no_other_name_gets_in(client):
    assert client("GET", "/v2/", Origin="https://evil.example")[0].status == 403
    assert client("GET", "/v2/", Host="evil.example")[0].status == 403
    assert client("GET", "/v2/", Host=f"localhost:{client.host.partition(':')[2]}")[0].status == 200


def test_tokens_are_long_and_never_the_same():
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert min(map(len, tokens)) >= 32
    for header in ("Bearer ü", "Digest token", "Bearer ", "Basic", "Basic Og==", "Basic ü"):
        refusal = Access("token").refusal("GET", {"Authorization": header})
        assert refusal is not None, header
        assert refusal.code == "login-required"


# -- the process -----------------------------------------------------------------------------------------------------------


def test_tls_is_turned_away_at_once(client):
    import ssl

    host, _, port = client.host.partition(":")
    context = ssl._create_unverified_context()
    with socket.create_connection((host, int(port)), timeout=5) as plain, pytest.raises(ssl.SSLError):
        context.wrap_socket(plain, server_hostname=host)


def test_a_port_in_use_is_said(root):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Conflict) as refused:
            serve(Options(root, port), print)
    assert refused.value.code == "port-in-use"
    assert f"port {port} of 127.0.0.1" in refused.value.message
    assert "0 for a free one" in refused.value.fix


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_stop(root, end):
    script = "import sys; from pathlib import Path; from jupyter_mlops.registry.server import Options, serve\nserve(Options(Path(sys.argv[1]), 0, 'tok'), lambda url: print(url, flush=True))"
    with subprocess.Popen([sys.executable, "-c", script, root], stdout=subprocess.PIPE, text=True) as process:
        address = process.stdout.readline().strip()
        client = Client(address)
        assert client("GET", "/v2/", Authorization="Bearer tok")[0].status == 200
        start, _ = client("POST", "/v2/a/blobs/uploads/", Authorization="Bearer tok")
        assert start.status == 202
        assert client("PATCH", start.headers["Location"], b"ab", Authorization="Bearer tok")[0].status == 202
        process.send_signal(end)
        assert process.wait(20) == 0
    with embedded_registry(root) as address:
        done, _ = Client(address)("PUT", f"{start.headers['Location']}?digest={digest(b'abc')}", b"c")
        assert done.status == 201, "the next server goes on where this one ended"
        assert Client(address)("GET", done.headers["Location"])[1] == b"abc"

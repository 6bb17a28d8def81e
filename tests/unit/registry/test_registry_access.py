"""Who gets into the registry server, what each may do there, over plain HTTP and TLS; and how the file of users is kept."""

import base64
import http.client
import json
import os
import shutil
import ssl
import stat
import subprocess

import pytest

from jupyter_mlops.errors import Conflict, PlatformError, WrongUsage
from jupyter_mlops.oci.digest import digest_of
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.remote import Remote
from jupyter_mlops.registry.access import Access
from jupyter_mlops.registry.rights import parse_rights
from jupyter_mlops.registry.server import Options, serve
from jupyter_mlops.registry.users import Users, add, parse
from jupyter_mlops.testing.embedded import embedded_registry
from tests.unit.registry.registry_client import ABSENT, KIND, Client, digest, left


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def root(tmp_path):
    return tmp_path / "registry"


@pytest.fixture
def users(tmp_path):
    """Anna writes, ci reads."""
    path = tmp_path / "users"
    add(path, "anna", "anna-token", parse_rights("write"))
    add(path, "ci", "ci-token", parse_rights("read"))
    return path


# -- the file --------------------------------------------------------------------------------------------------------------


def test_no_token_is_in_the_file_and_nobody_else_reads_it(users):
    assert "token" not in users.read_text()
    assert stat.S_IMODE(users.stat().st_mode) == 0o600
    with pytest.raises(Conflict, match="anna already"):
        add(users, "anna", "other", parse_rights("write"))
    for name in ("", "a:b", "-x", "a b", "x" * 70, "a\nb"):
        with pytest.raises(WrongUsage, match="not a name"):
            add(users, name, "t", parse_rights("write"))
    assert len(parse(users.read_text(), "users")) == 2


@pytest.mark.parametrize(
    "line", ["anna", "anna:write:abc", f"anna:all:{64 * '0'}", f"anna:read:{64 * '0'}\nanna:write:{64 * '0'}", f":read:{64 * '0'}"]
)
def test_a_line_that_is_none_is_named_and_not_shown(tmp_path, line):
    path = tmp_path / "users"
    path.write_text(f"# people\n\n{line}\n")
    with pytest.raises(WrongUsage, match=r"line [34]") as refused:
        Users(path)
    assert line not in refused.value.message


def test_who_is_taken_out_is_out_at_once(users):
    known = Users(users)
    assert known.who("anna", "anna-token") == known.who(None, "anna-token")
    assert known.who("anna", "anna-token").rights.may_write
    assert known.who("ci", "anna-token") is None
    text = users.read_text()
    users.write_text(text.partition("\n")[2])
    assert known.who("anna", "anna-token") is None
    assert known.who("ci", "ci-token") is not None
    users.write_text("nonsense")
    assert known.who("ci", "ci-token") is None, "nobody is let in by a file that cannot be read"
    users.write_text(text)
    assert known.who("anna", "anna-token") is not None
    users.unlink()
    assert known.who("anna", "anna-token") is None
    with pytest.raises(PlatformError, match="cannot read"):
        Users(users)


# -- the rule --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "header", "code"),
    [
        ("GET", basic("anna", "anna-token"), None),
        ("PUT", basic("anna", "anna-token"), None),
        ("DELETE", "Bearer anna-token", None),
        ("GET", basic("ci", "ci-token"), None),
        ("HEAD", "bearer ci-token", None),
        *((method, basic("ci", "ci-token"), "read-only-token") for method in ("POST", "PUT", "PATCH", "DELETE")),
        ("GET", basic("anna", "ci-token"), "login-required"),
        ("GET", basic("nobody", "anna-token"), "login-required"),
        ("GET", basic("anna", ""), "login-required"),
        ("GET", "", "login-required"),
    ],
)
def test_what_each_user_may(users, method, header, code):
    refusal = Access(users=Users(users)).refusal(method, {"Authorization": header})
    assert (refusal.code if refusal else None) == code


def test_the_token_for_all_stands_beside_the_users(users):
    access = Access("all", Users(users))
    assert access.refusal("PUT", {"Authorization": basic("x", "all")}) is None
    assert access.refusal("PUT", {"Authorization": "Bearer ci-token"}).code == "read-only-token"
    assert access.users.who("anna", "anna-token") == parse(users.read_text(), "users")["anna"]


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.org"])
def test_nobody_else_gets_in_without_a_password(root, host):
    with pytest.raises(WrongUsage, match="open to everybody") as refused:
        serve(Options(root, host=host), print)
    assert refused.value.code == "open-registry"


# -- over the wire ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 100_000, 3_000_000])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v2/a/blobs/uploads/"),
        ("POST", f"/v2/a/blobs/uploads/?digest={ABSENT}"),
        ("PATCH", "/v2/a/blobs/uploads/x"),
        ("PUT", f"/v2/a/blobs/uploads/x?digest={ABSENT}"),
        ("PUT", "/v2/a/manifests/v1"),
        ("GET", "/v2/a/manifests/v1"),
        ("DELETE", "/v2/a/manifests/v1"),
    ],
)
def test_a_refusal_is_heard_by_a_client_that_is_still_sending(root, users, method, path, size):
    with embedded_registry(root, users=users) as address:
        client = Client(address)
        for header, status in (("", 401), (basic("ci", "ci-token"), 403)):
            if status == 403 and method == "GET":
                continue
            answer, body = client(method, path, b"x" * size, Authorization=header)
            assert answer.status == status
            assert json.loads(body)["errors"][0]["code"] == ("UNAUTHORIZED" if status == 401 else "DENIED")
    assert left(root) == []
    assert not (root / "a").exists()


def test_a_connection_outlives_refusals_and_mounts(root):
    """Whatever is answered, a client may send its next request on the same connection, as all of them do."""
    good = {"Authorization": "Bearer t"}
    with embedded_registry(root, token="t") as address:
        client = Client(address)
        name = digest(b"data")
        assert client("POST", f"/v2/b/blobs/uploads/?digest={name}", b"data", **good)[0].status == 201
        connection = http.client.HTTPConnection(client.host, timeout=20)
        connection.connect()
        sock = connection.sock
        try:
            for method, path, headers, body, status in [
                ("POST", "/v2/a/blobs/uploads/", {}, None, 401),
                ("POST", "/v2/a/blobs/uploads/", {}, b"data", 401),
                ("PATCH", "/v2/a/blobs/uploads/x", {}, b"data", 401),
                ("PUT", "/v2/a/manifests/v1", {}, b"{}", 401),
                ("GET", "/v2/a/manifests/v1", {}, None, 401),
                ("DELETE", "/v2/a/manifests/v1", {}, None, 401),
                ("GET", "/v2/a/tags/list", {}, None, 401),
                ("POST", f"/v2/a/blobs/uploads/?mount={name}&from=b", good, None, 201),
                ("POST", f"/v2/a/blobs/uploads/?mount={ABSENT}&from=b", good, None, 202),
                ("POST", "/v2/a/blobs/uploads/?digest=nonsense", good, b"data", 400),
                ("PATCH", "/v2/a/blobs/uploads/x", good, b"data", 404),
                ("GET", f"/v2/a/blobs/{name}", good, None, 200),
            ]:
                for _ in range(5):
                    connection.request(method, path, body, headers)
                    answer = connection.getresponse()
                    answer.read()
                    assert (method, path, answer.status) == (method, path, status)
                    assert connection.sock is sock, f"{method} {path} ended the connection"
        finally:
            connection.close()


def test_what_is_too_much_to_hear_is_cut(root):
    with embedded_registry(root, token="t") as address:
        connection = http.client.HTTPConnection(Client(address).host, timeout=20)
        try:
            connection.putrequest("POST", "/v2/a/blobs/uploads/")
            connection.putheader("Content-Length", str(1 << 40))
            connection.endheaders()
            answer = connection.getresponse()
            assert (answer.status, answer.headers["Connection"]) == (401, "close"), "before the first byte"
        finally:
            connection.close()


def test_users_push_and_pull(root, users):
    with embedded_registry(root, users=users) as address:
        client = Client(address)
        anna, robot = {"Authorization": basic("anna", "anna-token")}, {"Authorization": basic("ci", "ci-token")}
        name = digest(b"data")
        assert client("POST", f"/v2/a/blobs/uploads/?digest={name}", b"data", **robot)[0].status == 403
        assert client("POST", f"/v2/a/blobs/uploads/?digest={name}", b"data", **anna)[0].status == 201
        for who in (anna, robot):
            assert client("GET", f"/v2/a/blobs/{name}", **who)[1] == b"data"
        assert client("DELETE", f"/v2/a/blobs/{name}", **robot)[0].status == 403
        assert client("DELETE", f"/v2/a/blobs/{name}", **anna)[0].status == 202


# -- TLS -------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate that is its own authority, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("NOT RUN: openssl is not on PATH: TLS of the registry server is NOT tested on this machine")
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=127.0.0.1"
    subprocess.run(
        [*command.split(), "-addext", "subjectAltName=IP:127.0.0.1"], cwd=folder, check=True, capture_output=True, timeout=60
    )
    return folder / "cert.pem", folder / "key.pem"


def test_over_tls_all_is_the_same(root, users, certificate, monkeypatch, tmp_path):
    cert, key = certificate
    data = os.urandom(5_000_000)
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.delenv("REGISTRY_AUTH_FILE", raising=False)
    with embedded_registry(root, users=users, certificate=cert, key=key) as address:
        assert address.startswith("https://127.0.0.1:")
        auth = base64.b64encode(b"anna:anna-token").decode()
        (tmp_path / "config.json").write_text(json.dumps({"auths": {address.partition("//")[2]: {"auth": auth}}}))
        remote = Remote(address)
        blob = remote.put_blob("a", iter([data]), KIND)
        with remote.open_blob("a", blob.digest) as stream:
            assert stream.read() == data
        context = ssl.create_default_context(cafile=cert)
        connection = http.client.HTTPSConnection(address.partition("//")[2], timeout=20, context=context)
        try:
            for asked, expected in (("bytes=1000-", data[1000:]), ("bytes=0-9", data[:10])):
                headers = {"Authorization": basic("ci", "ci-token"), "Range": asked}
                connection.request("GET", f"/v2/a/blobs/{blob.digest}", headers=headers)
                assert connection.getresponse().read() == expected
        finally:
            connection.close()
    with Layout(root).open_blob("a", digest_of(data)) as stream:
        assert len(stream.read()) == len(data)


def test_a_certificate_that_cannot_be_used_is_said(root, certificate, tmp_path):
    cert, key = certificate
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    for pair in ((wrong, key), (cert, wrong), (tmp_path / "absent", key), (None, key), (key, cert)):
        with pytest.raises(WrongUsage) as refused:
            serve(Options(root, certificate=pair[0], key=pair[1]), print)
        assert refused.value.code == "invalid-certificate"

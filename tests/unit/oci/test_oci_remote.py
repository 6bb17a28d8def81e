"""A registry over HTTP that behaves badly: what comes back is right or an error of ours, in bounded time, and no secret leaks."""

import base64
import json
from urllib.parse import urlsplit

import pytest

from jupyter_mlops.errors import Corrupt, MlopsError, NotAllowed, NotFound, StorageFull, Unavailable, WrongUsage
from jupyter_mlops.oci.artifact import push_artifact
from jupyter_mlops.oci.credentials import credential_for
from jupyter_mlops.oci.digest import digest_of
from jupyter_mlops.oci.http import ATTEMPTS, PATIENT, Transport
from jupyter_mlops.oci.login import parse_challenge
from jupyter_mlops.oci.modelpack import publish_model
from jupyter_mlops.oci.names import OCI_LAYER
from jupyter_mlops.oci.referrers import own_tag
from jupyter_mlops.oci.remote import Remote
from jupyter_mlops.testing.embedded import embedded_registry
from tests.unit.oci.scripted import scripted

KIND = "application/vnd.example.v1+json"


@pytest.fixture(autouse=True)
def no_config(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    pauses = []
    monkeypatch.setattr("jupyter_mlops.oci.http.time.sleep", pauses.append)
    return pauses


def login(tmp_path, host, **entry):
    (tmp_path / "config.json").write_text(json.dumps({"auths": {host: entry}}))


def blob(server, data=b"data"):
    with Remote(f"http://{server.host}").open_blob("a", digest_of(data)) as stream:
        return stream.read()


# -- damage and absence ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [b"dat!", b"dat", b""])
def test_wrong_bytes_are_refused_and_named(sent):
    with scripted(lambda *_: (200, {}, sent)) as server, pytest.raises(Corrupt, match=digest_of(b"data")):
        blob(server)


def test_a_body_that_ends_early_is_refused():
    with (
        scripted(lambda *_: (200, {"Content-Length": "4", "Connection": "close"}, b"da")) as server,
        pytest.raises(Corrupt, match="early"),
    ):
        blob(server)


def test_a_manifest_with_another_digest_is_refused():
    with (
        scripted(lambda *_: (200, {"Content-Type": "application/json"}, b'{"schemaVersion":2,"layers":[]}')) as server,
        pytest.raises(Corrupt),
    ):
        Remote(f"http://{server.host}").get_manifest("a", digest_of(b"other"))


def test_a_length_that_is_not_said_is_an_error_and_not_a_guess():
    with (
        scripted(lambda *_: (200, {"Content-Length": "", "Transfer-Encoding": "chunked"}, b"4\r\ndata\r\n0\r\n\r\n")) as server,
        pytest.raises(MlopsError),
    ):
        blob(server)


@pytest.mark.parametrize(
    ("status", "kind"), [(404, NotFound), (401, NotAllowed), (403, NotAllowed), (400, WrongUsage), (507, StorageFull)]
)
def test_each_refusal_has_its_error_with_the_registry_s_own_words(status, kind):
    said = json.dumps({"errors": [{"code": "X", "message": "the very words"}]}).encode()
    with scripted(lambda *_: (status, {}, said)) as server, pytest.raises(kind, match="the very words"):
        blob(server)


# -- trying again ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_registry_that_is_busy_is_asked_again(status, no_pauses):
    answers = [(status, {"Retry-After": "3"}, b""), (status, {"Retry-After": "9999"}, b""), (200, {}, b"data")]
    with scripted(lambda *_: answers.pop(0)) as server:
        assert blob(server) == b"data"
    assert no_pauses == [3.0, 20.0], "as long as it asks for, within reason"


def test_a_writer_waits_long_for_a_registry_that_answered_and_not_again_while_it_stays_away():
    up = True

    def answer(*_):
        return (200, {}, b"") if up else (503, {}, b"down")

    def tries(server, transport):
        before = len(server.asked)
        with pytest.raises(Unavailable):
            transport.ask("PUT", "/v2/a/manifests/x", scope="repository:a", body=b"{}", patient=True)
        return len(server.asked) - before

    with scripted(answer) as server:
        transport = Transport(f"http://{server.host}")
        for _ in range(2):
            up = True
            transport.ask("GET", "/v2/", scope="").close()
            up = False
            assert [tries(server, transport) for _ in range(3)] == [PATIENT, ATTEMPTS, ATTEMPTS]


def test_a_dead_registry_is_said_after_four_tries(no_pauses):
    with scripted(lambda *_: (200, {}, b"")) as server:
        host = server.host
    with pytest.raises(Unavailable, match=host):
        Remote(f"http://{host}").tags("a")
    assert sum(no_pauses) < 5


# -- logging in ------------------------------------------------------------------------------------------------------------


def bearer(scopes, lifetime=1000):
    """A registry whose tokens are for one repository and end after so many uses."""
    uses = {}

    def answer(method, path, headers, body):
        if path.startswith("/token"):
            scopes.append(path)
            token = f"t{len(scopes)}"
            uses[token] = lifetime
            return 200, {}, json.dumps({"token": token}).encode()
        repository = path.split("/")[2]
        token = headers.get("Authorization", "").removeprefix("Bearer ")
        if uses.get(token, 0) <= 0 or f"repository%3A{repository}" not in scopes[int(token[1:]) - 1]:
            challenge = f'Bearer realm="http://{headers["Host"]}/token",service="reg",scope="repository:{repository}:pull"'
            return 401, {"WWW-Authenticate": challenge}, b""
        uses[token] -= 1
        return 200, {}, b"data"

    return answer


def test_tokens_are_had_for_each_repository_and_again_when_they_end():
    scopes = []
    with scripted(bearer(scopes, lifetime=2)) as server:
        store = Remote(f"http://{server.host}")
        for repository in ("a", "b", "a", "a", "a"):
            with store.open_blob(repository, digest_of(b"data")) as stream:
                assert stream.read() == b"data"
    assert len(scopes) == 3
    assert "service=reg" in scopes[0]


def test_the_password_goes_to_the_registry_and_nowhere_else(tmp_path):
    def elsewhere(method, path, headers, body):
        return 200, {}, b"data"

    with scripted(elsewhere) as other:

        def redirect(method, path, headers, body):
            if "Authorization" not in headers:
                return 401, {"WWW-Authenticate": 'Basic realm="x"'}, b""
            return 307, {"Location": f"http://{other.host}/signed?x=1"}, b""

        with scripted(redirect) as server:
            secret = base64.b64encode(b"me:secret").decode()
            login(tmp_path, server.host, auth=secret)
            assert blob(server) == b"data"
            assert [auth for _, _, auth in server.asked] == [None, f"Basic {secret}"]
        assert [(path, auth) for _, path, auth in other.asked] == [("/signed?x=1", None)]


def test_redirects_in_a_circle_end():
    with scripted(lambda *_: (307, {"Location": "/again"}, b"")) as server, pytest.raises(Unavailable, match="redirects"):
        blob(server)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"auth": "eA=="}, "eA=="),
        ({"username": "u", "password": "p"}, base64.b64encode(b"u:p").decode()),
        ({}, ""),
        ("text", ""),
    ],
)
def test_what_docker_knows(tmp_path, entry, expected):
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"https://reg:5000": entry}}))
    assert credential_for("reg:5000", "", {"DOCKER_CONFIG": str(tmp_path)}).basic == expected
    assert not credential_for("other", "", {"DOCKER_CONFIG": str(tmp_path)})


@pytest.mark.parametrize("text", ["", "{", "[]", '{"auths": 3}', "{}"])
def test_a_strange_docker_configuration_is_none(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    assert not credential_for("reg", "", {"DOCKER_CONFIG": str(tmp_path)})


def test_challenges():
    challenge = parse_challenge('Bearer realm="https://auth/token?a=b",service="s",scope="repository:x/y:pull,push"')
    assert challenge == ("bearer", {"realm": "https://auth/token?a=b", "service": "s", "scope": "repository:x/y:pull,push"})
    assert parse_challenge('Negotiate, Basic realm="r"') == ("basic", {"realm": "r"})
    assert parse_challenge('Basic realm="r", Bearer realm="t"') == ("bearer", {"realm": "t"})
    assert parse_challenge("Basic").scheme == "basic"
    assert parse_challenge("").scheme == parse_challenge("Negotiate abc").scheme == ""


# -- a registry without referrers ------------------------------------------------------------------------------------------


class Plain:
    """In front of our server: as registries are that know nothing of referrers, and page their tags."""

    def __init__(self, address):
        self.transport = Transport(address)

    def __call__(self, method, path, headers, body):
        if "/referrers/" in path:
            return 404, {}, b""
        kept = {name: value for name, value in headers.items() if name in {"Content-Type", "Content-Length", "Accept"}}
        try:
            with self.transport.ask(method, path.replace("n=1000", "n=1"), scope="", headers=kept, body=body or None) as answer:
                passed = ("Content-Type", "Location", "Docker-Content-Digest", "Link")
                found = {name: answer.headers[name] for name in passed if name in answer.headers}
                if method == "HEAD":
                    found["Content-Length"] = answer.headers["Content-Length"]
                return answer.status, found, answer.read()
        except MlopsError as error:
            return error.status, {}, b""


def test_referrers_are_kept_in_a_tag_where_the_registry_keeps_none(tmp_path):
    with embedded_registry(tmp_path / "registry") as address, scripted(Plain(address)) as server:
        store = Remote(f"http://{server.host}")
        subject = push_artifact(store, "a", KIND, {}, tags=["v1"])
        about = [
            push_artifact(store, "a", f"application/x{n}", {"n": n}, subject=subject.descriptor, annotations={"n": str(n)})
            for n in range(3)
        ]
        found = store.referrers("a", subject.descriptor.digest)
        assert {each.digest for each in found} == {each.descriptor.digest for each in about}
        (one,) = store.referrers("a", subject.descriptor.digest, "application/x1")
        assert dict(one.annotations) == {"n": "1"}
        own = [own_tag(subject.descriptor.digest, each.descriptor.digest) for each in about]
        assert store.tags("a") == sorted([subject.descriptor.digest.replace(":", "-"), *own, "v1"]), "and its pages are followed"


def test_a_model_is_published_to_a_registry_and_sent_once(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.bin").write_bytes(b"w" * 100_000)
    (folder / "mlops.json").write_text("{}")
    with embedded_registry(tmp_path / "registry") as address:
        store = Remote(address)
        published = [publish_model(store, "m", folder, key=key, annotations={}, metrics={"a": 1.0}).tag for key in ("a", "a", "b")]
        assert published == ["v1", "v1", "v2"]
        shown = [tag for tag in store.tags("models/m") if not tag.startswith("_")]
        per_version = ["{}", "{}.linux-amd64", "{}.linux-arm64", "{}.modelpack"]
        assert shown == ["latest", *(each.format(tag) for tag in ("v1", "v2") for each in per_version)]
        assert store.get_manifest("models/m", "latest").data == store.get_manifest("models/m", "v2").data


def test_what_is_there_is_not_sent_again(tmp_path):
    def answer(method, path, headers, body):
        return (200, {"Content-Length": "4"}, b"") if method == "HEAD" else (500, {}, b"")

    with scripted(answer) as server:
        Remote(f"http://{server.host}").put_blob("a", [b"da", b"ta"], OCI_LAYER)
        assert [method for method, *_ in server.asked] == ["HEAD"]


def test_the_address_keeps_its_base():
    with scripted(lambda *_: (200, {}, b'{"tags": ["v1"]}')) as server:
        assert Remote(f"http://{server.host}/org/project/").tags("a/b") == ["v1"]
        assert urlsplit(server.asked[0][1]).path == "/v2/org/project/a/b/tags/list"

"""Every status that a registry may refuse with, at every request that we make: the right error, or a try that succeeds.

A real registry stands behind a front that answers one kind of request by itself, once, a few times or always.
"""

import http.client
import json
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from jupyter_mlops.errors import Corrupt, MlopsError, NotAllowed, NotFound, Unavailable
from jupyter_mlops.oci import upload
from jupyter_mlops.oci.artifact import push_artifact
from jupyter_mlops.oci.connection import ASKED
from jupyter_mlops.oci.digest import digest_of
from jupyter_mlops.oci.http import ATTEMPTS, PATIENT
from jupyter_mlops.oci.names import OCI_LAYER
from jupyter_mlops.oci.remote import Remote
from jupyter_mlops.testing.embedded import embedded_registry

KIND = "application/vnd.example.v1+json"
THERE = b"the blob that is there"
SENT = bytes(range(256)) * 10
PASSED = ("Content-Type", "Location", "Docker-Content-Digest", "Link", "OCI-Subject", "Range", "Content-Range")


@pytest.fixture(autouse=True)
def no_config(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    found = []
    monkeypatch.setattr("jupyter_mlops.oci.http.time.sleep", found.append)
    monkeypatch.setattr(upload, "PIECES", (1000,))
    return found


class Front:
    """Passes requests on to a registry, wants a token, and takes no more than so many bytes at once."""

    def __init__(self, upstream):
        self.upstream = upstream.removeprefix("http://")
        self.fault, self.left, self.answer = None, 0, (500, {}, b"")
        self.pieces, self.token, self.uses = False, 1, -1
        self._lock = threading.Lock()

    def fail(self, case, answer, times=10_000):
        self.fault, self.answer, self.left, self.pieces = case, answer, times, case.pieces

    def __call__(self, method, path, headers, body):
        with self._lock:
            if self.left and self.fault and self.fault.is_meant(method, path):
                self.left -= 1
                return self.answer
            if path.startswith("/token"):
                self.token, self.uses = self.token + 1, -1 if self.uses < 0 else 1
                return 200, {}, json.dumps({"token": f"t{self.token}", "expires_in": 300}).encode()
            if headers.get("Authorization") != f"Bearer t{self.token}" or self.uses == 0:
                return 401, {"WWW-Authenticate": f'Bearer realm="http://{headers["Host"]}/token",service="s"'}, b""
            self.uses -= self.uses > 0
        if self.pieces and len(body) > 1000:
            return 413, {}, b""
        return self._pass(method, path, headers, body)

    def _pass(self, method, path, headers, body):
        kept = {name: headers[name] for name in ("Content-Type", "Accept", "Content-Range", "Range") if name in headers}
        connection = http.client.HTTPConnection(self.upstream)
        try:
            connection.request(method, path, body or None, kept)
            answer = connection.getresponse()
            found = {name: answer.headers[name] for name in PASSED if name in answer.headers}
            if method == "HEAD":
                found["Content-Length"] = answer.headers["Content-Length"]
            return answer.status, found, answer.read()
        finally:
            connection.close()


@dataclass(frozen=True)
class Case:
    """A request, and an operation that makes it."""

    verb: str
    part: str
    ask: Any
    gives: Any
    missing: Any = NotFound
    """What 404 means here: an error, or what the operation gives all the same."""
    patient: bool = False
    pieces: bool = False

    def is_meant(self, method, path):
        return method == self.verb and self.part in path


def read(store):
    with store.open_blob("a", digest_of(THERE)) as stream:
        return stream.read()


def pushed(store):
    return store.put_blob("a", SENT, OCI_LAYER).size


def deleted(store):
    manifest = push_artifact(store, "a", KIND, {"to be": "deleted"}, tags=["gone"])
    store.delete("a", manifest.descriptor.digest)
    return "gone" in store.tags("a")


def published(store):
    return push_artifact(store, "a", KIND, {}, tags=["v2"]).document["artifactType"]


SUBJECT = "sha256:" + "5" * 64
CASES = {
    "HEAD blob": Case("HEAD", "/blobs/", lambda store: store.has_blob("a", digest_of(THERE)), gives=True, missing=False),
    "POST upload": Case("POST", "/blobs/uploads/", pushed, len(SENT), patient=True),
    "PATCH upload": Case("PATCH", "/blobs/uploads/", pushed, len(SENT), Unavailable, patient=True, pieces=True),
    "PUT upload": Case("PUT", "/blobs/uploads/", pushed, len(SENT), Unavailable, patient=True),
    "GET blob": Case("GET", "/blobs/sha256", read, THERE),
    "GET manifest": Case("GET", "/manifests/v1", lambda store: store.get_manifest("a", "v1").document["artifactType"], KIND),
    "HEAD manifest": Case("HEAD", "/manifests/v1", lambda store: store.resolve("a", "v1") != "", gives=True, missing=True),
    "PUT manifest": Case("PUT", "/manifests/v2", published, KIND, patient=True),
    "tags": Case("GET", "/tags/list", lambda store: list(store.tags("a")), ["v1"], missing=[]),
    "referrers": Case("GET", "/referrers/", lambda store: list(store.referrers("a", SUBJECT)), [], missing=[]),
    "DELETE": Case("DELETE", "/manifests/", deleted, gives=False),
    "token": Case("GET", "/token", lambda store: list(store.tags("a")), ["v1"], NotAllowed),
}
REFUSALS = {401: (NotAllowed, "registry-login"), 403: (NotAllowed, "registry-forbidden")}
BUSY = (429, 500, 502, 503, 504)


@pytest.fixture(scope="module")
def upstream(tmp_path_factory):
    with embedded_registry(tmp_path_factory.mktemp("registry")) as address:
        store = Remote(address)
        store.put_blob("a", THERE, OCI_LAYER)
        push_artifact(store, "a", KIND, {}, tags=["v1"])
        yield address


@pytest.fixture
def front(upstream, tmp_path):
    yield Front(upstream)
    store = Remote(upstream)  # what a case left is not there for the next
    for tag in set(store.tags("a")) - {"v1"}:
        with suppress(MlopsError):
            store.delete("a", tag)


@pytest.fixture
def store(front, scripted_server):
    return Remote(f"http://{scripted_server(front).host}")


@pytest.fixture(autouse=True)
def new_bytes(monkeypatch):
    """What is sent was not sent by the case before."""
    import os

    monkeypatch.setitem(globals(), "SENT", os.urandom(len(SENT)))


@pytest.mark.parametrize("name", CASES)
def test_without_a_fault_it_succeeds(name, store, front):
    front.pieces = CASES[name].pieces
    assert CASES[name].ask(store) == CASES[name].gives


@pytest.mark.parametrize("status", REFUSALS)
@pytest.mark.parametrize("name", CASES)
def test_a_refused_request_is_not_made_again_and_says_which_right_is_missing(name, status, store, front, pauses):
    kind, code = REFUSALS[status]
    case = CASES[name]
    front.fail(case, (status, {}, b'{"errors":[{"code":"DENIED","message":"the very words"}]}'))
    with pytest.raises(kind) as refused:
        case.ask(store)
    assert refused.value.code == ("registry-login" if name == "token" else code)
    assert refused.value.fix
    assert refused.value.blame
    assert 10_000 - front.left <= 2, "a HEAD that is refused is followed by a GET at most"
    assert pauses == []


@pytest.mark.parametrize("name", CASES)
def test_what_is_not_there(name, store, front):
    case = CASES[name]
    front.fail(case, (404, {}, b""))
    if isinstance(case.missing, type) and issubclass(case.missing, MlopsError):
        with pytest.raises(case.missing):
            case.ask(store)
    else:
        assert case.ask(store) == case.missing


@pytest.mark.parametrize("status", BUSY)
@pytest.mark.parametrize("name", CASES)
def test_one_that_is_busy_twice_is_asked_again(name, status, store, front, pauses):
    front.fail(CASES[name], (status, {}, b"busy"), times=2)
    assert CASES[name].ask(store) == CASES[name].gives
    assert len(pauses) == 2


@pytest.mark.parametrize("status", BUSY)
@pytest.mark.parametrize("name", CASES)
def test_one_that_stays_busy_is_told(name, status, store, front, pauses):
    case = CASES[name]
    front.fail(case, (status, {}, b"busy"))
    with pytest.raises(Unavailable) as told:
        case.ask(store)
    assert str(status) in str(told.value)
    assert told.value.fix
    tries = 3 if name == "token" else PATIENT if case.patient else ATTEMPTS
    assert len(pauses) == tries - 1


@pytest.mark.parametrize("after", ["7", "Wed, 21 Oct 2015 07:28:07 GMT"])
@pytest.mark.parametrize("name", CASES)
def test_as_long_as_it_asks_for_by_its_own_clock(name, after, store, front, pauses):
    """The date is years ago for our clock, and seven seconds ahead for the one that the registry has."""
    front.fail(CASES[name], (429, {"Retry-After": after, "Date": "Wed, 21 Oct 2015 07:28:00 GMT"}, b""), times=1)
    assert CASES[name].ask(store) == CASES[name].gives
    assert pauses == [7.0]


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("9999", ASKED),
        ("Wed, 21 Oct 2099 07:28:00 GMT", ASKED),
        ("Wed, 21 Oct 1999 07:28:00 GMT", None),
        ("soon", None),
        ("-3", None),
    ],
)
def test_what_else_it_may_ask_for(after, expected, store, front, pauses):
    front.fail(CASES["tags"], (503, {"Retry-After": after, "Date": "never"}, b""), times=1)
    assert store.tags("a") == ["v1"]
    (pause,) = pauses
    assert pause == expected if expected else 0 < pause < 1


@pytest.mark.parametrize("uses", range(1, 9))
def test_a_token_that_ends_in_the_middle_of_a_push_in_pieces(uses, store, front):
    """The token is good for so many requests; each later one gets a new one, and no piece is sent to the wrong place."""
    front.pieces, front.uses = True, uses
    assert store.put_blob("a", SENT, OCI_LAYER).digest == digest_of(SENT)
    front.pieces, front.uses = False, -1
    with store.open_blob("a", digest_of(SENT)) as stream:
        assert stream.read() == SENT


def test_an_error_of_the_registry_does_not_hide_damage(store, front):
    front.fail(CASES["GET blob"], (200, {}, THERE[:-1] + b"x"))
    with pytest.raises(Corrupt, match=digest_of(THERE)):
        read(store)

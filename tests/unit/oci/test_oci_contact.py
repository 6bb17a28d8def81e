"""A registry that is away is told soon, one that is merely slow is waited for: the limits of time, without a clock.

Where a limit would be waited for in vain it is set so high that the test would not end, and the one that has to hold very low.
"""

import socket
import threading
from contextlib import ExitStack

import pytest

from jupyter_mlops.errors import Unavailable
from jupyter_mlops.oci import connection, reach
from jupyter_mlops.oci.connection import Connections, Silent
from jupyter_mlops.oci.http import ATTEMPTS, PATIENT, Transport
from jupyter_mlops.oci.names import OCI_LAYER
from jupyter_mlops.oci.reach import Deadline
from jupyter_mlops.oci.remote import Remote

NEVER = 10_000.0


@pytest.fixture(autouse=True)
def no_config(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))


@pytest.fixture(autouse=True)
def limits(monkeypatch):
    """The limit of first contact alone can end a wait."""
    monkeypatch.setattr(connection, "CONTACT", 0.3)
    monkeypatch.setattr(connection, "CONNECT", NEVER)
    monkeypatch.setattr(connection, "TIMEOUT", NEVER)
    pauses = []
    monkeypatch.setattr("jupyter_mlops.oci.http.time.sleep", pauses.append)
    return pauses


class Dead:
    """A port where nothing answers: ``full`` does not even take connections, ``silent`` takes them."""

    def __init__(self, kind):
        self._running = ExitStack()
        self.taken = 0
        self._listening = self._keep(socket.socket())
        self._listening.bind(("127.0.0.1", 0))
        self._listening.listen(0 if kind == "full" else 64)
        self.host = f"127.0.0.1:{self._listening.getsockname()[1]}"
        if kind == "full":
            for _ in range(4):
                waiting = self._keep(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(self._listening.getsockname())
        else:
            threading.Thread(target=self._take, daemon=True).start()

    def _keep(self, each):
        return self._running.enter_context(each)

    def _take(self):
        while True:
            try:
                self._keep(self._listening.accept()[0])
            except OSError:
                return
            self.taken += 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listening.shutdown(socket.SHUT_RDWR)
        self._running.close()


def no_tags(*_):
    return 200, {}, b'{"tags": []}'


ASKS = {
    "tags": lambda store: store.tags("a"),
    "has_blob": lambda store: store.has_blob("a", "sha256:" + "0" * 64),
    "get_manifest": lambda store: store.get_manifest("a", "v1"),
    "resolve": lambda store: store.resolve("a", "v1"),
    "referrers": lambda store: store.referrers("a", "sha256:" + "0" * 64),
    "repositories": lambda store: store.repositories(),
    "put_blob": lambda store: store.put_blob("a", b"x", OCI_LAYER),
    "delete": lambda store: store.delete("a", "v1"),
}


def test_the_limit_of_first_contact_is_under_five_seconds(monkeypatch):
    monkeypatch.undo()
    assert connection.CONTACT < 5


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("kind", ["full", "silent"])
def test_a_dead_registry_is_waited_for_once(kind, ask, limits):
    with Dead(kind) as dead, pytest.raises(Unavailable, match="in time") as told:
        ASKS[ask](Remote(f"http://{dead.host}"))
    assert dead.host in str(told.value)
    assert limits == [], "another try would be the same again"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_silent_one_is_asked_a_second_way_and_no_third(scheme):
    with Dead("silent") as dead, pytest.raises(Unavailable):
        Remote(f"{scheme}://{dead.host}").tags("a")
    assert dead.taken == (2 if scheme == "http" else 1), "over TLS the first connection does not come about"


def test_a_proxy_that_is_silent(monkeypatch):
    with Dead("silent") as dead:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{dead.host}")
        with pytest.raises(Unavailable, match="in time"):
            Remote("https://registry.example").tags("a")


def test_a_token_service_that_is_silent(scripted_server):
    with Dead("silent") as dead:
        challenge = {"WWW-Authenticate": f'Bearer realm="http://{dead.host}/token",service="s"'}
        server = scripted_server(lambda *_: (401, challenge, b""))
        with pytest.raises(Unavailable, match="token service"):
            Remote(f"http://{server.host}").tags("a")
    assert dead.taken == 2


def test_a_store_of_blobs_elsewhere_that_is_silent(scripted_server):
    with Dead("silent") as dead:
        server = scripted_server(lambda *_: (307, {"Location": f"http://{dead.host}/signed"}, b""))
        with pytest.raises(Unavailable, match="in time"):
            Remote(f"http://{server.host}").open_blob("a", "sha256:" + "0" * 64)


def test_one_answer_that_takes_long_is_waited_for_where_the_registry_lives(scripted_server):
    """It is held back until the registry was asked beside it, and for the second request until all limits are over."""
    looked, asked = threading.Event(), []

    def answer(method, path, headers, body):
        if path == "/v2/":
            looked.set()
            return 401, {}, b""
        asked.append(path)
        looked.wait()
        return 200, {}, b'{"tags": ["v1"]}'

    assert Remote(f"http://{scripted_server(answer).host}").tags("a") == ["v1"]
    assert looked.is_set()
    assert len(asked) == 2


def test_what_has_answered_may_be_idle(scripted_server, monkeypatch):
    """A later answer may take as long as ``TIMEOUT``: the limit of first contact is set so that nothing could keep it."""
    store = Remote(f"http://{scripted_server(no_tags).host}")
    store.tags("a")
    monkeypatch.setattr(connection, "CONTACT", 0.0)
    assert store.tags("a") == []


def test_what_answered_long_ago_has_to_show_anew_that_it_is_there(scripted_server, monkeypatch):
    store = Remote(f"http://{scripted_server(no_tags).host}")
    store.tags("a")
    monkeypatch.setattr(connection, "FRESH", 0.0)
    monkeypatch.setattr(connection, "CONTACT", 0.0)
    with pytest.raises(Unavailable, match="in time"):
        store.tags("a")


def test_a_registry_that_falls_silent_is_told_after_one_wait(scripted_server, monkeypatch, limits):
    """The first request after its last answer has the long limit, the one in its place that of first contact."""
    asked, released, down = [], threading.Event(), threading.Event()

    def answer(method, path, headers, body):
        if down.is_set():
            asked.append(path)
            released.wait()
        return no_tags()

    store = Remote(f"http://{scripted_server(answer).host}")
    store.tags("a")
    down.set()
    monkeypatch.setattr(connection, "TIMEOUT", 0.1)
    with pytest.raises(Unavailable, match="in time"):
        store.tags("a")
    released.set()
    assert [path.partition("?")[0] for path in asked] == ["/v2/a/tags/list", "/v2/a/tags/list", "/v2/"]
    assert len(limits) == 1


def test_a_writer_waits_on_for_a_registry_that_answered(scripted_server, limits):
    server = scripted_server(lambda *_: (200, {}, b""))
    transport = Transport(f"http://{server.host}")
    tries = []

    def silent(*_):
        tries.append(1)
        raise Silent("nothing")

    transport.ask("GET", "/v2/", scope="").close()
    transport._connections.send = silent
    for expected in (PATIENT, 1):
        tries.clear()
        with pytest.raises(Unavailable):
            transport.ask("PUT", "/v2/a/manifests/x", scope="repository:a", body=b"{}", patient=True)
        assert len(tries) == expected
    assert ATTEMPTS < PATIENT


@pytest.mark.slow
def test_a_large_body_is_no_first_contact(scripted_server, monkeypatch):
    """Such as a blob that is sent on to where a redirect leads: its registry answers after it has hashed all of it."""
    ended = threading.Event()

    def answer(method, path, headers, body):
        if method == "GET":
            return 200, {}, b""
        ended.wait(1)  # more than the limit of first contact
        return 201, {}, str(len(body)).encode()

    server = scripted_server(answer)
    with Connections().send("PUT", f"http://{server.host}/b", {}, b"x" * 200_000) as answered:
        assert answered.read() == b"200000"
    assert [method for method, *_ in server.asked] == ["PUT"]


# -- names and addresses ---------------------------------------------------------------------------------------------------


def addresses(*hosts):
    return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", host) for host in hosts]


def test_a_name_that_is_not_resolved_in_time(monkeypatch):
    hang = threading.Event()
    monkeypatch.setattr(reach.socket, "getaddrinfo", lambda *_: hang.wait())
    with pytest.raises(Unavailable, match="in time"):
        Remote("http://registry.example").tags("a")
    hang.set()


@pytest.mark.parametrize(
    "problem", [socket.gaierror(socket.EAI_NONAME, "Name or service not known"), UnicodeError("label too long")]
)
def test_a_name_that_means_nothing(monkeypatch, problem):
    def unknown(*_):
        raise problem

    monkeypatch.setattr(reach.socket, "getaddrinfo", unknown)
    with pytest.raises(Unavailable, match="no such host"):
        Remote("http://registry.example").tags("a")


def test_all_addresses_together_have_the_one_limit(monkeypatch, scripted_server):
    """The first takes no connection; the second is reached in what is left."""
    server = scripted_server(lambda *_: (200, {}, b'{"tags": ["v1"]}'))
    place = ("127.0.0.1", server.server_port)
    with Dead("full") as dead:
        away = ("127.0.0.1", int(dead.host.partition(":")[2]))
        monkeypatch.setattr(reach.socket, "getaddrinfo", lambda *_: addresses(away, place))
        assert Remote("http://registry.example").tags("a") == ["v1"]
        monkeypatch.setattr(reach.socket, "getaddrinfo", lambda *_: addresses(away, away, away))
        with pytest.raises(TimeoutError):
            reach.reach("registry.example", 80, Deadline(0.3))


def test_an_address_that_refuses_is_passed_over(monkeypatch, scripted_server):
    server = scripted_server(lambda *_: (200, {}, b'{"tags": ["v1"]}'))
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setattr(
            reach.socket, "getaddrinfo", lambda *_: addresses(closed.getsockname(), ("127.0.0.1", server.server_port))
        )
        assert Remote("http://registry.example").tags("a") == ["v1"]


def test_a_deadline_that_is_over():
    with pytest.raises(TimeoutError):
        Deadline(0.0).left()
    assert 0 < Deadline(NEVER).left(0.5) <= NEVER / 2

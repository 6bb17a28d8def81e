"""One call to a model server: what goes over the wire, and what silence, garbage and an early end mean."""

import contextlib
import socket
import threading

import pytest

from jupyter_mlops.errors import Unavailable, WrongUsage
from jupyter_mlops.serving.base import Request
from jupyter_mlops.serving.client import send
from jupyter_mlops.serving.local.supervisor import BACK_OFF_FIRST, BACK_OFF_LAST, _back_off, _tail


@contextlib.contextmanager
def answering(answer):
    """A server that reads one request and says these bytes; nothing, and it keeps the line open."""
    received, done = bytearray(), threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def run():
            connection, _ = server.accept()
            with connection:
                while b"\r\n\r\n" not in received:
                    received.extend(connection.recv(65536))
                if answer is None:
                    done.wait(20)
                else:
                    connection.sendall(answer)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1], received
        finally:
            done.set()
            thread.join(20)


def test_an_answer_comes_back_whole_without_what_belongs_to_the_connection():
    answer = (
        b"HTTP/1.1 418 Teapot\r\nX-Request-Id: 7\r\nConnection: close\r\nContent-Length: 5\r\nKeep-Alive: timeout=5\r\n\r\nshort"
    )
    with answering(answer) as (port, received):
        request = Request(
            "POST", "/v1/models/m:predict?x=1", b"{}", {"X-Request-Id": "7", "Cookie": "a=b", "Host": "evil", "X-XSRFToken": "t"}
        )
        response = send("127.0.0.1", port, "canary", request, 10)
    assert (response.status, response.body, response.headers) == (418, b"short", {"X-Request-Id": "7"})
    head = received.decode().lower()
    assert head.startswith("post /v1/models/m:predict?x=1 http/1.1\r\n")
    assert "authorization: bearer canary\r\n" in head
    assert "content-type: application/json\r\n" in head
    assert f"host: 127.0.0.1:{port}\r\n" in head
    for secret in ("cookie", "evil", "xsrf"):
        assert secret not in head


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "did not answer within 0.2 s"),
        (b"", "does not answer"),
        (b"not http\r\n\r\n", "does not answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", "does not answer"),
    ],
    ids=["silence", "closed", "garbage", "half an answer"],
)
def test_no_answer_is_unavailable_and_never_a_librarys_exception(answer, said):
    with answering(answer) as (port, _), pytest.raises(Unavailable) as caught:
        send("127.0.0.1", port, "canary", Request("GET", "/v2"), 0.2)
    assert said in str(caught.value)
    assert caught.value.fix
    assert "canary" not in repr(caught.value)


def test_nobody_listening_is_unavailable():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(Unavailable, match="does not answer"):
        send("127.0.0.1", port, "", Request("GET", "/v2"), 5)


@pytest.mark.parametrize(
    "request_",
    [
        Request("GET", "/v2\r\nX-Evil: 1"),
        Request("GET", "/v2", b"", {"X": "a\r\nY: b"}),
        Request("G ET", "/v2"),
        Request("GET", "v2"),
    ],
)
def test_nothing_is_smuggled_into_a_request(request_):
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as (port, received):
        with pytest.raises(WrongUsage):
            send("127.0.0.1", port, "", request_, 1)
        assert b"Evil" not in received
        assert b"Y: b" not in received
        with socket.create_connection(("127.0.0.1", port)) as last:  # lets the server end
            last.sendall(b"GET / HTTP/1.1\r\n\r\n")


def test_the_pause_between_starts_doubles_and_has_an_end():
    pauses = [_back_off(failures) for failures in range(1, 40)]
    assert pauses[:5] == [1.0, 2.0, 4.0, 8.0, 16.0]
    assert pauses[0] == BACK_OFF_FIRST
    assert pauses[-1] == BACK_OFF_LAST
    assert pauses == sorted(pauses)


def test_the_end_of_a_log_is_that_of_this_start(tmp_path):
    log = tmp_path / "log"
    log.write_text("before\n")
    start = log.stat().st_size
    with log.open("a") as stream:
        stream.write("first\nsecond\n")
    assert _tail(log, start) == ["first", "second"]
    log.write_text("x\n")  # put aside since
    assert _tail(log, start) == ["x"]
    log.write_bytes(b"\xff" * 100_000 + b"\nlast\n")
    assert _tail(log, 0)[-1] == "last"

"""A server on a loopback port that answers as a test says, over real sockets, plain or with TLS, and a kubeconfig that leads to it."""

from __future__ import annotations

import contextlib
import json
import queue
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

CUT = object()
"""In a stream: the connection breaks here."""


@dataclass
class Asked:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Reply:
    status: int = 200
    body: Any = b""
    """Bytes; a mapping is sent as JSON; another iterable as a chunked stream of bytes."""

    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Server:
    port: int
    asked: list[Asked]
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"


@contextlib.contextmanager
def answering(answer: Callable[[Asked], Reply], certificate: Path | None = None) -> Iterator[Server]:
    """Serve until the end of the block. ``certificate`` is a PEM file with the key in it."""
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = Asked(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            asked.append(request)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError, ssl.SSLError):
                self.reply(answer(request))

        do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = do_CONNECT = handle_any  # noqa: N815 - names of http.server

        def reply(self, reply: Reply) -> None:
            if reply.body is CUT:
                self.close_connection = True
                return
            self.send_response(reply.status)
            body = reply.body
            if isinstance(body, Mapping):
                body = json.dumps(body).encode()
                self.send_header("Content-Type", "application/json")
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if isinstance(body, bytes):
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                return
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.stream(body)

        def stream(self, chunks: Iterable[Any]) -> None:
            for chunk in chunks:
                if chunk is CUT:
                    self.close_connection = True
                    return
                if chunk:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                    self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that hangs up is what some tests are about."""

    server = Quiet(("127.0.0.1", 0), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield Server(server.server_address[1], asked, "https" if certificate else "http")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def in_turn(*replies: Reply | Callable[[Asked], Reply]) -> Callable[[Asked], Reply]:
    """The first reply to the first request, and so on; the last one for ever."""
    waiting: queue.Queue[Any] = queue.Queue()
    for reply in replies:
        waiting.put(reply)

    def answer(asked: Asked) -> Reply:
        last = replies[-1]
        with contextlib.suppress(queue.Empty):
            last = waiting.get_nowait()
        return last(asked) if callable(last) else last

    return answer


def status(code: int, reason: str, message: str, **details: Any) -> Reply:
    """A Status document, as an API server explains itself."""
    return Reply(
        code,
        {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": code,
            "details": details,
        },
    )


def kubeconfig(
    folder: Path, server: str, user: Mapping[str, Any] | None = None, cluster: Mapping[str, Any] | None = None
) -> dict[str, str]:
    """Write a kubeconfig of one context, ``test``; returns the environment that names it."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u", "namespace": "ml"}}],
        "clusters": [{"name": "c", "cluster": {"server": server, **(cluster or {})}}],
        "users": [{"name": "u", "user": dict(user or {"token": "secret-token-of-the-test"})}],
    }
    file = folder / "kubeconfig"
    file.write_text(json.dumps(document))
    file.chmod(0o600)
    return {"KUBECONFIG": str(file), "PATH": "/usr/bin:/bin", "HOME": str(folder)}

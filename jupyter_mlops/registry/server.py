"""``/v2/`` over the registry folder, on loopback, for the tools of others and for clusters on this machine.

The folder needs no server; this one only shows it to what speaks the distribution specification. It shares the folder with
every other process that uses it, by the locks of ``oci``, and keeps nothing in memory but uploads in progress.
"""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tornado import web
from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream

from jupyter_mlops.errors import Conflict, PlatformError
from jupyter_mlops.oci.digest import CHUNK
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.registry.routes import ROUTES
from jupyter_mlops.registry.uploads import Uploads

ADDRESS = "127.0.0.1"
TLS_HANDSHAKE = b"\x16"
"""First byte of every TLS connection; no HTTP method starts with it."""

BUFFER = 4 * CHUNK
"""Bytes of one connection that wait to be read or sent; memory grows with connections, not with blobs."""


class PlainServer(HTTPServer):
    """An HTTP server that says at once that it does not speak TLS.

    Container tools try HTTPS first; tornado would wait for the rest of what it takes for a request, and the tool for its
    own limit of ten seconds, for every connection.
    """

    def initialize(self, *args: Any, **options: Any) -> None:
        """As HTTPServer."""
        super().initialize(*args, **options)
        self._silent: set[IOStream] = set()

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        """Look at the first byte before anything is read."""
        self._silent.add(stream)
        asyncio.get_running_loop().add_reader(stream.socket.fileno(), self._first_byte, stream, address)

    def _first_byte(self, stream: IOStream, address: Any) -> None:
        asyncio.get_running_loop().remove_reader(stream.socket.fileno())
        self._silent.discard(stream)
        with suppress(OSError):
            if stream.socket.recv(1, socket.MSG_PEEK) != TLS_HANDSHAKE:
                super().handle_stream(stream, address)
                return
            stream.socket.recv(CHUNK)  # what is left unread would make the answer a reset
            stream.socket.send(b"HTTP/1.0 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        stream.close()

    async def close_all_connections(self) -> None:
        """Also those that never said anything."""
        for stream in self._silent:
            asyncio.get_running_loop().remove_reader(stream.socket.fileno())
            stream.close()
        self._silent.clear()
        await super().close_all_connections()


@dataclass(frozen=True)
class Listening:
    """A server that accepts connections."""

    url: str
    server: HTTPServer
    uploads: Uploads

    async def close(self) -> None:
        """Stop listening, end all connections, and drop unfinished uploads."""
        self.server.stop()
        await self.server.close_all_connections()
        self.uploads.close()


def serve(root: Path, port: int, token: str | None, ready: Callable[[str], None]) -> None:
    """Serve a registry folder until SIGINT or SIGTERM.

    Args:
        root: the folder.
        port: on 127.0.0.1; 0 for a free one.
        token: what to log in with; None lets every user of this machine read and write: say so loudly.
        ready: called with the address (``http://127.0.0.1:<port>``) once it answers.

    Raises:
        Conflict: code ``port-in-use``.
        PlatformError: the port may not be used.
    """
    asyncio.run(_serve(root, port, token, ready))


async def _serve(root: Path, port: int, token: str | None, ready: Callable[[str], None]) -> None:
    listening = listen(root, port, token)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, stop.set)
    try:
        ready(listening.url)
        await stop.wait()
    finally:
        await listening.close()


def listen(root: Path, port: int, token: str | None) -> Listening:
    """Start to listen in the running event loop. Errors as :func:`serve`."""
    listener = _bind(port)
    listener.setblocking(False)
    layout = Layout(root)
    uploads = Uploads(layout)
    options = {"layout": layout, "uploads": uploads, "token": token}
    application = web.Application([(path, handler, options) for path, handler in ROUTES], log_function=lambda _: None)
    server = PlainServer(application, max_buffer_size=BUFFER, max_body_size=BUFFER, chunk_size=CHUNK, idle_connection_timeout=600)
    server.add_sockets([listener])
    return Listening(f"http://{ADDRESS}:{listener.getsockname()[1]}", server, uploads)


def _bind(port: int) -> socket.socket:
    try:
        return socket.create_server((ADDRESS, port), backlog=128)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Conflict(
                f"port {port} of {ADDRESS} is in use", code="port-in-use", fix="Choose another port, or 0 for a free one."
            ) from error
        raise PlatformError(
            f"cannot listen on port {port} of {ADDRESS}: {error.strerror}", fix="Choose a port above 1023."
        ) from error

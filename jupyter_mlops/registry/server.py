"""``/v2/`` over the registry folder: on loopback for the tools of others and for clusters on this machine, or for a team.

The folder needs no server; this one only shows it to what speaks the distribution specification. It shares the folder with
every other process that uses it, by the locks of ``oci``, and keeps nothing in memory but uploads in progress. Whoever reaches
it from another machine must log in: without that it listens on loopback alone.
"""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tornado import web
from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream

from jupyter_mlops.errors import Conflict, PlatformError, WrongUsage
from jupyter_mlops.oci.digest import CHUNK
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.registry.access import LOOPBACK, Access
from jupyter_mlops.registry.routes import ROUTES, HealthHandler
from jupyter_mlops.registry.uploads import Uploads
from jupyter_mlops.registry.users import Users

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
        """Stop listening, and end all connections; unfinished uploads wait for the next server."""
        self.server.stop()
        await self.server.close_all_connections()
        self.uploads.close()


@dataclass(frozen=True, slots=True)
class Options:
    """What to serve, where, and for whom."""

    root: Path
    """The folder."""

    port: int = 0
    """0 for a free one."""

    token: str | None = None
    """One token for all; None with no ``users``: every user of this machine may read and write, which must be said loudly."""

    host: str = ADDRESS
    """Address to listen at; ``0.0.0.0`` for all of a machine or container."""

    users: Path | None = None
    """File of users, each with a token (``users.py``)."""

    certificate: Path | None = None
    """PEM file with the certificate chain, for TLS; with ``key``."""

    key: Path | None = None


def serve(options: Options, ready: Callable[[str], None]) -> None:
    """Serve a registry folder until SIGINT or SIGTERM; ``ready`` is called with the address once it answers.

    Raises:
        WrongUsage: code ``open-registry``: another host could come in without a token; ``invalid-users``, ``invalid-certificate``.
        Conflict: code ``port-in-use``.
        PlatformError: the port may not be used, or a file not be read.
    """
    asyncio.run(_serve(options, ready))


async def _serve(options: Options, ready: Callable[[str], None]) -> None:
    listening = listen(options)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, stop.set)
    try:
        ready(listening.url)
        await stop.wait()
    finally:
        await listening.close()


def listen(options: Options) -> Listening:
    """Start to listen in the running event loop. Errors as :func:`serve`."""
    access = Access(options.token, Users(options.users) if options.users else None)
    if access.is_open and options.host not in LOOPBACK:
        raise WrongUsage(
            f"a registry without a password would be open to everybody who reaches {options.host}",
            code="open-registry",
            fix="Give it users (jupyter mlops registry token), or serve on this machine alone.",
        )
    tls = _tls(options)
    listener = _bind(options.host, options.port)
    listener.setblocking(False)
    layout = Layout(options.root)
    uploads = Uploads(layout)
    shared = {"layout": layout, "uploads": uploads, "access": access}
    routes: list[Any] = [(path, handler, shared) for path, handler in ROUTES]
    application = web.Application([*routes, ("/healthz", HealthHandler)], log_function=lambda _: None)
    limits = {"max_buffer_size": BUFFER, "max_body_size": BUFFER, "chunk_size": CHUNK, "idle_connection_timeout": 600}
    server = HTTPServer(application, ssl_options=tls, **limits) if tls else PlainServer(application, **limits)
    server.add_sockets([listener])
    host = f"[{options.host}]" if ":" in options.host else options.host
    return Listening(f"http{'s' if tls else ''}://{host}:{listener.getsockname()[1]}", server, uploads)


def _tls(options: Options) -> ssl.SSLContext | None:
    """What TLS is spoken with; None for plain HTTP. Raises WrongUsage, code ``invalid-certificate``."""
    if options.certificate is None and options.key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        if options.certificate is None:
            raise WrongUsage("there is a key and no certificate", code="invalid-certificate", fix="Give both.")
        context.load_cert_chain(options.certificate, options.key)
    except (OSError, ssl.SSLError) as error:
        raise WrongUsage(
            f"{options.certificate} and its key cannot be used: {error.strerror or error}",
            code="invalid-certificate",
            fix="Give PEM files that belong together and that you may read.",
        ) from error
    return context


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Conflict(
                f"port {port} of {host} is in use", code="port-in-use", fix="Choose another port, or 0 for a free one."
            ) from error
        raise PlatformError(
            f"cannot listen on port {port} of {host}: {error.strerror}",
            fix="Choose a port above 1023, and an address of this machine.",
        ) from error

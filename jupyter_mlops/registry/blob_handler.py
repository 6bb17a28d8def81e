"""Blobs on their way out over HTTP, and their deletion.

Without TLS the kernel copies from the file to the socket (``sendfile``), so that the bytes never enter this process; with TLS
they pass through it, a megabyte at a time. A blob is not hashed again while it is served: who pulls by digest verifies.
"""

from __future__ import annotations

import asyncio
import os
import re
import select
import socket
import time
from contextlib import suppress
from ipaddress import ip_address
from typing import cast

from tornado import web
from tornado.http1connection import HTTP1Connection
from tornado.iostream import SSLIOStream, StreamClosedError

from jupyter_mlops.oci.digest import CHUNK
from jupyter_mlops.registry.blobs import delete_blob
from jupyter_mlops.registry.conditions import entity_tag, unchanged
from jupyter_mlops.registry.handler import Handler

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")

SLICE = 0.05
"""Seconds for which a client that takes bytes as fast as they come may keep a thread; slower ones wait outside of it."""

NEAR = 400 << 10
"""Bytes on their way to a client on this machine: the same gigabyte takes half as long as with the four megabytes that the system
would come to. A client elsewhere gets what the system finds out, since there the distance counts."""

STALLED = 600.0
"""Seconds for which a client may take nothing; then the connection is ended."""


class BlobHandler(Handler):
    """``/v2/<name>/blobs/<digest>``."""

    async def head(self, name: str, digest: str) -> None:
        """Whether it is there, and how large."""
        self._describe(digest, await asyncio.to_thread(self.layout.blob_size, name, digest))
        if unchanged(self.request.headers, digest):
            self.not_modified()
        else:
            self.finish()

    async def get(self, name: str, digest: str) -> None:
        """All of it, or the range asked for."""
        size = await asyncio.to_thread(self.layout.blob_size, name, digest)
        if unchanged(self.request.headers, digest):
            self._describe(digest, size)
            self.not_modified()
            return
        start, count = self._range(size)
        self._describe(digest, count)
        connection = cast("HTTP1Connection", self.request.connection)
        direct = count > 0 and not isinstance(connection.stream, SSLIOStream)
        if count > NEAR:
            _keep_near(connection.stream.socket)
        try:
            with self.layout.blob_path(name, digest).open("rb", buffering=0) as file:
                await (self._send(connection, file.fileno(), start, count) if direct else self._pass(file.fileno(), start, count))
        except (StreamClosedError, ConnectionError, asyncio.TimeoutError):  # Python 3.10 has two of the last
            connection.stream.close()
            return
        self.finish()

    async def delete(self, name: str, digest: str) -> None:
        """Take it away at once, unless a manifest needs it."""
        await asyncio.to_thread(delete_blob, self.layout, name, digest)
        self.set_status(202)

    async def _send(self, connection: HTTP1Connection, file: int, start: int, count: int) -> None:
        """Let the kernel send a part of a file, after the headers.

        Through a second descriptor of the socket: the connection may be closed meanwhile, and the number given to another.
        """
        await self.flush()
        end = start + count
        with connection.stream.socket.dup() as way:
            while start < end:
                start += await asyncio.to_thread(_sent, way.fileno(), file, start, end - start)
                if start < end:
                    await asyncio.wait_for(_writable(way), STALLED)
        connection._expected_content_remaining = 0  # noqa: SLF001 - tornado counts what it writes itself, and wrote none of it

    async def _pass(self, file: int, start: int, count: int) -> None:
        """Read a part of a file, and write it."""
        while count:
            chunk = await asyncio.to_thread(os.pread, file, min(CHUNK, count), start)
            if not chunk:
                raise ConnectionError
            start, count = start + len(chunk), count - len(chunk)
            self.write(chunk)
            await self.flush()

    def _describe(self, digest: str, size: int) -> None:
        self.set_header("Content-Type", "application/octet-stream")
        self.set_header("Docker-Content-Digest", digest)
        self.set_header("Accept-Ranges", "bytes")
        self.set_header("ETag", entity_tag(digest))
        self.set_header("Content-Length", size)

    def _range(self, size: int) -> tuple[int, int]:
        """First byte and number of bytes; the answer is marked as partial when a range was asked for."""
        asked = self.request.headers.get("Range")
        match = _RANGE.fullmatch(asked) if asked else None
        if match is None or match.groups() == ("", ""):
            return 0, size  # other units and several ranges may be ignored
        first, last = match.groups()
        start = int(first) if first else max(0, size - int(last))
        end = min(int(last), size - 1) if first and last else size - 1
        if start > end:
            self.set_header("Content-Range", f"bytes */{size}")
            raise web.HTTPError(416)
        self.set_status(206)
        self.set_header("Content-Range", f"bytes {start}-{end}/{size}")
        return start, end - start + 1


def _keep_near(connection: socket.socket) -> None:
    """Give a client on this machine what it is about to take, and not megabytes ahead of it, which leave the processor's cache."""
    with suppress(OSError, ValueError):
        if ip_address(connection.getpeername()[0]).is_loopback:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, NEAR)


def _sent(way: int, file: int, start: int, count: int) -> int:
    """Send what a socket takes within :data:`SLICE`; how many bytes that were."""
    until, sent = time.monotonic() + SLICE, 0
    poll = select.poll()
    poll.register(way, select.POLLOUT)
    while sent < count and (left := until - time.monotonic()) > 0:
        try:
            done = os.sendfile(way, file, start + sent, count - sent)
        except BlockingIOError:
            if not poll.poll(left * 1000):
                break
            continue
        if not done:
            raise ConnectionError  # the file was cut meanwhile: end the connection before the promised length
        sent += done
    return sent


async def _writable(connection: socket.socket) -> None:
    """Until a socket takes bytes again, or was closed."""
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_writer(connection.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(connection.fileno())

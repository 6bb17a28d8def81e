"""Connections to a registry: opened directly or through a proxy, kept while they are of use, one request at a time.

``http.client``, since this room travels into every step, and since it moves a gigabyte with a third of the processor time of
the libraries above it. A file is sent by the kernel where there is no TLS, and in blocks of a mebibyte where there is.

Whether a server is away is found out soon, and what is merely slow is not cut: a server that has not answered of late gets
``CONTACT`` seconds for its first answer; when the answer to a request takes half of them, the server is asked beside it for its
root, which costs it nothing. If that answers, the request may take its time.
"""

from __future__ import annotations

import http.client
import select
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from jupyter_mlops.errors import Corrupt
from jupyter_mlops.oci.digest import CHUNK
from jupyter_mlops.oci.proxy import Proxy, proxy_for
from jupyter_mlops.oci.reach import Deadline, reach
from jupyter_mlops.oci.trust import context

CONNECT = 10.0
"""Seconds for a connection to come about with a server that answered of late, TLS included."""

CONTACT = 4.5
"""Seconds in which a server must have given a sign of life, be it the first or the first for ``FRESH``."""

FRESH = 60.0
"""Seconds for which an answer shows that the server is there."""

TIMEOUT = 30.0
"""Seconds without a byte after which a connection counts as dead."""

SLOWEST = 10 << 20
"""Bytes a second that a registry needs for a blob after the last byte came: some copy it to its place before they answer."""

ASKED = 20.0
"""Seconds at most that a server may ask for before the next try."""

IDLE = 8
"""Connections that are kept for the next request."""

_DRAIN = 1 << 16
_STRIDE = 16 << 20
"""Bytes that the kernel sends of a file in one call: enough to cost nothing, few enough to be told of."""


@dataclass(frozen=True)
class Part:
    """A stretch of a file as the body of a request. Its size is checked while it is sent."""

    path: Path
    start: int
    size: int
    moved: Callable[[int], None] | None = None
    """Told, now and then, up to which byte of the file it was handed to the network."""

    def stretch(self, offset: int, count: int) -> Part:
        """A part of it."""
        return replace(self, start=self.start + offset, size=count)


@dataclass(frozen=True)
class Stream:
    """A stretch of chunks that can be had again and again, such as those of an archive that is made while it is sent."""

    chunks: Iterable[bytes | memoryview]
    start: int
    size: int

    def stretch(self, offset: int, count: int) -> Stream:
        """A part of it."""
        return Stream(self.chunks, self.start + offset, count)


Body = bytes | Part | Stream | None


class _Way(NamedTuple):
    """Where a connection leads: what two requests must have in common to use the same."""

    scheme: str
    netloc: str
    proxy: Proxy | None


class Silent(TimeoutError):
    """A server gave no sign of life for ``CONTACT`` seconds: another try at once would be the same again."""


class Answer:
    """A response. Closing it gives the connection back if all of it was read, else ends it."""

    def __init__(self, pool: Connections, way: _Way, connection: http.client.HTTPConnection, response: Any) -> None:
        self._pool, self._way, self._connection = pool, way, connection
        self._response: http.client.HTTPResponse = response
        self.status: int = response.status
        self.reason: str = response.reason
        self.headers = response.headers
        self.length: int | None = response.length
        """Bytes that are still to come; None if the server does not say."""

    @property
    def asks_for(self) -> float:
        """Seconds that ``Retry-After`` asks for before the next try, ``ASKED`` at most; 0 for none.

        A date is meant by the server's clock, which need not be ours: it counts from the ``Date`` of the same answer.
        """
        after = self.headers.get("Retry-After", "")
        if after.isdecimal():
            return min(float(after), ASKED)
        if not after:
            return 0.0
        from email.utils import parsedate_to_datetime

        with suppress(ValueError, TypeError):
            then = parsedate_to_datetime(after).timestamp()
            now = time.time()
            with suppress(ValueError, TypeError):
                now = parsedate_to_datetime(self.headers.get("Date")).timestamp()
            return min(max(then - now, 0.0), ASKED)
        return 0.0

    def read(self, count: int | None = None) -> bytes:
        """Up to ``count`` bytes, or all. Raises OSError, HTTPException."""
        return self._response.read(count)

    def readinto(self, buffer: Any, /) -> int:
        """What has come, up to the size of the buffer; 0 at the end, also at one that is too early. Raises OSError, HTTPException.

        ``HTTPResponse.readinto`` waits until the buffer is full: the server would stand still while the reader works.
        """
        response = self._response
        if response.chunked or response.length is None or response.fp is None:
            return response.readinto(buffer)
        count: int = response.fp.readinto1(memoryview(buffer).cast("B")[: response.length])
        response.length -= count
        if not count or not response.length:
            ended, response.fp = response.fp, None  # type: ignore[assignment]  # so it marks its own end
            ended.close()
        return count

    def close(self) -> None:
        """Done with it."""
        with suppress(OSError, http.client.HTTPException):
            if not self._response.isclosed() and (self._response.length or 0) <= _DRAIN and not self._response.chunked:
                self._response.read(_DRAIN)
        whole = self._response.isclosed() and not self._response.will_close
        self._response.close()
        if whole:
            self._pool.give(self._way, self._connection)
        else:
            self._connection.close()

    def __enter__(self) -> Answer:  # noqa: PYI034 - typing.Self needs Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Connections:
    """Connections that wait for the next request. Safe for threads: a connection is used by one at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[tuple[_Way, http.client.HTTPConnection]] = []
        self._answered: dict[_Way, float] = {}

    def send(self, method: str, url: str, headers: Mapping[str, str], body: Body) -> Answer:
        """One request and its answer, whatever it says.

        A connection that was kept and has died meanwhile is replaced at once; that is no failure of the server's.

        Raises:
            OSError, HTTPException: no connection, or it broke.
            WrongUsage, PlatformError: the proxy or the certificates that the environment names cannot be used.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise http.client.HTTPException(f"cannot ask {url}")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        way = _Way(parts.scheme, parts.netloc, proxy_for(parts.scheme, parts.hostname, port))
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if way.proxy and way.scheme == "http":
            target, headers = f"http://{parts.netloc}{target}", {**headers, **way.proxy.headers}
        small = body is None or (isinstance(body, bytes) and len(body) <= _DRAIN)
        kept = self._take(way) if self._known(way) else None
        if kept is not None:
            try:
                return self._answer(way, kept, _exchange(kept, method, target, headers, body))
            except BaseException as error:
                kept.close()
                self._doubt(way, error)
                if method not in {"GET", "HEAD"} or not isinstance(error, (OSError, http.client.HTTPException)):
                    raise
        deadline = None if self._known(way) else Deadline(CONTACT)
        fresh = self._open(way, parts.hostname, port, deadline)
        try:
            return self._answer(way, fresh, _exchange(fresh, method, target, headers, body, deadline if small else None))
        except BaseException as error:
            fresh.close()
            self._doubt(way, error)
            if deadline is not None and small and isinstance(error, TimeoutError):
                self._look(way, parts.hostname, port, deadline)
            raise

    def _known(self, way: _Way) -> bool:
        """Whether the server answered of late."""
        return time.monotonic() - self._answered.get(way, float("-inf")) < FRESH

    def _answer(self, way: _Way, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> Answer:
        self._answered[way] = time.monotonic()
        return Answer(self, way, connection, response)

    def _doubt(self, way: _Way, error: BaseException) -> None:
        """After a wait in vain the server has to show anew that it is there."""
        if isinstance(error, TimeoutError):
            self._answered.pop(way, None)

    def _open(self, way: _Way, host: str, port: int, deadline: Deadline | None) -> http.client.HTTPConnection:
        """A new connection; ``deadline``: for a server that is not known to be there. Raises OSError, HTTPException."""
        try:
            return _connect(way, host, port, deadline or Deadline(CONNECT))
        except TimeoutError as error:
            self._doubt(way, error)
            if deadline is None:
                raise
            raise Silent(str(error)) from error

    def _look(self, way: _Way, host: str, port: int, deadline: Deadline) -> None:
        """See whether a server that is slow with one answer gives any at all. Raises Silent."""
        target = f"{way.scheme}://{way.netloc}/v2/" if way.proxy and way.scheme == "http" else "/v2/"
        headers = dict(way.proxy.headers) if way.proxy and way.scheme == "http" else {}
        try:
            asked = _connect(way, host, port, deadline)
            try:
                asked.sock.settimeout(deadline.left())
                asked.request("GET", target, headers=headers)
                asked.getresponse().close()
            finally:
                asked.close()
        except (OSError, http.client.HTTPException) as error:
            raise Silent(str(error)) from error
        self._answered[way] = time.monotonic()

    def give(self, way: _Way, connection: http.client.HTTPConnection) -> None:
        """Keep a connection for the next request."""
        with self._lock:
            self._idle.append((way, connection))
            surplus = [self._idle.pop(0)[1]] if len(self._idle) > IDLE else []
        for each in surplus:
            each.close()

    def _take(self, way: _Way) -> http.client.HTTPConnection | None:
        """One that waits and that the server has not closed."""
        while True:
            with self._lock:
                place = next((at for at, (known, _) in enumerate(self._idle) if known == way), None)
                found = None if place is None else self._idle.pop(place)[1]
            if found is None or not _readable(found):
                return found
            found.close()

    def close(self) -> None:
        """End all that wait."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.close()

    def __del__(self) -> None:
        """Nobody can use what a forgotten store kept."""
        self.close()


def _readable(connection: http.client.HTTPConnection) -> bool:
    """Whether something came on an idle connection: that can only be its end."""
    if connection.sock is None:
        return True
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return bool(poll.poll(0))


def _connect(way: _Way, host: str, port: int, deadline: Deadline) -> http.client.HTTPConnection:
    """A new connection. Raises OSError, HTTPException."""
    at = (way.proxy.host, way.proxy.port) if way.proxy else (host, port)
    tls = way.scheme == "https" or (way.proxy is not None and way.proxy.tls)
    connection = http.client.HTTPSConnection(*at, context=context()) if tls else http.client.HTTPConnection(*at)
    connection._create_connection = lambda *_: reach(*at, deadline)  # type: ignore[attr-defined]  # noqa: SLF001 - no other way in
    if way.proxy and way.scheme == "https":
        connection.set_tunnel(host, port, headers=dict(way.proxy.headers))
    try:
        connection.connect()
    except BaseException:
        connection.close()
        raise
    connection.sock.settimeout(TIMEOUT)
    return connection


def _exchange(
    connection: http.client.HTTPConnection,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: Body,
    deadline: Deadline | None = None,
) -> http.client.HTTPResponse:
    """Send a request and read the head of its answer. A server may answer, and hang up, before it has all of the body.

    ``deadline``: half of what is left of it is there for the answer; None: the server is known to be there.
    """
    connection.putrequest(method, target)
    size = len(body) if isinstance(body, bytes) else body.size if body else 0
    if body is not None or method in {"POST", "PUT", "PATCH"}:
        connection.putheader("Content-Length", str(size))
    for name, value in headers.items():
        connection.putheader(name, value)
    try:
        connection.endheaders(body if isinstance(body, bytes) and size <= _DRAIN else None)
        if isinstance(body, Part):
            _send_part(connection, body)
        elif isinstance(body, Stream):
            _send_stream(connection, body)
        elif body and size > _DRAIN:
            connection.send(body)
    except (BrokenPipeError, ConnectionResetError) as error:
        try:
            return connection.getresponse()
        except (OSError, http.client.HTTPException):
            raise error from None
    connection.sock.settimeout(deadline.left(0.5) if deadline else TIMEOUT + size / SLOWEST)
    response = connection.getresponse()
    if connection.sock is not None:
        connection.sock.settimeout(TIMEOUT)
    return response


def _send_part(connection: http.client.HTTPConnection, part: Part) -> None:
    """The bytes of a file. Raises OSError; Corrupt if the file is shorter than it was."""
    if not part.size:
        return
    with part.path.open("rb", buffering=0) as file:
        if isinstance(connection, http.client.HTTPSConnection):
            file.seek(part.start)
            buffer, sent = memoryview(bytearray(CHUNK)), 0
            while sent < part.size and (count := file.readinto(buffer[: part.size - sent])):
                connection.sock.sendall(buffer[:count])
                sent += count
                _tell(part, sent)
        else:
            sent = 0
            while sent < part.size and (count := connection.sock.sendfile(file, part.start + sent, min(_STRIDE, part.size - sent))):
                sent += count
                _tell(part, sent)
    if sent != part.size:
        raise Corrupt(f"{part.path} became shorter while it was sent", fix="Let whatever writes the file finish first.")


def _tell(part: Part, sent: int) -> None:
    if part.moved is not None:
        part.moved(part.start + sent)


def _send_stream(connection: http.client.HTTPConnection, stream: Stream) -> None:
    """The bytes of chunks. Raises OSError; Corrupt if there are fewer than there were."""
    skip, left = stream.start, stream.size
    for chunk in stream.chunks:
        view = memoryview(chunk)[skip : skip + left]
        skip = max(skip - len(chunk), 0)
        if view:
            connection.sock.sendall(view)
            left -= len(view)
        if not left:
            return
    if left:
        raise Corrupt("what is sent became shorter", fix="Let whatever writes the files finish first.")

"""Requests to an API server: logged in, sent again where that is safe and helps, answered or explained.

The one place where a request is made. A 401 is answered with new credentials and one more try, since they end while a server
runs; a 429 or 503 is waited for as long as the server asks; a connection that broke is tried again only for requests that may
be sent twice.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import urllib3

from jupyter_mlops.cluster.failures import Asked, explain, not_kubernetes, status_of
from jupyter_mlops.cluster.session import Session
from jupyter_mlops.cluster.unreachable import no_answer
from jupyter_mlops.errors import MlopsError

CONNECT = 10.0
"""Seconds to wait for a connection."""

READ = 60.0
"""Seconds without a byte after which an answer counts as lost; webhooks may take 30."""

ATTEMPTS = 4
PATIENCE = 20.0
"""Seconds that all pauses of one request take together at most."""

_LONGEST_ERROR = 1 << 20
_BUSY = frozenset({429, 503})
_FAILING = frozenset({500, 502, 503, 504})
PROBLEMS = (urllib3.exceptions.HTTPError, OSError, ValueError)
"""What a connection may raise; ValueError is of a TLS socket that another thread closed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Wire:
    """The requests to one server. Safe for threads."""

    def __init__(self, server: str, open_session: Callable[[], Session], login: str) -> None:
        """``open_session`` logs in; ``login`` says how a person logs in again."""
        self.server = server
        self._open = open_session
        self._login = login
        self._session: Session | None = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        """The address and nothing of the credentials."""
        return f"Wire({self.server!r})"

    def asked(self, kind: str = "", group: str = "") -> Asked:
        """For the errors of a request about a kind."""
        return Asked(self.server, kind, group, self._login)

    def json(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        asked: Asked | None = None,
        content_type: str = "application/json",
        twice: bool | None = None,
    ) -> dict[str, Any]:
        """Send a document, get a document.

        Args:
            method: the verb.
            path: with its query.
            body: a JSON value, or None.
            asked: what is asked for, for errors.
            content_type: of the body.
            twice: whether the request may be sent twice; None: if it only reads.

        Raises:
            MlopsError: as ``failures.explain`` and ``unreachable.no_answer`` say.
        """
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        headers = {"accept": "application/json", "accept-encoding": "gzip", **({"content-type": content_type} if data else {})}
        answer = self.send(method, path, data, headers, twice=method == "GET" if twice is None else twice)
        about = asked or self.asked()
        if answer.status >= 400:  # noqa: PLR2004 - all errors are above
            raise explain(answer.status, answer.body, answer.headers, about)
        try:
            document = json.loads(answer.body)
        except ValueError:
            raise not_kubernetes(answer.body, answer.headers, about) from None
        if not isinstance(document, dict):
            raise not_kubernetes(answer.body, answer.headers, about)
        return document

    def send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], *, twice: bool, timeout: float = READ
    ) -> Answer:
        """Send bytes, get bytes, whatever the status.

        Raises:
            MlopsError: no answer.
        """
        response = self.open(method, path, body, headers, twice=twice, timeout=timeout)
        try:
            return Answer(response.status, _lower(response.headers), response.data)
        except PROBLEMS as error:
            raise no_answer(error, self.server) from error
        finally:
            response.release_conn()

    def open(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        twice: bool = True,
        timeout: float = READ,
    ) -> urllib3.BaseHTTPResponse:
        """Send a request and return the answer, to be read and given back, whatever its status."""
        renewed, waited, pause = False, 0.0, 0.2
        for attempt in range(1, ATTEMPTS + 1):
            session = self._current()
            last = attempt == ATTEMPTS or waited + pause > PATIENCE
            try:
                response = self._once(session, method, path, body, headers or {}, timeout)
            except PROBLEMS as error:
                if twice and not last and _broken(error):
                    continue
                raise no_answer(error, self.server) from error
            if response.status == 401 and not renewed and _ours(response):  # noqa: PLR2004 - unauthorized
                _drop(response)
                self._renew(session)
                renewed = True
                response = self._once_again(method, path, body, headers or {}, timeout)
            wait = _pause(response, pause, twice=twice)
            if wait is None or last or waited + wait > PATIENCE or not _ours(response):
                return response
            _drop(response)
            time.sleep(wait)
            waited, pause = waited + wait, pause * 2
        raise AssertionError  # the last attempt returns or raises

    def _once_again(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], timeout: float
    ) -> urllib3.BaseHTTPResponse:
        """The one more try with new credentials."""
        try:
            return self._once(self._current(), method, path, body, headers, timeout)
        except PROBLEMS as error:
            raise no_answer(error, self.server) from error

    def _once(
        self, session: Session, method: str, path: str, body: bytes | None, headers: Mapping[str, str], timeout: float
    ) -> urllib3.BaseHTTPResponse:
        """One request on a connection of the pool."""
        return session.pool.request(
            method,
            self.server + path,
            body=body,
            headers={"user-agent": "jupyter-mlops", **headers, **session.headers()},
            timeout=urllib3.Timeout(connect=CONNECT, read=timeout),
            retries=False,
            redirect=False,
            preload_content=False,
        )

    def _current(self) -> Session:
        """The session, a new one where there is none or its credentials end."""
        with self._lock:
            if self._session is None or self._session.stale():
                self._session = self._open()
            return self._session

    def _renew(self, refused: Session) -> None:
        """Log in again, unless another thread has done so since."""
        with self._lock:
            if self._session is refused:
                self._session = self._open()


def hang_up(response: urllib3.BaseHTTPResponse) -> None:
    """End a stream from any thread, also while another one waits for its next byte.

    The thread that reads gets an end or an error. Closing the socket would leave it waiting, and a TLS socket's own
    ``shutdown`` takes the state from under it: so the connection beneath is shut down.
    """
    connection = getattr(response, "connection", None) or getattr(response, "_connection", None)
    wrapped = getattr(connection, "sock", None)
    plain = getattr(wrapped, "socket", wrapped)  # TLS in TLS, as through a proxy
    if isinstance(plain, socket.socket):
        with contextlib.suppress(OSError):
            socket.socket.shutdown(plain, socket.SHUT_RDWR)


def _ours(response: urllib3.BaseHTTPResponse) -> bool:
    """Whether the API server itself says so, and not a service behind its proxy: reads what an error says, and keeps it."""
    if "/proxy/" not in str(response.geturl() or ""):
        return True
    return status_of(response.data) is not None


def _pause(response: urllib3.BaseHTTPResponse, usual: float, *, twice: bool) -> float | None:
    """Seconds until the next try, as long as the server asks for; None for an answer that stays as it is.

    What a server was too busy for it has not done; what it failed at it may have done.
    """
    asked = response.headers.get("Retry-After", "")
    if response.status in _BUSY and asked.isdecimal():
        return float(asked)
    return usual if response.status == 429 or (twice and response.status in _FAILING) else None  # noqa: PLR2004 - too busy


def _broken(error: BaseException) -> bool:
    """Whether a kept connection had ended before it was used: the server or something between closed it."""
    return isinstance(error, urllib3.exceptions.ProtocolError | ConnectionResetError | BrokenPipeError)


def _drop(response: urllib3.BaseHTTPResponse) -> None:
    """Read what is left, so that the connection can be used again."""
    with contextlib.suppress(*PROBLEMS, MlopsError):
        response.drain_conn()
    response.release_conn()


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    """Names of headers in lower case."""
    return {key.lower(): value for key, value in headers.items()}

"""Requests to a registry: logged in, within limits of time, tried again when that can help, explained when it does not.

``http.client``, since this room travels into every step, and since it moves a gigabyte with a third of the processor time of
the libraries above it. One connection a request: a transfer is long, and a thread owns what it reads.
"""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urljoin, urlsplit

from jupyter_mlops.errors import NotAllowed, NotFound, PlatformError, StorageFull, Unavailable, WrongUsage
from jupyter_mlops.oci.credentials import basic_for, parse_challenge

TIMEOUT = 30.0
"""Seconds without a byte after which a connection counts as dead."""

ATTEMPTS = 4
"""Tries of one request, with pauses of 0.2, 0.4 and 0.8 seconds, or as long as the registry asks for, up to ``PATIENCE``."""

PATIENCE = 20.0
"""Seconds that a registry may ask for before the next try."""

REDIRECTS = frozenset({301, 302, 303, 307, 308})
TRY_AGAIN = frozenset({429, 500, 502, 503, 504})

Body = bytes | Callable[[], Iterable[bytes | memoryview]] | None
"""Bytes, or what makes the chunks anew for each try (with a Content-Length among the headers)."""


class Transport:
    """Requests to one registry. Safe for threads: what is shared is a dictionary of tokens."""

    def __init__(self, base: str) -> None:
        """``base``: scheme and host."""
        self._base = base
        self._host = urlsplit(base).netloc
        self._tokens: dict[str, str] = {}

    def ask(
        self, method: str, path: str, *, scope: str, headers: Mapping[str, str] | None = None, body: Body = None
    ) -> http.client.HTTPResponse:
        """Send a request until it is answered with success, and return the answer to be read and closed.

        Args:
            method: the verb.
            path: with the query, or a URL (a Location may lead anywhere).
            scope: names the token (``repository:NAME``), since registries give one for each repository.
            headers: besides those for logging in.
            body: what is sent.

        Raises:
            NotFound: 404.
            NotAllowed: 401 and 403.
            WrongUsage: other 4xx: the registry does not take it.
            StorageFull: 507.
            Unavailable: no answer, or errors of the registry, each time.
        """
        problem: Exception | str = ""
        for attempt in range(ATTEMPTS):
            pause = 0.2 * 2**attempt
            try:
                answer = self._follow(method, urljoin(self._base, path), scope, dict(headers or {}), body)
            except (OSError, http.client.HTTPException) as error:
                problem = error
            else:
                if answer.status not in TRY_AGAIN:
                    return _checked(answer, f"{method} {urljoin(self._base, path)}")
                problem = _reason(answer)
                asked = answer.headers.get("Retry-After", "")
                pause = min(float(asked), PATIENCE) if asked.isdecimal() else pause
            if attempt + 1 < ATTEMPTS:
                time.sleep(pause)
        raise Unavailable(
            f"the registry at {self._base} does not answer: {problem}",
            fix="Check the address and the network, and try again.",
        ) from (problem if isinstance(problem, Exception) else None)

    def _follow(self, method: str, url: str, scope: str, headers: dict[str, str], body: Body) -> http.client.HTTPResponse:
        """One request, logged in when asked to, and wherever it is redirected. Credentials never go to another host."""
        for _ in range(5):
            own = urlsplit(url).netloc == self._host
            answer = _send(method, url, {**headers, **self._login(scope, own)}, body)
            if answer.status == 401 and own:  # noqa: PLR2004 - unauthorized
                answer.close()
                self._log_in(scope, answer.headers.get("WWW-Authenticate", ""))
                answer = _send(method, url, {**headers, **self._login(scope, own)}, body)
            if answer.status not in REDIRECTS or "Location" not in answer.headers:
                return answer
            answer.close()
            url = urljoin(url, answer.headers["Location"])
        raise http.client.HTTPException("too many redirects")

    def _login(self, scope: str, own: bool) -> dict[str, str]:
        """The header that logs in, if there is one yet."""
        return {"Authorization": self._tokens[scope]} if own and scope in self._tokens else {}

    def _log_in(self, scope: str, header: str) -> None:
        """Get what the challenge asks for."""
        self._tokens.pop(scope, None)
        challenge, basic = parse_challenge(header), basic_for(self._host)
        if challenge.scheme == "basic" and basic:
            self._tokens[scope] = basic
        elif challenge.scheme == "bearer":
            with _send("GET", challenge.token_url, {"Authorization": basic} if basic else {}, None) as answer:
                if answer.status == 200:  # noqa: PLR2004 - OK
                    document = json.loads(answer.read())
                    self._tokens[scope] = f"Bearer {document.get('token') or document.get('access_token')}"


def _send(method: str, url: str, headers: Mapping[str, str], body: Body) -> http.client.HTTPResponse:
    """One request on a connection of its own, which the answer owns. Raises OSError, HTTPException."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            parts.netloc, timeout=TIMEOUT, context=ssl.create_default_context()
        )
    elif parts.scheme == "http":
        connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT)
    else:
        raise http.client.HTTPException(f"cannot ask {url}")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    data = body() if callable(body) else body
    try:
        connection.request(method, target, data, {"Connection": "close", **headers})
        return connection.getresponse()
    except BaseException:
        connection.close()
        raise


def _checked(answer: http.client.HTTPResponse, what: str) -> http.client.HTTPResponse:
    """The answer, if it is a success."""
    status = answer.status
    if status < 400:  # noqa: PLR2004 - all errors are above
        return answer
    reason = _reason(answer)
    if status == 404:  # noqa: PLR2004 - not found
        raise NotFound(f"{what}: {reason}", code="not-in-registry", fix="It was deleted, or never pushed there.")
    if status in {401, 403}:
        raise NotAllowed(f"{what}: {reason}", code="registry-login", fix="Log in with docker login, or set DOCKER_CONFIG.")
    if status == 507:  # noqa: PLR2004 - insufficient storage
        raise StorageFull(f"{what}: {reason}", fix="Free some space in the registry.")
    if status < 500:  # noqa: PLR2004 - errors of the client
        raise WrongUsage(f"{what}: {reason}", code="registry-refused", fix="The registry does not take this.")
    raise PlatformError(f"{what}: {reason}")


def _reason(answer: http.client.HTTPResponse) -> str:
    """What the registry says, in one line; closes the answer."""
    with answer:
        text = answer.read(65536)
    try:
        errors = json.loads(text)["errors"]
        return f"{answer.status} {errors[0].get('message') or errors[0].get('code')}"
    except (ValueError, LookupError, TypeError, AttributeError):
        return f"{answer.status} {answer.reason}"

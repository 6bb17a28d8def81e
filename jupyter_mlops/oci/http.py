"""Requests to a registry: logged in, within limits of time, tried again when that can help, explained when it does not.

Who reads is told soon that a registry is away: within 5 seconds where it gives no sign of life (``connection.py``). Who writes
has work to lose: once the registry has answered, a writer waits for it through a restart. One that was waited for in vain is
away for longer: the next writer is told soon, too, until it answers.
"""

from __future__ import annotations

import http.client
import random
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from urllib.parse import urljoin, urlsplit

from jupyter_mlops.errors import PlatformError, Unavailable
from jupyter_mlops.oci.connection import Answer, Body, Connections, Silent
from jupyter_mlops.oci.login import Login
from jupyter_mlops.oci.refusal import Words, is_full, refusal, words_of

ATTEMPTS = 4
"""Tries of one request, with pauses of about 0.2, 0.4 and 0.8 seconds, or as long as the registry asks for."""

PATIENT = 10
"""Tries of a writer, with pauses up to ``LONGEST``: about half a minute."""

LONGEST = 8.0
"""Seconds between two tries at most, unless the registry asks for more."""

REDIRECTS = frozenset({301, 302, 303, 307, 308})
TRY_AGAIN = frozenset({408, 429, 500, 502, 503, 504})

HALF_WRITTEN = "DIGEST_INVALID"
"""What Docker's registry 2.8 says of a manifest or tag that another client writes this moment: it writes them in place."""

READING = frozenset({"GET", "HEAD"})


class Patience:
    """How often something is tried again, and what is said in the end."""

    def __init__(self, base: str, tries: int, away: Callable[[], None]) -> None:
        """``away`` is called when it is given up."""
        self._base, self._tries, self._tried, self._away = base, tries, 0, away

    def reset(self) -> None:
        """It got on: count from the start."""
        self._tried = 0

    def wait(self, problem: Exception | Words, after: float = 0.0) -> None:
        """Pause before the next try; ``after``: seconds that the registry asks for, 0 for none.

        Raises:
            StorageFull, PlatformError, Unavailable: there is no next try.
        """
        self._tried += 1
        if self._tried >= self._tries or (isinstance(problem, Silent) and self._tries == ATTEMPTS):
            self._away()
            raise self.given_up(problem)
        pause = min(0.2 * 2 ** (self._tried - 1), LONGEST) * random.uniform(0.8, 1.2)  # noqa: S311 - spreads the load
        time.sleep(after or pause)

    def given_up(self, problem: Exception | Words) -> PlatformError:
        """The error for a registry that failed each time."""
        if isinstance(problem, Words):
            explained = refusal(problem, "a request to", self._base + "/v2/")
            if isinstance(explained, PlatformError) and type(explained) is not PlatformError:
                return explained
            return Unavailable(
                f"the registry at {self._base} does not answer as it should: {problem.text}",
                code="registry-failed",
                fix="Look into the registry's log, and try again.",
            )
        return explain(problem, self._base)


def explain(problem: Exception, base: str) -> PlatformError:
    """The error for a connection that did not come about, or broke."""
    host = urlsplit(base).netloc
    if isinstance(problem, ssl.SSLCertVerificationError):
        return Unavailable(
            f"the certificate of {host} is not trusted: {problem.verify_message}",
            code="registry-certificate",
            fix="Let SSL_CERT_FILE name the file with the certificate of its authority; for a target, set its CA.",
        )
    if base.startswith("https://") and isinstance(problem, (ssl.SSLError, ConnectionResetError)) and _speaks_plainly(base):
        return Unavailable(
            f"the registry at {host} speaks plain HTTP, not HTTPS",
            code="registry-plain-http",
            fix=f"If its network is safe, write the address as http://{host}; else give it a certificate.",
        )
    if isinstance(problem, socket.gaierror):
        why = f"no such host ({problem.strerror})"
    elif isinstance(problem, TimeoutError):
        why = "it does not answer in time"
    elif isinstance(problem, OSError) and "Tunnel connection failed" in str(problem):
        why = f"the proxy refuses: {str(problem).partition(': ')[2]}"
    else:
        why = str(problem) or type(problem).__name__
    return Unavailable(
        f"the registry at {base} cannot be reached: {why}", fix="Check the address, the network and proxies, and try again."
    )


class Transport:
    """Requests to one registry. Safe for threads."""

    def __init__(self, base: str) -> None:
        """``base``: scheme and host."""
        parts = urlsplit(base)
        self.base = f"{parts.scheme}://{parts.netloc}"
        self._own = _server(parts.scheme, parts.netloc)
        self._connections = Connections()
        self._login = Login(self.base, self._connections)
        self._seen = False

    def patience(self, *, patient: bool) -> Patience:
        """For who writes, once the registry has answered, a long one."""
        return Patience(self.base, PATIENT if patient and self._seen else ATTEMPTS, self._is_away)

    def _is_away(self) -> None:
        """It has not answered for as long as somebody waited."""
        self._seen = False

    def ask(
        self,
        method: str,
        path: str,
        *,
        scope: str,
        headers: Mapping[str, str] | None = None,
        body: Body = None,
        patient: bool = False,
    ) -> Answer:
        """Send a request until it is answered with success, and return the answer to be read and closed.

        Args:
            method: the verb.
            path: with the query, or a URL (a Location may lead anywhere).
            scope: names the token (``repository:NAME``), since registries give one for each repository.
            headers: besides those for logging in.
            body: what is sent; the request must mean the same when it is sent twice.
            patient: wait for a registry that has answered before.

        Raises:
            NotFound: 404.
            NotAllowed: 401 (``registry-login``) and 403 (``registry-forbidden``).
            WrongUsage: other 4xx: the registry does not take it.
            StorageFull: no room, or a quota.
            Unavailable: no answer, or errors of the registry, each time.
        """
        patience = self.patience(patient=patient)
        while True:
            try:
                answer = self.once(method, path, scope=scope, headers=headers, body=body)
            except (OSError, http.client.HTTPException) as error:
                patience.wait(error)
                continue
            if answer.status < 400:  # noqa: PLR2004 - all errors are above
                return answer
            after, said = answer.asks_for, words_of(answer)
            once_more = said.status in TRY_AGAIN or (method != "DELETE" and said.code == HALF_WRITTEN)
            if not once_more or is_full(said):
                raise self.refused(said, method, path)
            patience.wait(said, after)

    def once(self, method: str, path: str, *, scope: str, headers: Mapping[str, str] | None = None, body: Body = None) -> Answer:
        """One request, logged in when asked to, and wherever it is redirected; the answer may be any.

        Raises:
            OSError, HTTPException: the connection broke; trying again can help.
            NotAllowed, Unavailable: the login cannot be had; or what no second try changes (``registry-certificate``,
                ``registry-plain-http``).
        """
        url, asked = self.url(path), dict(headers or {})
        for _ in range(6):
            try:
                answer = self._logged_in(method, url, scope, asked, body)
            except ssl.SSLError as error:
                explained = explain(error, self.base)
                if explained.code != explained.default_code:
                    raise explained from error
                raise
            self._seen = True
            if answer.status not in REDIRECTS or "Location" not in answer.headers:
                return answer
            answer.close()
            url = self._at_home(urljoin(url, answer.headers["Location"]))
        raise http.client.HTTPException("too many redirects")

    def url(self, path: str) -> str:
        """The URL of a path or of a Location, which may be relative, or name this registry as it sees itself."""
        return self._at_home(urljoin(self.base, path))

    def refused(self, said: Words, method: str, path: str) -> Exception:
        """The error for an answer of 400 or more."""
        return refusal(said, method, self.url(path), self._login.why if said.status in {401, 403} else "")

    def _logged_in(self, method: str, url: str, scope: str, headers: dict[str, str], body: Body) -> Answer:
        """One request; a second time when the registry asks for a login. Credentials never go to another host."""
        own, write = self._is_own(url), method not in READING
        login = self._login.header(scope, write=write) if own else None
        answer = self._connections.send(method, url, {**headers, **({"Authorization": login} if login else {})}, body)
        if answer.status != 401 or not own:  # noqa: PLR2004 - unauthorized
            return answer
        try:
            renewable = self._login.renew(scope, answer.headers.get("WWW-Authenticate", ""), login, write=write)
        except BaseException:
            answer.close()
            raise
        if not renewable:
            return answer
        answer.close()
        renewed = self._login.header(scope, write=write) or ""
        answer = self._connections.send(method, url, {**headers, "Authorization": renewed}, body)
        if answer.status == 401 and "insufficient_scope" in answer.headers.get("WWW-Authenticate", ""):  # noqa: PLR2004
            answer.status = 403  # the login is right, and may not do this
        return answer

    def _is_own(self, url: str) -> bool:
        parts = urlsplit(url)
        return _server(parts.scheme, parts.netloc) == self._own

    def _at_home(self, url: str) -> str:
        """A URL of this host with the scheme that it is reached by: behind a gateway with TLS some write ``http://``."""
        parts = urlsplit(url)
        mine = urlsplit(self.base)
        if parts.scheme == "http" and mine.scheme == "https" and parts.hostname == mine.hostname:
            return parts._replace(scheme=mine.scheme, netloc=mine.netloc).geturl()
        return url

    def close(self) -> None:
        """End the connections that wait."""
        self._connections.close()


def _server(scheme: str, netloc: str) -> tuple[str, str]:
    """What makes two URLs lead to the same server."""
    standard = {"http": ":80", "https": ":443"}.get(scheme, "")
    return scheme, netloc.lower().removesuffix(standard)


def _speaks_plainly(base: str) -> bool:
    """Whether the server of an https address answers plain HTTP."""
    parts = urlsplit(base)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 443), timeout=2.0) as plain:
            plain.sendall(f"HEAD /v2/ HTTP/1.0\r\nHost: {parts.netloc}\r\n\r\n".encode())
            start = plain.recv(64)
    except OSError:
        return False
    return start.startswith(b"HTTP/") and b" 400" not in start[:16]

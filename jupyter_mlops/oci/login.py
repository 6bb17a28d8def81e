"""Logging in: what a registry's challenge asks for is got once, kept while it lasts, and got anew when it is refused.

A token is for one repository, and for reading or for writing; one for writing serves readers too. Nothing is sent before the
registry asks for it, and a password never over plain HTTP to a token service of a registry that itself has TLS.
"""

from __future__ import annotations

import http.client
import json
import re
import threading
import time
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

from jupyter_mlops.errors import NotAllowed, Unavailable
from jupyter_mlops.oci.connection import Connections, Silent
from jupyter_mlops.oci.credentials import Credential, credential_for

LIFETIME = 60.0
"""Seconds that a token lasts if its service does not say: so the specification of tokens has it."""

MARGIN = 10.0
"""Seconds before its end from which on a token is not used, for the request must arrive before it."""

FOREVER = float("inf")
CLIENT = "jupyter-mlops"
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')


class Challenge(NamedTuple):
    """``WWW-Authenticate`` of a 401: ``scheme`` is basic or bearer, ``''`` for neither."""

    scheme: str
    parameters: Mapping[str, str]


class _Token(NamedTuple):
    header: str
    until: float


def parse_challenge(header: str) -> Challenge:
    """The challenge of a header; of several the strongest that is understood."""
    found = {}
    for match in re.finditer(r"(?i)\b(basic|bearer)\b\s+((?:\w+=\"[^\"]*\"[,\s]*)*)|\b(basic)\b", header):
        found[(match[1] or match[3]).lower()] = dict(_PARAMETER.findall(match[2] or ""))
    scheme = next((each for each in ("bearer", "basic") if each in found), "")
    return Challenge(scheme, found.get(scheme, {}))


class Login:
    """The logins of one registry. Safe for threads."""

    def __init__(self, base: str, connections: Connections) -> None:
        """``base``: scheme and host."""
        self._base, self._host = base, urlsplit(base).netloc
        self._connections = connections
        self._tokens: dict[tuple[str, bool], _Token] = {}
        self._lock = threading.Lock()
        self.why = ""
        """What is known about the login that was tried last, for an error; never a secret."""

    def header(self, scope: str, *, write: bool) -> str | None:
        """``Authorization`` for a request, if there is one yet that lasts."""
        for kind in (True, False) if not write else (True,):
            token = self._tokens.get((scope, kind))
            if token is not None and time.monotonic() < token.until:
                return token.header
        return None

    def renew(self, scope: str, challenge: str, refused: str | None, *, write: bool) -> bool:
        """Get what a challenge asks for; False if nothing new can be had.

        Args:
            scope: ``repository:NAME``, with a space and another one for a mount, or whatever names what is asked for.
            challenge: the header.
            refused: the header that was sent, if one was.
            write: whether the request changes something.

        Raises:
            NotAllowed: code ``registry-login``: the token service does not take the login.
            Unavailable: it does not answer.
        """
        asked = parse_challenge(challenge)
        with self._lock:
            current = self.header(scope, write=write)
            if current is not None and current != refused:
                return True  # another thread was faster
            known = credential_for(self._host, scope.partition(" ")[0].partition(":")[2])
            self.why = _why(known)
            self._tokens.pop((scope, write), None)
            self._tokens.pop((scope, True), None)
            token = None
            if known.bearer:
                token = _Token(f"Bearer {known.bearer}", FOREVER)
            elif asked.scheme == "basic" and known.basic:
                token = _Token(f"Basic {known.basic}", FOREVER)
            elif asked.scheme == "bearer":
                token = self._token(asked.parameters, known, scope, write=write)
            if token is None or token.header == refused:
                return False
            self._tokens[scope, write] = token
            return True

    def _token(self, asked: Mapping[str, str], known: Credential, scope: str, *, write: bool) -> _Token | None:
        """Ask the token service: with an identity token by POST, else with the password, or without any, by GET."""
        realm = asked.get("realm", "")
        if (known.basic or known.refresh) and self._base.startswith("https://") and not realm.startswith("https://"):
            self.why = f"The registry asks for the password to be sent to {urlsplit(realm).netloc} without TLS; it was not."
            return None
        actions = ["pull,push" if write else "pull", *("pull" for _ in scope.split()[1:])]
        usual = " ".join(f"{part}:{action}" for part, action in zip(scope.split(), actions, strict=True))
        scopes = (asked.get("scope") or usual).split()
        fields = [("service", asked["service"])] if asked.get("service") else []
        if known.refresh:
            form = [*fields, ("scope", " ".join(scopes)), ("grant_type", "refresh_token"), ("client_id", CLIENT)]
            body = urlencode([*form, ("refresh_token", known.refresh)]).encode()
            return self._ask("POST", realm, {"Content-Type": "application/x-www-form-urlencoded"}, body)
        url = f"{realm}{'&' if '?' in realm else '?'}{urlencode([*fields, *(('scope', each) for each in scopes)])}"
        return self._ask("GET", url, {"Authorization": f"Basic {known.basic}"} if known.basic else {}, None)

    def _ask(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> _Token | None:
        service = urlsplit(url).netloc
        status, data = self._exchange(method, url, headers, body)
        if status in {400, 401, 403}:
            raise NotAllowed(
                f"{service} gives no token for {self._host}: {status}. {self.why}".rstrip(),
                code="registry-login",
                fix=f"Log in: docker login {self._host}; in a cluster, name a pull secret that holds a login for {self._host}.",
            )
        try:
            document = json.loads(data) if status == 200 else {}  # noqa: PLR2004 - OK
            text = document.get("token") or document.get("access_token")
            lasts = float(document.get("expires_in") or LIFETIME)
        except (ValueError, TypeError, AttributeError):
            text, lasts = None, 0.0
        if not isinstance(text, str) or not text or not text.isprintable():
            self.why = f"{service} answered {status} instead of a token."
            return None
        return _Token(f"Bearer {text}", time.monotonic() + max(lasts - MARGIN, lasts / 2))

    def _exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> tuple[int, bytes]:
        """Ask, and once more where that can help."""
        problem: Exception | str = ""
        for pause in (0.2, 0.8, 0.0):
            after = 0.0
            try:
                with self._connections.send(method, url, headers, body) as answer:
                    if answer.status < 500 and answer.status != 429:  # noqa: PLR2004 - neither broken nor busy
                        return answer.status, answer.read(1 << 20)
                    problem, after = f"{answer.status} {answer.reason}", answer.asks_for
            except Silent as error:
                problem = error
                break
            except (OSError, http.client.HTTPException) as error:
                problem = error
            if pause:
                time.sleep(after or pause)
        raise Unavailable(
            f"the token service {urlsplit(url).netloc} of {self._host} does not answer: {problem}",
            fix="Check the network, and try again.",
        )


def _why(known: Credential) -> str:
    """Where a login came from, or why there is none."""
    if known:
        return f"The login from {known.source} was used."
    return f"No login is known: {known.problem}." if known.problem else "No login is known."

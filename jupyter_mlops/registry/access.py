"""Who may use the HTTP server, and whether to write: whoever knows a token, as a password or as a bearer token.

Every tool of containers can log in with a password (``docker login``, ``skopeo --creds``, ``oras login``). Without a token
the server still answers only to this machine's own names, and to no page of a browser: otherwise any web site could
read and write models through the browser of whoever visits it.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from jupyter_mlops.errors import NotAllowed
from jupyter_mlops.registry.rights import WRITE, Right, Rights
from jupyter_mlops.registry.users import User, Users

USER = "mlops"
"""User name to log in with where there is one token for all; any other is taken too, since only the token counts."""

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
READING = frozenset({"GET", "HEAD"})


def new_token() -> str:
    """A token that cannot be guessed (192 bits)."""
    return secrets.token_urlsafe(24)


@dataclass(frozen=True, slots=True)
class Access:
    """The rule of one server: one token for all, users with tokens of their own, or neither: this machine alone."""

    token: str | None = None
    users: Users | None = None

    @property
    def is_open(self) -> bool:
        """Whether nobody has to log in."""
        return self.token is None and self.users is None

    def refusal(self, method: str, headers: Mapping[str, str], repository: str = "") -> NotAllowed | None:
        """Why a request may not be served; None if it may. ``repository``: the one that it is about; '' for none.

        Codes: ``login-required`` (401), ``not-allowed`` (another host's name, a browser, or another's repository, be it there or
        not), ``read-only-token``.
        """
        if self.is_open:
            host = urlsplit(f"//{headers.get('Host', '')}").hostname
            if host in LOOPBACK and "Origin" not in headers:
                return None
            return NotAllowed("only programs of this machine may use this registry", fix="Start it with a password.")
        user = self._user(headers.get("Authorization", ""))
        if user is None:
            return NotAllowed("log in with a token of this registry", code="login-required", fix="Use docker login or oras login.")
        if method not in READING and not user.rights.may_write:
            return NotAllowed(f"{user.name} may only read here", code="read-only-token", fix="Use a token that may write.")
        right: Right = "read" if method in READING else "write"
        if repository and not user.rights.may(right, repository):
            fix = "Ask whoever keeps the file of users for a right to it."
            return NotAllowed(f"{user.name} may not {right} {repository}", code="not-allowed", fix=fix)
        return None

    def rights(self, headers: Mapping[str, str]) -> Rights:
        """What who asks may read and write; of a request that may be served."""
        user = None if self.is_open else self._user(headers.get("Authorization", ""))
        return user.rights if user else Rights((WRITE,) if self.is_open else ())

    def _user(self, header: str) -> User | None:
        """Whoever an ``Authorization`` header shows."""
        name, token = _given(header)
        if not token:
            return None
        if self.token is not None and secrets.compare_digest(token.encode(), self.token.encode()):
            return User(USER, Rights((WRITE,)))
        return self.users.who(name, token) if self.users else None


def _given(header: str) -> tuple[str | None, str]:
    """User name (None: a bearer token has none) and token of an ``Authorization`` header; '' if it shows none."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return None, value.strip()
    if scheme.lower() == "basic":
        try:
            name, _, token = base64.b64decode(value, validate=True).decode().partition(":")
        except ValueError:  # no base64, or no text in it
            return None, ""
        return name, token
    return None, ""

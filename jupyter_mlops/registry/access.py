"""Who may use the HTTP server: whoever knows its token, as a password or as a bearer token.

Every tool of containers can log in with a password (``docker login``, ``skopeo --creds``, ``oras login``). Without a token
the server still answers only to this machine's own names, and to no page of a browser: otherwise any web site could
read and write models through the browser of whoever visits it.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Mapping
from urllib.parse import urlsplit

USER = "mlops"
"""User name to log in with; any other is taken too, since only the token counts."""

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def new_token() -> str:
    """A token that cannot be guessed (192 bits)."""
    return secrets.token_urlsafe(24)


def allowed(headers: Mapping[str, str], token: str | None) -> bool:
    """Whether a request with these headers may be served; token None: those of this machine, no browsers."""
    if token is None:
        host = urlsplit(f"//{headers.get('Host', '')}").hostname
        return host in LOOPBACK and "Origin" not in headers
    given = _given(headers.get("Authorization", ""))
    return given is not None and secrets.compare_digest(given.encode(), token.encode())


def _given(header: str) -> str | None:
    """The token of an ``Authorization`` header."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return None
    return None

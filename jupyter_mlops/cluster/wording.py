"""Texts of others, made fit to be shown: no secret in them, and not longer than a person reads."""

from __future__ import annotations

import re

_SECRETS = (
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.?[\w-]*"), "…"),  # a JSON Web Token, the form of every service account's token
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), r"\1 …"),
    # JSON and forms only: "secret: not found" is what a server says, and no secret.
    (re.compile(r"(?i)\b(password|passwd|(?:id_|access_|refresh_)?token|client_secret)(\"\s*:\s*\"|=)[^\s\"'&,}]+"), r"\1\2…"),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), "…"),
    (re.compile(r"(?<=://)[^/\s@:]+:[^/\s@]+@"), "…@"),  # user:password@ of an address
)


def without_secrets(text: str) -> str:
    """The text with what looks like a token, a password or a private key taken out."""
    for pattern, shown in _SECRETS:
        text = pattern.sub(shown, text)
    return text


def shortened(text: str, longest: int = 2000) -> str:
    """One paragraph of at most ``longest`` characters: the beginning says what, the end often why."""
    plain = without_secrets(text).strip()
    return plain if len(plain) <= longest else f"{plain[: longest * 2 // 3]} … {plain[-longest // 3 :]}"

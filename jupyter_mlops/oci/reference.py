"""Names of repositories and tags, by the rules of the distribution specification, and addresses of registries.

Both become paths of files and of URLs, so that nothing unchecked may reach either.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from jupyter_mlops.errors import WrongUsage
from jupyter_mlops.oci.digest import is_digest

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")

MAX_REPOSITORY = 200
"""Characters. The specification asks for fewer than 255 with the host; the rest is left for one."""

NAME_RULE = (
    "Use lower-case letters and digits, joined by single '.', '_' or '-' (such as churn or churn-model.v2); '/' separates folders."
)
TAG_RULE = "A tag has at most 128 letters, digits, '.', '_' and '-', and starts with a letter, a digit or '_'."


class Reference(NamedTuple):
    """``repository`` and ``target``, a tag or a digest (``""``: none was given)."""

    repository: str
    target: str


def check_repository(name: str) -> str:
    """The name, if it can be one of a repository.

    Raises:
        WrongUsage: code ``invalid-name``; the fix says the rule.
    """
    if len(name) > MAX_REPOSITORY:
        raise WrongUsage(
            f"the repository name {name[:40]!r}… is too long ({len(name)} characters)",
            code="invalid-name",
            fix=f"A repository name has at most {MAX_REPOSITORY} characters.",
        )
    if not _REPOSITORY.fullmatch(name):
        raise WrongUsage(f"{name!r} is not a valid repository name", code="invalid-name", fix=NAME_RULE)
    return name


def check_tag(tag: str) -> str:
    """The tag, if it can be one.

    Raises:
        WrongUsage: code ``invalid-name``; the fix says the rule.
    """
    if not is_tag(tag):
        raise WrongUsage(f"{tag!r} is not a valid tag", code="invalid-name", fix=TAG_RULE)
    return tag


def is_tag(text: str) -> bool:
    """Whether a text can be a tag."""
    return _TAG.fullmatch(text) is not None


def split_reference(text: str) -> Reference:
    """``REPOSITORY[:TAG]`` or ``REPOSITORY@DIGEST`` in its parts, each checked. There is no host in it.

    Raises:
        WrongUsage: code ``invalid-name`` or ``invalid-digest``.
    """
    name, at, digest = text.partition("@")
    if at:
        if not is_digest(digest):
            raise WrongUsage(
                f"{digest!r} is not a digest",
                code="invalid-digest",
                fix="A digest is sha256: and 64 hexadecimal digits, or sha512: and 128.",
            )
        return Reference(check_repository(name), digest)
    name, colon, tag = text.partition(":")
    return Reference(check_repository(name), check_tag(tag) if colon else "")


def check_address(address: str) -> str:
    """An address of a registry, if it can be one.

    Raises:
        WrongUsage: code ``invalid-address``. A password in it is refused, since addresses stand in documents.
    """
    try:
        parts = urlsplit(address)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        sound = False
        parts = urlsplit("")
    if not sound or parts.username is not None or parts.query or parts.fragment:
        shown = "an address with a password" if parts.username is not None else repr(address)
        raise WrongUsage(
            f"{shown} is not the address of a registry",
            code="invalid-address",
            fix="Write https://HOST[:PORT][/BASE], or http:// where the registry has no TLS; log in with docker login.",
        )
    if path := parts.path.strip("/"):
        check_repository(path)
    return address

"""What can be said about a target, and how each value is read: from a file, a variable, a ConfigMap or a command line.

All four say the same few things under the same names, as text. Here a name that is not one is met with the nearest that is,
and a value that cannot be right is refused before anything depends on it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

from jupyter_mlops.errors import Where, WrongUsage

KEYS = ("namespace", "registry", "registry_here", "image", "service_account", "pull_secret", "mirrors", "ca", "queue")
"""The settings of a target, in the order in which they are shown; fields of ``settings.Target``."""

_ADDRESSES, _NAMES = ("registry", "registry_here"), ("service_account", "pull_secret", "ca", "queue")
_OBJECT = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_PATH = re.compile(r"(/[a-z0-9]+([._-]+[a-z0-9]+)*)*/?")


def check_key(key: str) -> str:
    """The key, with ``-`` for ``_`` understood.

    Raises:
        WrongUsage: code ``unknown-setting``; the fix names the nearest.
    """
    name = key.replace("-", "_")
    if name in KEYS:
        return name
    near = get_close_matches(name, KEYS, 1)
    meant = f"Did you mean {near[0]}? " if near else ""
    raise WrongUsage(
        f"a target has no setting {key!r}",
        code="unknown-setting",
        fix=f"{meant}The settings are {', '.join(KEYS)}.",
        where=_at(key),
    )


def check_value(key: str, value: Any) -> str | dict[str, str]:
    """A setting's value as ``Target`` has it; '' (for mirrors: none) takes a setting back.

    Args:
        key: one of ``KEYS``.
        value: text, or for ``mirrors`` also a mapping.

    Raises:
        WrongUsage: code ``invalid-setting``: it cannot be right.
    """
    if key == "mirrors":
        return _mirrors(value)
    if not isinstance(value, str):
        raise _invalid(key, value, "It is a text.")
    text = value.strip()
    if not text:
        return ""
    if key in _ADDRESSES:
        return _address(key, text)
    if key == "namespace" and not _NAMESPACE.fullmatch(text):
        raise _invalid(key, text, "A namespace has small letters, digits and '-', at most 63 of them.")
    if key in _NAMES and not _OBJECT.fullmatch(text):
        raise _invalid(key, text, "It is the name of an object in the namespace: small letters, digits, '-' and '.'.")
    if any(character.isspace() for character in text):
        raise _invalid(key, text, "It holds no space.")
    return text


def assignment(text: str) -> tuple[str, str]:
    """``key=value`` of a command line.

    Raises:
        WrongUsage: no ``=`` in it, or a key that is none.
    """
    key, equals, value = text.partition("=")
    if not equals:
        raise WrongUsage(
            f"not KEY=VALUE: {text!r}", fix="Write for example registry=https://registry.example.com; KEY= takes a setting back."
        )
    return check_key(key.strip()), value


def _address(key: str, text: str) -> str:
    """An address with its scheme: https unless it says otherwise, since plain HTTP has to be meant."""
    address = text if "://" in text else f"https://{text}"
    parts = urlsplit(address)
    try:
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if parts.username or parts.password:
        raise WrongUsage(
            f"{key} holds a user or a password",
            code="invalid-setting",
            fix="Put them into the pull secret, and on this machine into ~/.docker/config.json (docker login).",
            where=_at(key),
        )
    if not good or parts.query or parts.fragment or not _PATH.fullmatch(parts.path):
        raise _invalid(key, text, "An address is https://HOST[:PORT][/FOLDER], or http://… for a registry without TLS.")
    return address.rstrip("/")


def _mirrors(value: Any) -> dict[str, str]:
    """``prefix=replacement`` pairs: a mapping, its JSON, or pairs apart by commas or lines."""
    if isinstance(value, Mapping):
        found = {str(key): str(to) for key, to in value.items()}
    else:
        text = str(value or "").strip()
        if text.startswith("{"):
            try:
                return _mirrors(json.loads(text))
            except ValueError as error:
                raise _invalid("mirrors", text, 'As JSON: {"docker.io/": "mirror.example.com/dockerhub/"}.') from error
        pairs = [part.strip() for part in re.split(r"[,\n]", text) if part.strip()]
        if wrong := [pair for pair in pairs if "=" not in pair]:
            raise _invalid("mirrors", wrong[0], "Write docker.io/=mirror.example.com/dockerhub/, more of them apart by commas.")
        found = {prefix.strip(): to.strip() for prefix, _, to in (pair.partition("=") for pair in pairs)}
    if any(not prefix or not to or re.search(r"\s", prefix + to) for prefix, to in found.items()):
        raise _invalid("mirrors", str(value), "Each has the start of an image and what stands there instead.")
    return found


def _invalid(key: str, value: Any, fix: str) -> WrongUsage:
    return WrongUsage(f"{value!r} cannot be the {key} of a target", code="invalid-setting", fix=fix, where=_at(key))


def _at(key: str) -> Where:
    return Where(field=key)

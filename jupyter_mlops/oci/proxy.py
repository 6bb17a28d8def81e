"""Which HTTP proxy a request goes through: ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY``, read as Go's tools read them.

The standard library knows no networks (``10.0.0.0/8``) in ``NO_PROXY``, which clusters write there.
"""

from __future__ import annotations

import base64
import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from jupyter_mlops.errors import WrongUsage


@dataclass(frozen=True)
class Proxy:
    """``host`` and ``port`` of a proxy; ``headers`` log in to it."""

    host: str
    port: int
    tls: bool = False
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)


def proxy_for(scheme: str, host: str, port: int, environ: Mapping[str, str] = os.environ) -> Proxy | None:
    """The proxy for a server, or None: this machine is always reached directly.

    Raises:
        WrongUsage: code ``invalid-proxy``: the variable holds no address of a proxy.
    """
    name = f"{scheme}_proxy"
    text = environ.get(name) or environ.get(name.upper()) or ""
    if not text or _direct(host.lower(), port, environ.get("no_proxy") or environ.get("NO_PROXY") or ""):
        return None
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        found = parts.hostname, parts.port
    except ValueError:
        found = None, None
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not found[0] or (parts.scheme == "https" and scheme == "https"):
        raise WrongUsage(
            f"{name.upper()} holds no address of a proxy that can be used",
            code="invalid-proxy",
            fix=f"Write {name.upper()}=http://HOST:PORT, or add {host} to NO_PROXY.",
        )
    login = {}
    if parts.username:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        login = {"Proxy-Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
    tls = parts.scheme == "https"
    return Proxy(found[0], found[1] or (443 if tls else 80), tls, login)


def _direct(host: str, port: int, exceptions: str) -> bool:
    """Whether ``NO_PROXY`` names the host, or it is this machine."""
    address = _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    for entry in exceptions.lower().replace(",", " ").split():
        if entry == "*" or (address is not None and _holds(entry, address)):
            return True
        name, colon, only = entry.rpartition(":")
        if colon and only.isdecimal() and "]" not in only:
            if int(only) != port:
                continue
            entry = name  # noqa: PLW2901 - the entry without its port
        bare = entry.removeprefix("*").removeprefix(".")
        if (host == bare and not entry.startswith(".")) or host.endswith(f".{bare}"):
            return True
    return False


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _holds(entry: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an entry is a network that holds the address, or the address itself."""
    try:
        return address in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False

"""What to log in to a registry with: the ``auths`` of Docker's configuration, which ``docker login`` and Kubernetes write.

A secret is read when it is asked for, given to the host it belongs to, and kept nowhere.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

_PARAMETER = re.compile(r'(\w+)="([^"]*)"')


class Challenge(NamedTuple):
    """``WWW-Authenticate`` of a 401: ``scheme`` is basic or bearer."""

    scheme: str
    parameters: Mapping[str, str]

    @property
    def token_url(self) -> str:
        """Where a bearer token is had."""
        asked = {key: value for key in ("service", "scope") if (value := self.parameters.get(key))}
        realm = self.parameters.get("realm", "")
        return f"{realm}{'&' if '?' in realm else '?'}{urlencode(asked)}"


def parse_challenge(header: str) -> Challenge:
    """The challenge of a ``WWW-Authenticate`` header; scheme ``""`` when there is none."""
    scheme, _, rest = header.partition(" ")
    return Challenge(scheme.lower(), dict(_PARAMETER.findall(rest)))


def basic_for(host: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """``Basic …`` for a host (with its port), from ``$DOCKER_CONFIG/config.json`` or ``~/.docker``; None: nothing is known."""
    folder = Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME", "/")) / ".docker")
    try:
        auths = json.loads((folder / "config.json").read_text(encoding="utf-8"))["auths"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    names = (
        ("https://index.docker.io/v1/", "docker.io")
        if host == "registry-1.docker.io"
        else (host, f"https://{host}", f"http://{host}")
    )
    for name in names:
        entry = auths.get(name) if isinstance(auths, dict) else None
        if isinstance(entry, dict):
            if entry.get("auth"):
                return f"Basic {entry['auth']}"
            if entry.get("username"):
                pair = f"{entry['username']}:{entry.get('password', '')}"
                return "Basic " + base64.b64encode(pair.encode()).decode()
    return None

"""Where a service is reached: through a Jupyter Server of this user if one runs, else at its own loopback address.

The address is given without a token: a person who opens it is logged in already, a script has its own.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from jupyter_mlops.serving.base import Service

PATIENCE = 1.0
"""Seconds for a server to answer: it is on this machine."""


def front_doors() -> Sequence[str]:
    """Addresses of the running servers of this user that have this extension, the newest first."""
    found = [server for server in _running() if server.get("url")]
    if not found:
        return ()
    with ThreadPoolExecutor(min(8, len(found))) as pool:
        serving = list(pool.map(_serves, found))
    return tuple(str(server["url"]) for server, yes in zip(found, serving, strict=True) if yes)


def url_of(service: Service, doors: Sequence[str]) -> str:
    """The address that a person can call."""
    if not doors:
        return service.url
    return f"{doors[0].rstrip('/')}/jupyter-mlops/serve/{quote(service.namespace)}/{quote(service.name)}"


def _running() -> list[dict[str, Any]]:
    """What running servers wrote about themselves; read directly, since importing Jupyter Server takes longer than all of this."""
    from pathlib import Path

    from jupyter_core.paths import jupyter_runtime_dir

    files = sorted(Path(jupyter_runtime_dir()).glob("jpserver-*.json"), key=_changed, reverse=True)
    found = []
    for file in files:
        try:
            server = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(server, dict):
            found.append(server)
    return found


def _changed(file: Any) -> float:
    try:
        return float(file.stat().st_mtime)
    except OSError:
        return 0.0


def _serves(server: dict[str, Any]) -> bool:
    """Whether it is alive and has the extension."""
    request = urllib.request.Request(  # noqa: S310  (the address comes from a file in the user's own runtime folder, and is checked)
        f"{str(server['url']).rstrip('/')}/jupyter-mlops/api/v1/status",
        headers={"Authorization": f"token {server.get('token', '')}"},
    )
    if request.type not in {"http", "https"}:
        return False
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
            return bool(answer.status == 200)  # noqa: PLR2004
    except (OSError, ValueError, urllib.error.URLError):
        return False

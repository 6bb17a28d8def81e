"""Who we are to a cluster, now: credentials with their end, and the connections opened with them.

Credentials end while a Jupyter Server runs for weeks: a plugin's token after 15 minutes, a mounted one after an hour, a
client certificate after a year. A session says when it is stale; whoever sends takes a new one then (``wire.py``).
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlops.cluster.kubeconfig import IN_CLUSTER, Access
from jupyter_mlops.cluster.plugin import run_plugin
from jupyter_mlops.errors import NotAllowed

if TYPE_CHECKING:
    import urllib3

EARLY = 30.0
"""Seconds before its end at which a credential is replaced, so that a request on its way does not meet the end."""

Stamp = tuple[int, int, int]


@dataclass(slots=True, eq=False)
class Session:
    """Open connections and the headers that log in. ``repr`` shows neither."""

    pool: urllib3.PoolManager = field(repr=False)
    headers: Callable[[], Mapping[str, str]] = field(repr=False)
    expires: float | None = None
    """Seconds since the epoch."""

    files: Mapping[Path, Stamp] = field(default_factory=dict)
    """Files that the credentials came from, as they were."""

    opened: float = field(default_factory=time.time)

    def stale(self) -> bool:
        """Whether new credentials are there or needed."""
        if self.expires is not None and time.time() > max(self.expires - EARLY, self.opened + 1.0):
            return True
        return any(stamp_of(file) not in {stamp, None} for file, stamp in self.files.items())


@dataclass(frozen=True, slots=True)
class Identity:
    """A kubeconfig's user with everything found out that had to be: files read, plugin run."""

    user: Mapping[str, Any] = field(repr=False)
    """As a kubeconfig's ``user``, with token or certificate; what the client library loads."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    expires: float | None = None
    files: Mapping[Path, Stamp] = field(default_factory=dict)


def identify(access: Access, environ: Mapping[str, str]) -> Identity:
    """Find out the credentials of a context: read its files, run its plugin.

    Raises:
        NotAllowed: there is no login to be had (``cluster-login``).
    """
    user = dict(access.user)
    headers = _impersonation(user)
    files = {
        Path(user[key]): stamp
        for key in ("client-certificate", "tokenFile")
        if user.get(key) and (stamp := stamp_of(Path(user[key])))
    }
    if user.get("tokenFile"):  # comes before a token beside it, as with kubectl
        user["token"] = _token_from(Path(user.pop("tokenFile")))
    elif "exec" in user and not user.get("token"):
        given = run_plugin(user.pop("exec"), access.cluster, access.folder, environ)
        if given.token:
            user["token"] = given.token
        if given.certificate:
            user["client-certificate-data"] = base64.b64encode(given.certificate.encode()).decode()
            user["client-key-data"] = base64.b64encode(given.key.encode()).decode()
        return Identity(user, headers, given.expires, files)
    return Identity(user, headers, None, files)


def stamp_of(file: Path) -> Stamp | None:
    """What changes when a file does, also where a link is set to another one, as kubelet does."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size


def login_hint(access: Access) -> str:
    """How this person logs in again, in a sentence."""
    user = access.user
    ended = _token_end(str(user.get("token") or ""))
    since = f" The token in the kubeconfig ended at {ended}." if ended else ""
    if access.context == IN_CLUSTER:
        return "The pod's service account was deleted or its token revoked: restart the pod."
    if "exec" in user:
        command = os.path.basename(str(user["exec"].get("command", "")))  # noqa: PTH119 - a name, not a path here
        return f"Log in again with the tool that {command} belongs to; kubectl must work in a terminal."
    if "auth-provider" in user:
        return "Log in again with the tool of your identity provider; kubectl must work in a terminal."
    if user.get("tokenFile"):
        return f"The token in {user['tokenFile']} no longer counts: get a new one."
    if user.get("client-certificate") or user.get("client-certificate-data"):
        return "The client certificate in the kubeconfig no longer counts: get the kubeconfig anew."
    if not user:
        return "The context names no user: get the kubeconfig anew."
    return f"Log in again (oc login, az login, …) or get the kubeconfig anew.{since}"


def _impersonation(user: dict[str, Any]) -> dict[str, str]:
    """Headers of ``as`` and its kin, which the client library leaves out: we would have more rights than were meant."""
    headers = {}
    if user.get("as"):
        headers["Impersonate-User"] = str(user["as"])
    if user.get("as-uid"):
        headers["Impersonate-Uid"] = str(user["as-uid"])
    groups = user.get("as-groups") or []
    if len(groups) > 1:
        raise NotAllowed("the kubeconfig impersonates several groups", code="cluster-login", fix="Name one group in as-groups.")
    if groups:
        headers["Impersonate-Group"] = str(groups[0])
    return headers


def _token_from(file: Path) -> str:
    """The token in a file."""
    try:
        token = file.read_text("utf-8").strip()
    except OSError as error:
        raise NotAllowed(
            f"the token file {file} cannot be read: {error.strerror}", code="cluster-login", fix="Log in to the cluster again."
        ) from error
    if not token:
        raise NotAllowed(f"the token file {file} is empty", code="cluster-login", fix="Log in to the cluster again.")
    return token


def _token_end(token: str) -> str:
    """When a JSON Web Token ended, as a time of UTC; '' where it has not or does not say."""
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004 - header, claims, signature
        return ""
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        end = float(claims["exp"])
    except (ValueError, KeyError, TypeError, binascii.Error):
        return ""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(end)) if end < time.time() else ""

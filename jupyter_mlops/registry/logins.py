"""Logging in to a registry and out again, where Docker does it: in its file, or with the credential program that the file names.

Every tool of containers then has the same login, ours included (``oci/credentials.py`` reads it). A login is tried before it is
kept. The file keeps whatever else is in it, is replaced at once, and is readable for its owner alone.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jupyter_mlops.errors import Conflict, NotAllowed, NotFound, PlatformError, WrongUsage
from jupyter_mlops.oci.credentials import HELPER_TIMEOUT, credential_for
from jupyter_mlops.oci.http import Transport
from jupyter_mlops.oci.reference import check_address

DOCKER_HUB = "https://index.docker.io/v1/"
"""The name under which Docker keeps the login for docker.io."""


def log_in(address: str, user: str, password: str, environ: Mapping[str, str] = os.environ) -> str:
    """Keep a login, if the registry takes it; where it is now: a file, or the name of a program.

    Args:
        address: ``https://HOST[:PORT]``, or ``http://`` where the registry has no TLS.
        user: its name there.
        password: or a token.
        environ: ``REGISTRY_AUTH_FILE``, ``DOCKER_CONFIG`` and ``HOME`` say where the file is.

    Raises:
        WrongUsage: code ``invalid-address``, or no user or password.
        NotAllowed: code ``registry-login``: the registry does not take it; nothing was kept.
        Unavailable: it does not answer; nothing was kept.
        Conflict: code ``other-login``: a file that is read before this one has another login for the host.
        PlatformError: the file cannot be read or written, or the program failed.
    """
    host = host_of(address)
    if not user or not password or ":" in user:
        raise WrongUsage("a login needs a user name without ':' and a password", fix="Give --username, and the password on stdin.")
    path = _file(environ)
    before = path.read_bytes() if path.exists() else None
    document = _document(path)
    helper = _helper(document, host)
    if helper:
        _ask(helper, "store", json.dumps({"ServerURL": _key(host), "Username": user, "Secret": password}), environ)
    else:
        entry = {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}
        _write(path, {**document, "auths": {**_auths(document), _key(host): entry}})
    try:
        _try(address, host, f"docker-credential-{helper}" if helper else str(path), environ)
    except BaseException:
        if helper:
            _ask(helper, "erase", _key(host), environ)
        elif before is None:
            path.unlink(missing_ok=True)
        else:
            _write(path, json.loads(before))
        raise
    return f"docker-credential-{helper}" if helper else str(path)


def _try(address: str, host: str, kept: str, environ: Mapping[str, str]) -> None:
    """See that the login is the one that will be used, and that the registry takes it."""
    found = credential_for(host, environ=environ)
    if kept not in {found.source, str(Path(found.source).resolve())}:
        raise Conflict(
            f"{found.source or 'another file'} is read first and has another login for {host}",
            code="other-login",
            fix="Log out there, or set REGISTRY_AUTH_FILE to the file to use.",
        )
    try:
        Transport(address).ask("GET", "/v2/", scope="registry:catalog").close()
    except NotAllowed as error:
        raise NotAllowed(
            f"{host} does not take this login", code="registry-login", fix="Check the name and the password or token."
        ) from error


def log_out(address: str, environ: Mapping[str, str] = os.environ) -> str:
    """Forget a login; where it was.

    Raises:
        NotFound: code ``no-login``: there was none.
        WrongUsage, PlatformError: as :func:`log_in`.
    """
    host = host_of(address)
    path = _file(environ)
    document = _document(path)
    if helper := _helper(document, host):
        _ask(helper, "erase", _key(host), environ)
        return f"docker-credential-{helper}"
    auths = _auths(document)
    kept = {name: entry for name, entry in auths.items() if name not in {host, _key(host), f"https://{host}", f"http://{host}"}}
    if kept == auths:
        raise NotFound(f"{path} has no login for {host}", code="no-login", fix="It may be in the file of another tool.")
    _write(path, {**document, "auths": kept})
    return str(path)


def host_of(address: str) -> str:
    """Host and port of an address. Raises WrongUsage, code ``invalid-address``: none, or one with a path."""
    parts = urlsplit(check_address(address))
    if parts.path.strip("/"):
        raise WrongUsage(f"{address} is more than a registry", code="invalid-address", fix=f"Log in to {parts.netloc}.")
    return parts.netloc


def _file(environ: Mapping[str, str]) -> Path:
    """The file that a login goes to; a link is followed, so that what it leads to is replaced and not the link."""
    if named := environ.get("REGISTRY_AUTH_FILE"):
        return Path(named).resolve()
    folder = Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME") or "/") / ".docker")
    return (folder / "config.json").resolve()


def _document(path: Path) -> dict[str, Any]:
    """What the file holds. A file that is none is not written over. Raises PlatformError."""
    try:
        document = json.loads(path.read_text(encoding="utf-8") or "{}")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise PlatformError(f"cannot read {path}: {error}", code="unreadable", fix="Repair the file, or move it away.") from error
    if not isinstance(document, dict):
        raise PlatformError(f"{path} is not a file of logins", code="unreadable", fix="Repair the file, or move it away.")
    return document


def _auths(document: Mapping[str, Any]) -> dict[str, Any]:
    found = document.get("auths")
    return dict(found) if isinstance(found, dict) else {}


def _key(host: str) -> str:
    return DOCKER_HUB if host in {"docker.io", "index.docker.io", "registry-1.docker.io"} else host


def _helper(document: Mapping[str, Any], host: str) -> str:
    """The program that keeps the logins for this host, or for all; '' for none."""
    helpers = document.get("credHelpers")
    named = (helpers.get(host) or helpers.get(_key(host))) if isinstance(helpers, dict) else None
    found = named or document.get("credsStore")
    return found if isinstance(found, str) else ""


def _ask(helper: str, what: str, given: str, environ: Mapping[str, str]) -> None:
    """Call ``docker-credential-<helper>``. What it says may hold a secret, so that no error repeats it."""
    program = f"docker-credential-{helper}"
    path = None if "/" in helper else shutil.which(program, path=environ.get("PATH"))
    if path is None:
        raise PlatformError(f"{program} is not on PATH", code="unreadable", fix="Install it, or take it out of the file of logins.")
    try:
        done = subprocess.run(
            [path, what], input=given.encode(), capture_output=True, timeout=HELPER_TIMEOUT, check=False, env=dict(environ)
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PlatformError(f"{program} {what} did not work: {type(error).__name__}", fix="Try it by hand.") from error
    if done.returncode:
        raise PlatformError(f"{program} {what} failed with exit status {done.returncode}", fix="Try it by hand.")


def _write(path: Path, document: Mapping[str, Any]) -> None:
    """Replace the file at once. Raises PlatformError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, temporary = tempfile.mkstemp(dir=path.parent)  # readable for its owner alone
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(document, file, indent="\t")
        Path(temporary).replace(path)
    except OSError as error:
        raise PlatformError(f"cannot write {path}: {error.strerror}", code="read-only", fix="Make it writable.") from error

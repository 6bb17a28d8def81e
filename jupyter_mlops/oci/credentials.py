"""What to log in to a registry with: where Docker, Podman and Kubernetes keep it, and the programs that know it.

A secret is read when a registry asks for it, given to the host it belongs to, and kept nowhere; its value has no ``repr``.
Of several files the first that knows the host counts, and in it the entry for the longest part of the repository's name.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HELPER_TIMEOUT = 20.0
"""Seconds that a credential program may take: it may ask a cloud for a token."""

_DOCKER = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
_REFRESH = "<token>"


@dataclass(frozen=True)
class Credential:
    """What is known for a host. All empty: nothing; ``source`` says where it is from, ``problem`` why it could not be had."""

    basic: str = field(default="", repr=False)
    """Base64 of ``user:password``."""

    refresh: str = field(default="", repr=False)
    """An identity token, to be exchanged for one that is used."""

    bearer: str = field(default="", repr=False)
    """A token that is used as it is."""

    source: str = ""
    problem: str = ""

    def __bool__(self) -> bool:
        return bool(self.basic or self.refresh or self.bearer)


def credential_for(host: str, repository: str = "", environ: Mapping[str, str] = os.environ) -> Credential:
    """What is known for a repository of a host (with its port).

    A file that cannot be read, and a program that fails, are no error here: many registries need no login. They are named
    in ``problem``, for the error that follows if this one does.
    """
    problems = []
    for path in _files(environ):
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError) as error:
            problems.append(f"{path} cannot be read ({type(error).__name__})")
            continue
        found = _in_document(document if isinstance(document, dict) else {}, path, host, repository, environ)
        if found:
            return found
        if found.problem:
            problems.append(found.problem)
    return Credential(problem="; ".join(problems))


def _files(environ: Mapping[str, str]) -> Iterator[Path]:
    """Where logins may be, the most special first. ``DOCKER_CONFIG`` stands in the place of ``~/.docker``."""
    if named := environ.get("REGISTRY_AUTH_FILE"):
        yield Path(named)
    home = Path(environ.get("HOME") or "/")
    if chosen := environ.get("DOCKER_CONFIG"):
        yield Path(chosen) / "config.json"
    if runtime := environ.get("XDG_RUNTIME_DIR"):
        yield Path(runtime) / "containers" / "auth.json"
    yield Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "containers" / "auth.json"
    if not chosen:
        yield home / ".docker" / "config.json"


def _in_document(document: Mapping[str, Any], path: Path, host: str, repository: str, environ: Mapping[str, str]) -> Credential:
    """What one file knows: the program named for the host, an entry of its own, then the program for all hosts."""
    names = _names(host, repository)
    helpers = _by_name(document.get("credHelpers"))
    helper = next((helpers[name] for name in names if isinstance(helpers.get(name), str)), None)
    if helper:
        return _from_program(helper, host, environ)
    entries = _by_name(document.get("auths"))
    for name in names:
        if isinstance(entry := entries.get(name), dict) and (found := _from_entry(entry, str(path))):
            return found
    store = document.get("credsStore")
    return _from_program(store, host, environ) if isinstance(store, str) and store else Credential()


def _names(host: str, repository: str) -> list[str]:
    """What entries may be called, the longest first: ``host/org/name``, ``host/org``, ``host``."""
    hosts = ["docker.io", "index.docker.io", "registry-1.docker.io"] if host in _DOCKER else [host]
    parts = [part for part in repository.split("/") if part]
    return ["/".join((each, *parts[:count])) for count in range(len(parts), -1, -1) for each in hosts]


def _by_name(entries: Any) -> dict[str, Any]:
    """Entries without the scheme and the ``/v1/`` or ``/v2/`` that Docker writes around a host."""
    found: dict[str, Any] = {}
    for key, entry in entries.items() if isinstance(entries, dict) else ():
        name = str(key).partition("://")[2] or str(key)
        found.setdefault(name.rstrip("/").removesuffix("/v1").removesuffix("/v2"), entry)
    return found


def _from_entry(entry: Mapping[str, Any], source: str) -> Credential:
    """An entry of ``auths``."""
    basic = entry.get("auth") or ""
    if not basic and entry.get("username"):
        basic = _basic(str(entry["username"]), str(entry.get("password") or ""))
    try:
        base64.b64decode(basic, validate=True)
    except (binascii.Error, ValueError, TypeError):
        return Credential(problem=f"{source} holds an auth that is not Base64")
    return Credential(
        basic=str(basic),
        refresh=str(entry.get("identitytoken") or ""),
        bearer=str(entry.get("registrytoken") or ""),
        source=source,
    )


def _from_program(name: str, host: str, environ: Mapping[str, str]) -> Credential:
    """What ``docker-credential-<name> get`` answers. Its output is a secret, so that no error repeats it."""
    program = f"docker-credential-{name}"
    path = shutil.which(program, path=environ.get("PATH"))
    if path is None or "/" in name:
        return Credential(problem=f"{program} is not on PATH")
    asked = "https://index.docker.io/v1/" if host in _DOCKER else host
    try:
        done = subprocess.run(
            [path, "get"], input=asked.encode(), capture_output=True, timeout=HELPER_TIMEOUT, check=False, env=dict(environ)
        )
    except subprocess.TimeoutExpired:
        return Credential(problem=f"{program} did not answer within {HELPER_TIMEOUT:.0f} s")
    except OSError as error:
        return Credential(problem=f"{program} cannot be run: {error.strerror}")
    if done.returncode != 0:
        unknown = b"not found" in done.stdout.lower()  # as the protocol says that it has none
        return Credential(problem="" if unknown else f"{program} failed with exit status {done.returncode}")
    try:
        document = json.loads(done.stdout)
        user, secret = str(document["Username"]), str(document["Secret"])
    except (ValueError, KeyError, TypeError):
        return Credential(problem=f"{program} did not answer with a login")
    if user == _REFRESH:
        return Credential(refresh=secret, source=program)
    return Credential(basic=_basic(user, secret), source=program)


def _basic(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()

"""Which clusters this person has: the kubeconfig's contexts and, in a pod, its service account. Nothing is contacted here.

Read by ourselves and not by the client library: listing contexts must not cost its import (0.6 s, 50 MB), and where several
files are named by ``KUBECONFIG`` the rules are kubectl's (the first file that says something wins; paths are relative to the
file that names them). A kubeconfig is code: a credential plugin in it runs as this person. So a file with one is taken only
if nobody else can write to it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import NotAllowed, NotFound, WrongUsage

IN_CLUSTER = "in-cluster"
"""Name of the context that a pod's own service account is."""

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Folder where kubelet keeps ``token``, ``ca.crt`` and ``namespace`` of a pod's service account."""

_PATHS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


@dataclass(frozen=True, slots=True)
class Context:
    """A cluster, an identity and a namespace under one name."""

    name: str
    cluster: str
    server: str
    """Address of the API server; '' where the kubeconfig names a cluster that it does not have."""

    namespace: str
    user: str
    current: bool = False


@dataclass(frozen=True, slots=True)
class Access:
    """What it takes to speak to one cluster as one person. Never shown: ``user`` holds secrets."""

    context: str
    namespace: str
    server: str
    cluster: Mapping[str, Any] = field(repr=False)
    """As a kubeconfig's ``cluster``, with absolute paths."""

    user: Mapping[str, Any] = field(repr=False)
    """As a kubeconfig's ``user``, with absolute paths."""

    folder: str = ""
    """Folder of the file that names the user, where its credential plugin runs."""


@dataclass(frozen=True, slots=True)
class _Named:
    """An entry of a kubeconfig and the file that it stands in."""

    value: Mapping[str, Any] = field(repr=False)
    file: Path


@dataclass(frozen=True, slots=True)
class _Kubeconfig:
    """All files in one, as kubectl merges them."""

    current: str
    contexts: Mapping[str, _Named]
    clusters: Mapping[str, _Named]
    users: Mapping[str, _Named]


def kubeconfig_files(environ: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """The files that ``KUBECONFIG`` names, or else ``~/.kube/config``; those that exist."""
    named = environ.get("KUBECONFIG", "")
    home = Path(environ.get("HOME", "") or Path.home())
    files = [Path(part) for part in named.split(os.pathsep) if part] if named else [home / ".kube" / "config"]
    expanded = [home / file.relative_to("~") if file.parts[:1] == ("~",) else file.absolute() for file in files]
    return tuple(file for file in expanded if file.exists())


def contexts(environ: Mapping[str, str] = os.environ) -> tuple[Context, ...]:
    """Every context there is, the pod's own service account last; nothing is contacted and no plugin runs.

    Raises:
        WrongUsage: a kubeconfig that cannot be read (``kubeconfig-invalid``).
    """
    merged = _merged(environ)
    chosen = merged.current if merged.current in merged.contexts else ""
    found = [_described(name, entry, merged, current=name == chosen) for name, entry in merged.contexts.items()]
    pod = in_cluster(environ)
    if pod is not None and IN_CLUSTER not in merged.contexts:
        found.append(Context(IN_CLUSTER, IN_CLUSTER, pod.server, pod.namespace, "service account of this pod", not chosen))
    return tuple(found)


def find_access(context: str | None, environ: Mapping[str, str] = os.environ) -> Access:
    """What it takes to use a context: by name, or the current one, or the pod's own service account where there is no other.

    Raises:
        NotFound: no such context (``context-not-found``; those that exist are listed), or no cluster at all (``no-cluster``).
        WrongUsage: a kubeconfig that cannot be read or lacks what the context names (``kubeconfig-invalid``).
        NotAllowed: a kubeconfig that others can write and that runs a program (``kubeconfig-not-private``).
    """
    merged = _merged(environ)
    name = context or (merged.current if merged.current in merged.contexts else "")
    if name in merged.contexts:
        return _access(name, merged)
    pod = in_cluster(environ)
    if pod is not None and name in {"", IN_CLUSTER}:
        return pod
    raise _missing(context or merged.current, merged, environ)


def in_cluster(environ: Mapping[str, str] = os.environ) -> Access | None:
    """The service account of the pod that this process runs in; None outside, or where the pod is given no token."""
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "443")
    token, authority = SERVICE_ACCOUNT / "token", SERVICE_ACCOUNT / "ca.crt"
    if not host or not token.is_file() or not authority.is_file():
        return None
    try:
        namespace = (SERVICE_ACCOUNT / "namespace").read_text("utf-8").strip()
    except OSError:
        namespace = ""
    server = f"https://{f'[{host}]' if ':' in host else host}:{port}"
    cluster = {"server": server, "certificate-authority": str(authority)}
    return Access(IN_CLUSTER, namespace or "default", server, cluster, {"tokenFile": str(token)})


def _merged(environ: Mapping[str, str]) -> _Kubeconfig:
    """All files in one: of two entries with one name the first counts."""
    current = ""
    kinds: dict[str, dict[str, _Named]] = {"contexts": {}, "clusters": {}, "users": {}}
    for file in kubeconfig_files(environ):
        document = _read(file)
        current = current or str(document.get("current-context") or "")
        for kind, entries in kinds.items():
            for name, value in _entries(document, kind, file):
                entries.setdefault(name, _Named(value, file))
    return _Kubeconfig(current, kinds["contexts"], kinds["clusters"], kinds["users"])


def _read(file: Path) -> Mapping[str, Any]:
    """One file's document; an empty file is an empty document."""
    import yaml

    try:
        document = yaml.safe_load(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUsage(
            f"{file} cannot be read: {getattr(error, 'strerror', None) or 'it is not a text'}",
            code="kubeconfig-invalid",
            fix="Check the file that KUBECONFIG names.",
        ) from error
    except yaml.YAMLError as error:  # its own words would quote the lines around the place, which may hold a token
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        raise WrongUsage(f"{file}{place} is not YAML", code="kubeconfig-invalid", fix="Correct the file.") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise WrongUsage(f"{file} is no kubeconfig", code="kubeconfig-invalid", fix="Check the file that KUBECONFIG names.")
    return document


def _entries(document: Mapping[str, Any], kind: str, file: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Names and values of one list of a kubeconfig."""
    entries = document.get(kind) or []
    if not isinstance(entries, list):
        raise WrongUsage(f"{kind} in {file} is not a list", code="kubeconfig-invalid", fix="Correct the file.")
    for entry in entries:
        value = entry.get(kind[:-1]) if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str) or not isinstance(value, dict | None):
            raise WrongUsage(
                f"{kind} in {file} has an entry without name or {kind[:-1]}", code="kubeconfig-invalid", fix="Correct the file."
            )
        yield entry["name"], value or {}


def _described(name: str, entry: _Named, merged: _Kubeconfig, *, current: bool) -> Context:
    """A context for people to choose."""
    cluster, user = str(entry.value.get("cluster") or ""), str(entry.value.get("user") or "")
    server = str(merged.clusters[cluster].value.get("server") or "") if cluster in merged.clusters else ""
    return Context(name, cluster, server.rstrip("/"), str(entry.value.get("namespace") or "default"), user, current)


def _access(name: str, merged: _Kubeconfig) -> Access:
    """Cluster and user of a context that is there."""
    entry = merged.contexts[name]
    described = _described(name, entry, merged, current=False)
    if not described.server:
        raise WrongUsage(
            f"context {name} names the cluster {described.cluster or '(none)'}, which has no server in {entry.file}",
            code="kubeconfig-invalid",
            fix="Get the kubeconfig anew from whoever runs the cluster.",
        )
    cluster = merged.clusters[described.cluster]
    if described.user and described.user not in merged.users:
        raise WrongUsage(
            f"context {name} names the user {described.user}, which is not in {entry.file}",
            code="kubeconfig-invalid",
            fix="Get the kubeconfig anew from whoever runs the cluster.",
        )
    user = merged.users.get(described.user, _Named({}, entry.file))
    if "exec" in user.value or "auth-provider" in user.value:
        _check_private(user.file)
    return Access(
        name,
        described.namespace,
        described.server,
        _absolute(cluster),
        _absolute(user),
        str(user.file.parent),
    )


def _absolute(entry: _Named) -> dict[str, Any]:
    """The entry with its files named from the root."""
    return {
        key: str(entry.file.parent / value) if key in _PATHS and isinstance(value, str) and value else value
        for key, value in entry.value.items()
    }


def _check_private(file: Path) -> None:
    """Refuse a file that runs a program and that somebody else could have written."""
    if os.name != "posix":
        return
    status = file.stat()
    if status.st_uid not in {os.getuid(), 0} or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise NotAllowed(
            f"{file} runs a program to log in, and others than you can write to it",
            code="kubeconfig-not-private",
            fix=f"Check what it runs, then: chmod go-w {file} (it must belong to you).",
        )


def _missing(name: str, merged: _Kubeconfig, environ: Mapping[str, str]) -> NotFound:
    """Why there is no access: a wrong name, no name, or nothing at all."""
    there = [*merged.contexts, *([IN_CLUSTER] if in_cluster(environ) else [])]
    if not there:
        return NotFound(
            "no Kubernetes cluster is configured: no kubeconfig with a context, and this is not a pod with a service account",
            code="no-cluster",
            fix="Put a kubeconfig at ~/.kube/config or name it in KUBECONFIG. Nothing is needed to run on this machine.",
        )
    listed = ", ".join(there[:20]) + (", …" if len(there) > 20 else "")  # noqa: PLR2004 - as many as one reads
    what = f"there is no context {name}" if name else "the kubeconfig has no current context"
    return NotFound(what, code="context-not-found", fix=f"Those there are: {listed}")

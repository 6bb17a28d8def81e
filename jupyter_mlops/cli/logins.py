"""The verbs of ``jupyter mlops registry`` that are about other registries: ``login``, ``logout`` and ``copy``."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, NamedTuple, cast
from urllib.parse import urlsplit

from jupyter_mlops.cli.console import Console, size
from jupyter_mlops.errors import WrongUsage

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench
    from jupyter_mlops.registry.copy import Copying

REMOTE = ("http://", "https://")


class Place(NamedTuple):
    """Where something is: ``address`` of a registry ('' for this machine's), repository, tag or digest ('' for none)."""

    address: str
    repository: str
    target: str


def configure(verb: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """Their arguments."""
    login = verb("login", "keep a login where docker keeps it, after the registry took it")
    login.add_argument("registry", metavar="HOST", help="host and port, or http://HOST where the registry has no TLS")
    login.add_argument("--username", required=True, metavar="NAME")
    login.add_argument("--password-stdin", action="store_true", help="read the password or token from standard input")
    logout = verb("logout", "forget a login")
    logout.add_argument("registry", metavar="HOST")
    copy = verb("copy", "copy a model, dataset or run with all that is about it; digests stay what they are")
    copy.add_argument("source", metavar="A", help="[https://HOST/]REPOSITORY:TAG or @DIGEST; without a host: of this machine")
    copy.add_argument("destination", metavar="B", help="[https://HOST/]REPOSITORY[:TAG]; the tag of A if none is said")


def address_of(registry: str) -> str:
    """The address that a host stands for: HTTPS unless it says otherwise."""
    return registry if registry.startswith(REMOTE) else f"https://{registry}"


def place_of(text: str) -> Place:
    """Read ``[http(s)://HOST/]REPOSITORY[:TAG|@DIGEST]``. Raises WrongUsage, code ``invalid-name`` or ``invalid-digest``."""
    from jupyter_mlops.oci.reference import check_address, split_reference

    if not text.startswith(REMOTE):
        found = split_reference(text)
        return Place("", found.repository, found.target)
    parts = urlsplit(text)
    address = check_address(f"{parts.scheme}://{parts.netloc}")
    found = split_reference(text[len(address) :].lstrip("/"))
    return Place(address, found.repository, found.target)


def _login(arguments: argparse.Namespace, console: Console, bench: Workbench) -> int:
    del bench
    from jupyter_mlops.registry.logins import log_in

    if arguments.password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        password = getpass.getpass("Password or token: ")
    else:
        raise WrongUsage("there is nobody to ask for the password", fix="Give it with --password-stdin.")
    where = log_in(address_of(arguments.registry), arguments.username, password)
    return _said(console, {"registry": arguments.registry, "kept": where}, f"logged in; kept in {where}")


def _logout(arguments: argparse.Namespace, console: Console, bench: Workbench) -> int:
    del bench
    from jupyter_mlops.registry.logins import log_out

    where = log_out(address_of(arguments.registry))
    return _said(console, {"registry": arguments.registry, "forgotten": where}, f"forgotten in {where}")


def _copy(arguments: argparse.Namespace, console: Console, bench: Workbench) -> int:
    """Copy, and say what moved."""
    from jupyter_mlops.cli.transfer import Transfer
    from jupyter_mlops.oci.digest import is_digest
    from jupyter_mlops.registry.copy import copy

    source, into = place_of(arguments.source), place_of(arguments.destination)
    if not source.target:
        raise WrongUsage(f"which version of {source.repository}?", fix="Name a tag or digest: REPOSITORY:TAG.")
    if is_digest(into.target):
        raise WrongUsage("a copy is not given a digest: it has its own", fix="Name a tag, or nothing.")
    tags = [into.target] if into.target else None
    stores = [_store(place, bench) for place in (source, into)]
    with Transfer(console) as shown:
        done = copy(stores[0], stores[1], source.repository, source.target, into=into.repository, tags=tags, progress=shown)
    text = f"{arguments.destination}: {done.manifests} manifests, {done.blobs} blobs, {size(done.bytes)}"
    return _said(console, {"destination": arguments.destination, **asdict(done)}, text)


def _store(place: Place, bench: Workbench) -> Copying:
    from jupyter_mlops.oci.open import open_store

    return cast("Copying", open_store(place.address or bench.settings.storage.registry.as_uri()))


def _said(console: Console, document: dict[str, object], text: str) -> int:
    if console.as_json:
        console.emit(document)
    else:
        console.line(text)
    return 0


VERBS = {"login": _login, "logout": _logout, "copy": _copy}

"""``jupyter mlops models key``, ``sign`` and ``verify``: who stands for a version."""

from __future__ import annotations

import argparse
import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mlops.cli.console import Console
from jupyter_mlops.errors import WrongUsage

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench


def key(arguments: argparse.Namespace, console: Console, bench: Workbench) -> None:
    """Make a pair of keys, or trust a public one."""
    import os

    from jupyter_mlops.registry.keys import PASSPHRASE, new_key, public_key, trust

    path, home = Path(arguments.words[1]), bench.settings.storage.home
    if arguments.trust:
        kept = trust(home, path)
        told = {"trusted": str(kept), "hint": public_key(kept).hint}
        text = f"what {path.name} signs is trusted on this machine, by you"
    else:
        public = new_key(path, os.environ.get(PASSPHRASE, "") or _asked_twice(path))
        told = {"private": str(path), "public": str(public), "hint": public_key(public).hint}
        text = f"{path} signs, and nobody else may have it; {public} is for those who verify"
    if console.as_json:
        console.emit(told)
    else:
        console.line(text)


def sign(arguments: argparse.Namespace, console: Console, bench: Workbench) -> None:
    """Sign a version with a private key."""
    from jupyter_mlops.registry.keys import private_key
    from jupyter_mlops.registry.signing import sign as signed

    if not arguments.key:
        raise WrongUsage("sign takes a private key", fix="Write: jupyter mlops models sign NAME:TAG --key FILE")
    version = bench.models.find(arguments.words[1])
    made = private_key(Path(arguments.key), _asked)
    manifest = signed(bench.store, f"models/{version.name}", version.digest, made, provenance=arguments.provenance)
    if console.as_json:
        told = {"name": version.name, "tag": version.tag, "digest": version.digest}
        console.emit({**told, "signature": manifest.descriptor.digest, "hint": made.public.hint})
    else:
        console.line(f"{version.name}:{version.tag} is signed")


def verify(arguments: argparse.Namespace, console: Console, bench: Workbench) -> None:
    """Whether a key, or one of those that are trusted, signed a version; it ends with 2 where none did."""
    from jupyter_mlops.registry.keys import public_key, trusted
    from jupyter_mlops.registry.signing import verified

    keys = [public_key(Path(arguments.key))] if arguments.key else list(trusted(bench.settings.storage.home))
    if not keys:
        raise WrongUsage(
            "no key is trusted here", fix="Give one: --key FILE.pub. Or trust one: jupyter mlops models key FILE.pub --trust"
        )
    version = bench.models.find(arguments.words[1])
    found = verified(bench.store, f"models/{version.name}", version.digest, keys)
    if console.as_json:
        told = {"name": version.name, "tag": version.tag, "digest": version.digest}
        console.emit({**told, "signatures": [one.to_json() for one in found]})
        return
    for one in found:
        when = one.created or "at no time that is told"
        console.line(f"{version.name}:{version.tag} is signed by {one.by}, {when} ({one.predicate})")


def _asked(prompt: str) -> str:
    return getpass.getpass(prompt) if sys.stdin.isatty() else ""


def _asked_twice(path: Path) -> str:
    first = _asked(f"Passphrase of {path} (none: Enter): ")
    if first and first != _asked("Again: "):
        raise WrongUsage("the two were not the same", fix="Try again.")
    return first

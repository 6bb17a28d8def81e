"""``jupyter mlops models key``, ``trust``, ``sign`` and ``verify``: who stands for a version."""

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
    from jupyter_mlops.registry.envelope import Signatory
    from jupyter_mlops.registry.identities import Identity
    from jupyter_mlops.registry.keyless import Keyless


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


def trust(arguments: argparse.Namespace, console: Console, bench: Workbench) -> None:
    """Trust somebody that an identity provider knows."""
    from jupyter_mlops.registry.identities import trust_identity

    who = _identity(arguments, arguments.words[1])
    kept = trust_identity(bench.settings.storage.home, who)
    if console.as_json:
        console.emit({"trusted": str(kept), "identity": who.who, "issuer": who.issuer})
    else:
        console.line(f"what {who.name} signs is trusted on this machine, by you")


def sign(arguments: argparse.Namespace, console: Console, bench: Workbench) -> None:
    """Sign a version, with a private key or as somebody that an identity provider knows."""
    from jupyter_mlops.registry.keys import private_key
    from jupyter_mlops.registry.signing import sign as signed

    if bool(arguments.key) == arguments.keyless:
        raise WrongUsage(
            "sign takes a private key, or --keyless", fix="Write: jupyter mlops models sign NAME:TAG --key FILE, or: … --keyless"
        )
    version = bench.models.find(arguments.words[1])
    repository = f"models/{version.name}"
    told = {"name": version.name, "tag": version.tag, "digest": version.digest}
    if arguments.keyless:
        someone = _keyless(arguments, console)
        manifest = signed(bench.store, repository, version.digest, someone, provenance=arguments.provenance)
        who = someone.who
        by = {"identity": who.who, "issuer": who.issuer} if who else {}
        text = f"{version.name}:{version.tag} is signed by {who.name if who else 'somebody'}"
    else:
        made = private_key(Path(arguments.key), _asked)
        manifest = signed(bench.store, repository, version.digest, made, provenance=arguments.provenance)
        by, text = {"hint": made.public.hint}, f"{version.name}:{version.tag} is signed"
    if console.as_json:
        console.emit({**told, "signature": manifest.descriptor.digest, **by})
    else:
        console.line(text)


def verify(arguments: argparse.Namespace, console: Console, bench: Workbench) -> None:
    """Whether somebody, or one of those who are trusted, signed a version; it ends with 2 where none did."""
    from jupyter_mlops.registry.keys import public_key, trusted
    from jupyter_mlops.registry.signing import verified

    asked: list[Signatory] = [public_key(Path(arguments.key))] if arguments.key else []
    if arguments.identity:
        asked.append(_identity(arguments, arguments.identity))
    by = asked or list(trusted(bench.settings.storage.home))
    if not by:
        raise WrongUsage(
            "nobody is trusted here",
            fix="Give a key: --key FILE.pub; or who it shall be: --identity WHO --issuer URL. Or trust one:"
            " jupyter mlops models key FILE.pub --trust",
        )
    version = bench.models.find(arguments.words[1])
    found = verified(bench.store, f"models/{version.name}", version.digest, by)
    if console.as_json:
        told = {"name": version.name, "tag": version.tag, "digest": version.digest}
        console.emit({**told, "signatures": [one.to_json() for one in found]})
        return
    for one in found:
        when = one.created or "at no time that is told"
        console.line(f"{version.name}:{version.tag} is signed by {one.by}, {when} ({one.predicate})")


def _identity(arguments: argparse.Namespace, who: str) -> Identity:
    from jupyter_mlops.registry.identities import Identity, library, root_of

    if not arguments.issuer:
        raise WrongUsage(
            f"{who} alone says too little: every provider can know somebody of that name",
            fix=f"Name the provider: --identity {who} --issuer https://accounts.google.com (or https://github.com/login/oauth, …)",
        )
    library()
    return Identity(who, arguments.issuer, root_of(Path(arguments.trust_config)) if arguments.trust_config else "")


def _keyless(arguments: argparse.Namespace, console: Console) -> Keyless:
    from jupyter_mlops.registry.keyless import browser, keyless

    def sign_in(url: str) -> str:
        console.note(f"You sign in at {url}. Who you are will stand in a log that all can read, for good.")
        return browser(url)

    config = Path(arguments.trust_config) if arguments.trust_config else None
    return keyless(config, sign_in if sys.stdin.isatty() else None)


def _asked(prompt: str) -> str:
    return getpass.getpass(prompt) if sys.stdin.isatty() else ""


def _asked_twice(path: Path) -> str:
    first = _asked(f"Passphrase of {path} (none: Enter): ")
    if first and first != _asked("Again: "):
        raise WrongUsage("the two were not the same", fix="Try again.")
    return first

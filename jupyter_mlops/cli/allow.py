"""``jupyter mlops models allow``: the user's own word that one version may run code when it is loaded."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from jupyter_mlops.cli.console import Console

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench
    from jupyter_mlops.registry.allowances import Allowance


def allow(arguments: argparse.Namespace, console: Console, bench: Workbench) -> None:
    """Allow a version, or with ``--remove`` no more."""
    from jupyter_mlops.registry.allowances import Allowances

    version = bench.models.find(arguments.words[1])
    shown, known = f"{version.name}:{version.tag}", Allowances(bench.settings.storage.home)
    if arguments.remove:
        known.revoke(version.digest)
        if console.as_json:
            console.emit({"model": shown, "digest": version.digest, "allowed": False})
        else:
            console.line(f"{shown} is not allowed any more")
        return
    made = allow_version(arguments.words[1], arguments.reason, bench)
    if console.as_json:
        console.emit({**asdict(made), "allowed": True})
    else:
        console.line(f"{shown} may run code when it is loaded: {made.reason}")
        console.note(f"That holds for you, on this machine, and for these very bytes: {version.digest}")


def allow_version(reference: str, reason: str, bench: Workbench) -> Allowance:
    """Note that a version may run code, who says so, when and why.

    Raises:
        NotFound: no such model or version.
        WrongUsage: there is no reason.
    """
    from jupyter_mlops.registry.allowances import Allowances

    version = bench.models.find(reference)
    return Allowances(bench.settings.storage.home).add(version.digest, f"{version.name}:{version.tag}", reason)


def show_allowed(console: Console, bench: Workbench) -> None:
    """What was allowed, by whom and why."""
    from jupyter_mlops.registry.allowances import Allowances

    found = Allowances(bench.settings.storage.home).list()
    if console.as_json:
        console.emit({"allowed": [asdict(one) for one in found]})
    elif not found:
        console.note("No version was allowed by hand. Allow one: jupyter mlops models allow NAME:TAG --reason WHY")
    else:
        rows = [(one.model, one.who, one.when, one.reason, one.digest) for one in found]
        console.table(("MODEL", "BY", "WHEN", "WHY", "DIGEST"), rows)

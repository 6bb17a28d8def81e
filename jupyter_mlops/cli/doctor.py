"""``jupyter mlops doctor``: what of this machine is in order, and what to do about the rest."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from jupyter_mlops.cli.console import Console

if TYPE_CHECKING:
    from jupyter_mlops.doctor.check import Check
    from jupyter_mlops.flow import Workbench

EXAMPLES = """\
  jupyter mlops doctor               all checks; what is in order is one line
  jupyter mlops doctor --verbose     each with what was seen
  jupyter mlops doctor --only DJ01 --only DL02
  jupyter mlops doctor --target dev  this machine, and that cluster
  jupyter mlops doctor --json | jq '.checks[] | select(.level == "fail")'"""

MARKS = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "red"), "skip": ("-", "grey")}


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments."""
    parser.add_argument("-v", "--verbose", action="store_true", help="show what is in order too")
    parser.add_argument("--only", action="append", default=[], metavar="ID", help="only this check; repeat for more")
    parser.add_argument("--target", metavar="NAME", help="check this target too (default: the default one)")
    parser.add_argument("--strict", action="store_true", help="exit with 1 on warnings too")


def run(arguments: argparse.Namespace, console: Console, bench: Workbench) -> int:
    """Check, show; 1 if something fails."""
    from jupyter_mlops.doctor.run import examine

    found = examine(bench.settings, only=arguments.only, target=arguments.target)
    if console.as_json:
        console.emit({"checks": [asdict(check) for check in found]})
    else:
        show(found, console, verbose=arguments.verbose)
    bad = {"fail", "warn"} if arguments.strict else {"fail"}
    return 1 if any(check.level in bad for check in found) else 0


def show(found: list[Check], console: Console, *, verbose: bool) -> None:
    """Problems with their fix; the rest as a count."""
    for check in found:
        if check.level in {"ok", "skip"} and not verbose:
            continue
        mark, colour = MARKS[check.level]
        console.line(f"{console.styled(mark, colour)} {check.id} {check.title}: {check.why}")
        if check.fix:
            console.line(f"    fix: {check.fix}")
    counts = {level: sum(check.level == level for check in found) for level in MARKS}
    words = {"ok": "in order", "warn": "to look at", "fail": "wrong", "skip": "skipped"}
    console.line(", ".join(f"{count} {words[level]}" for level, count in counts.items() if count))

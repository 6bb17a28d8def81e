"""``jupyter mlops delete``: forget runs and free their room. Models that they registered stay."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from jupyter_mlops.cli.console import Console
from jupyter_mlops.engine.base import DONE
from jupyter_mlops.errors import Conflict

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench

EXAMPLES = """\
  jupyter mlops delete churn-x7k2p
  jupyter mlops delete churn-x7k2p --force     stops it first if it runs"""

TARGETED = True


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments."""
    parser.add_argument("names", nargs="+", metavar="RUN")
    parser.add_argument("--force", action="store_true", help="stop a run that goes on, then delete it")


def run(arguments: argparse.Namespace, console: Console, bench: Workbench) -> int:
    """Look at all first, so that a wrong name deletes nothing."""
    found = [bench.engine.get(name) for name in arguments.names]
    going = [one.name for one in found if one.phase not in DONE]
    if going and not arguments.force:
        raise Conflict(f"{', '.join(going)} still runs", fix="Stop it first, or give --force.")
    for one in found:
        bench.engine.control(one.name, "delete")
        if not console.as_json:
            console.line(f"{one.name} deleted")
    if console.as_json:
        console.emit({"deleted": [one.name for one in found]})
    return 0

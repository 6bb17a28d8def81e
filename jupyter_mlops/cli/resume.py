"""``jupyter mlops resume``: run a notebook again as it is now, without doing again what an earlier run has done."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mlops.cli.console import Console, finding
from jupyter_mlops.cli.run import assignments, follow, following, say_refused
from jupyter_mlops.errors import Refused

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench

EXAMPLES = """\
  jupyter mlops resume churn-x7k2p                  after the cell that failed was mended
  jupyter mlops resume churn-x7k2p -p trees=50      with another parameter; steps that use it run again
  jupyter mlops resume churn-x7k2p --target dev     a run of a cluster

A step is taken over if its cells, its input, its parameters, files and environment are what they were; else it runs."""

TARGETED = True


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments."""
    parser.add_argument("name", metavar="RUN")
    parser.add_argument("--notebook", type=Path, metavar="FILE", help="the notebook, if it is not where it was")
    parser.add_argument(
        "-p",
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="value that differs from the run's; repeat for more",
    )
    following(parser)


def run(arguments: argparse.Namespace, console: Console, bench: Workbench) -> int:
    """Start, follow, report."""
    values = assignments(arguments.parameter)
    try:
        started = bench.resume(arguments.name, arguments.notebook, values, lambda one: console.note(finding(one)))
    except Refused as refused:
        return say_refused(refused, console)
    return follow(started, arguments, console, bench)

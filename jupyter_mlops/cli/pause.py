"""``jupyter mlops pause``: what runs finishes, nothing else starts."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from jupyter_mlops.cli import verbs
from jupyter_mlops.cli.console import Console

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench

EXAMPLES = """\
  jupyter mlops pause churn-x7k2p
  jupyter mlops pause churn-x7k2p --target dev     a run of a cluster"""

TARGETED = True

configure = verbs.configure


def run(arguments: argparse.Namespace, console: Console, bench: Workbench) -> int:
    """Do it, and say how the run is."""
    return verbs.control(arguments.name, "pause", console, bench)

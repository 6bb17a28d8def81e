"""What the commands share that say one word to a run."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from jupyter_mlops.cli.console import Console
from jupyter_mlops.views import run_view

if TYPE_CHECKING:
    from jupyter_mlops.engine.base import Verb
    from jupyter_mlops.flow import Workbench


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments."""
    parser.add_argument("name", metavar="RUN")


def control(name: str, verb: Verb, console: Console, bench: Workbench) -> int:
    """Say it, and show how the run is."""
    changed = bench.engine.control(name, verb)
    if console.as_json:
        console.emit(run_view(changed))
    else:
        console.line(f"{changed.name}: {changed.phase}{', paused' if changed.paused else ''}")
    return 0

"""``jupyter mlops logs``: what the steps of a run printed, while they print it if asked."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from jupyter_mlops.cli.command import INTERRUPTED
from jupyter_mlops.cli.console import Console
from jupyter_mlops.errors import NotFound
from jupyter_mlops.views import log_view

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_mlops.engine.base import LogLine
    from jupyter_mlops.flow import Workbench

EXAMPLES = """\
  jupyter mlops logs churn-x7k2p                 all steps
  jupyter mlops logs churn-x7k2p --step train    one of them
  jupyter mlops logs churn-x7k2p -f              go on until the run is done"""

TARGETED = True


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments."""
    parser.add_argument("name", metavar="RUN")
    parser.add_argument("--step", metavar="STEP", help="only this step")
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the run is done")


def run(arguments: argparse.Namespace, console: Console, bench: Workbench) -> int:
    """Print the log; with ``--json`` one document with all lines, or with ``-f`` one document a line."""
    now = bench.engine.get(arguments.name)
    names = [step.name for step in now.steps]
    if arguments.step and arguments.step not in names:
        raise NotFound(f"{now.name} has no step {arguments.step!r}", fix=f"Its steps are {', '.join(names)}.")
    lines = (line for line in bench.engine.logs(now.name, step=arguments.step, follow=arguments.follow) if line.event is None)
    try:
        _print(lines, console, prefix=arguments.step is None and len(names) > 1, follow=arguments.follow)
    except KeyboardInterrupt:
        console.note(f"\n{now.name} goes on; stop it with: jupyter mlops stop {now.name}{arguments.aim}")
        return INTERRUPTED
    return 0


def _print(lines: Iterator[LogLine], console: Console, *, prefix: bool, follow: bool) -> None:
    if console.as_json and not follow:
        console.emit({"lines": [log_view(line) for line in lines]})
        return
    for line in lines:
        if console.as_json:
            console.emit(log_view(line))
        else:
            console.line(f"{line.step} │ {line.text}" if prefix else line.text)
            if follow:
                console.out.flush()

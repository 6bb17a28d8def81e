"""``jupyter mlops check``: is the pipeline equal to Restart & Run All?"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mlops.cli.console import Console
from jupyter_mlops.cli.run import assignments
from jupyter_mlops.cli.runs import say_deliveries
from jupyter_mlops.errors import Refused

if TYPE_CHECKING:
    from jupyter_mlops.check.verdict import Verdict
    from jupyter_mlops.flow import Workbench

EXAMPLES = """\
  jupyter mlops check churn.ipynb                   run it both ways and compare
  jupyter mlops check churn.ipynb -p trees=5        with other parameters
  jupyter mlops check churn.ipynb --json | jq -r .outcome
  jupyter mlops check churn.ipynb --allow-unsteady  what differs between two plain runs too is no failure

exit codes: 0 equal, 1 different or not decided, 2 refused or wrong usage. Nothing of the notebook's folder is changed, and
models go to a registry that is thrown away."""


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments."""
    parser.add_argument("notebook", type=Path, metavar="NOTEBOOK.ipynb")
    parser.add_argument(
        "-p", "--parameter", action="append", default=[], metavar="NAME=VALUE", help="value of a parameter; repeat for more"
    )
    parser.add_argument("--kernel", metavar="NAME", help="kernelspec to use instead of the notebook's")
    parser.add_argument(
        "--allow-unsteady", action="store_true", help="exit 0 too if all that differs, differs between two plain runs as well"
    )


def run(arguments: argparse.Namespace, console: Console, bench: Workbench) -> int:
    """Check, and say what was found."""
    from jupyter_mlops.check.check import check

    try:
        verdict = check(bench, arguments.notebook, assignments(arguments.parameter), arguments.kernel, console.note)
    except Refused as refused:
        console.error(refused)
        if console.as_json:
            console.emit({"notebook": arguments.notebook.name, "outcome": "refused", "error": refused.to_dict()})
        return refused.exit_code
    if console.as_json:
        console.emit(verdict.to_json())
    else:
        show(verdict, console)
    passed = {"equal", "unsteady"} if arguments.allow_unsteady else {"equal"}
    return 0 if verdict.outcome in passed else 1


def show(verdict: Verdict, console: Console) -> None:
    """A verdict in words: the answer, then what differs, the first first."""
    from jupyter_mlops.check.verdict import sentence, words

    colour = {"equal": "green", "different": "red"}.get(verdict.outcome, "yellow")
    steps = f"{verdict.steps} step{'' if verdict.steps == 1 else 's'}"
    console.line(f"{verdict.notebook} ({steps}) {console.styled(sentence(verdict), colour)}")
    for found in verdict.differences:
        for line in words(found):
            console.line(f"  {line}")
    for one in verdict.uncompared:
        console.line(f"  not compared: {one['name']} ({one['reason']})")
    say_deliveries(verdict.deliveries, console)

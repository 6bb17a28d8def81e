"""``jupyter mlops stop``: stop a run. A service of that name is not touched, but named."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from jupyter_mlops.cli.console import Console
from jupyter_mlops.errors import MlopsError, NotFound
from jupyter_mlops.views import run_view

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench

EXAMPLES = """\
  jupyter mlops stop churn-x7k2p
  jupyter mlops services stop churn       a service, not a run"""

TARGETED = True


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments."""
    parser.add_argument("name", metavar="RUN")


def run(arguments: argparse.Namespace, console: Console, bench: Workbench) -> int:
    """Stop it; a run that is done already is no error."""
    try:
        stopped = bench.engine.control(arguments.name, "stop")
    except NotFound as error:
        if _is_service(arguments.name, bench):
            fix = f"Stop it with: jupyter mlops services stop {arguments.name}{arguments.aim}"
            raise NotFound(f"{arguments.name} is a service, not a run", fix=fix) from error
        raise
    if console.as_json:
        console.emit(run_view(stopped))
    else:
        console.line(f"{stopped.name}: {stopped.phase}")
    return 0


def _is_service(name: str, bench: Workbench) -> bool:
    """Whether there is a service of that name; a cluster without KServe has none."""
    try:
        return any(service.name == name for service in bench.services.list())
    except MlopsError:
        return False

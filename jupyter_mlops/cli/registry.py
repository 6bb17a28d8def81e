"""``jupyter mlops registry serve``: the embedded registry over HTTP, for the tools of others on this machine."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from jupyter_mlops.cli.console import Console
from jupyter_mlops.errors import WrongUsage

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench

EXAMPLES = """\
  jupyter mlops registry serve                     on a free port of this machine, with a password
  jupyter mlops registry serve --port 5000
  jupyter mlops registry serve --no-auth           for a test on a machine that you alone use"""

HIGHEST_PORT = 65535


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments."""
    parser.add_argument("verb", choices=["serve"], metavar="serve")
    parser.add_argument("--port", type=int, default=0, metavar="N", help="port on 127.0.0.1 (default: a free one)")
    parser.add_argument("--no-auth", action="store_true", help="ask for no password: every user of this machine may read and write")


def run(arguments: argparse.Namespace, console: Console, bench: Workbench) -> int:
    """Serve until interrupted."""
    if not 0 <= arguments.port <= HIGHEST_PORT:
        raise WrongUsage(f"{arguments.port} is not a port", fix=f"Give a number from 0 to {HIGHEST_PORT}; 0 chooses a free one.")
    from jupyter_mlops.registry.server import serve

    return serve(bench.store, console, port=arguments.port, auth=not arguments.no_auth)

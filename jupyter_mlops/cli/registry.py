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
    from jupyter_mlops.registry.access import new_token
    from jupyter_mlops.registry.server import Options, serve

    token = None if arguments.no_auth else new_token()
    serve(Options(bench.settings.storage.registry, arguments.port, token), lambda url: _ready(url, token, console))
    console.note("stopped")
    return 0


def _ready(url: str, token: str | None, console: Console) -> None:
    """Say where it is and how to get in; with ``--json`` as one line, while it goes on."""
    from jupyter_mlops.registry.access import USER

    if console.as_json:
        console.emit({"url": url, "user": USER if token else None, "token": token})
        return
    console.line(f"registry at {url}")
    console.out.flush()
    host = url.partition("//")[2]
    if token is None:
        console.note("It asks for no password: every user of this machine may read, write and delete.")
    else:
        console.note(f"  log in: echo {token} | docker login --username {USER} --password-stdin {host}")
        console.note(f"      or: oras login --plain-http --username {USER} --password {token} {host}")
    console.note("Ctrl+C ends it; the folder stays.")

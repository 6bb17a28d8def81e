"""``python -m jupyter_mlops.serving.server MODEL_FOLDER --name NAME``: serve one model.

The token comes from a file, never from the command line, which every user of the machine can read.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from jupyter_mlops.formats.gate import RULES
from jupyter_mlops.serving.server.app import Options, run


def options_of(argv: Sequence[str] | None = None) -> Options:
    """Options from the command line."""
    parser = argparse.ArgumentParser(prog="python -m jupyter_mlops.serving.server", description=__doc__, allow_abbrev=False)
    parser.add_argument("folder", type=Path, help="model folder: mlops.json and one model file")
    parser.add_argument("--name", "--model-name", required=True, help="name by which callers know the model")
    parser.add_argument("--version", default="1", help="version that V2 metadata shows")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    parser.add_argument(
        "--port", "--http-port", type=int, default=0, help="0: any free one, told through --announce-fd and the log"
    )
    parser.add_argument("--socket", type=Path, help="listen on this Unix socket instead")
    parser.add_argument("--token-file", type=Path, help='JSON file with {"token": …} that callers must send as a bearer token')
    parser.add_argument("--body-limit", type=int, default=64 << 20, help="bytes of one request at most")
    parser.add_argument("--grace", type=float, default=10.0, help="seconds for requests in flight after SIGTERM")
    parser.add_argument(
        "--pickles", choices=RULES, default="listed",
        help="models that may run code when they are loaded: never, those of known names (default: listed), or any",
    )  # fmt: skip
    parser.add_argument("--announce-fd", type=int, help="file descriptor for events, a JSON object a line")
    parser.add_argument("--lifeline-fd", type=int, help="file descriptor whose end ends the server")
    args = parser.parse_args(argv)
    token = json.loads(args.token_file.read_text())["token"] if args.token_file else ""
    return Options(
        args.folder, args.name, args.version, args.host, args.port, args.socket, token, args.body_limit, args.grace, args.pickles,
        args.announce_fd, args.lifeline_fd,
    )  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until told to stop."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    logging.captureWarnings(True)
    options = options_of(argv)
    # `-m` put the working folder first on the import path: a file there must not stand in for a package of the model.
    sys.path[:] = [entry for entry in sys.path if entry not in {"", os.getcwd()}]  # noqa: PTH109
    return run(options)


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # threads of the model must not keep a drained server alive

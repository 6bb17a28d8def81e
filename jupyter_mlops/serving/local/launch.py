"""Start a model server for a place, and hear what it says through a pipe."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import PlatformError
from jupyter_mlops.serving.local.interpreter import Interpreter, environment
from jupyter_mlops.serving.local.place import Place
from jupyter_mlops.serving.local.process import identify


@dataclass
class Server:
    """A running model server: its process, the pipe it speaks through, and the pipe it lives by."""

    process: subprocess.Popen[bytes]
    events_fd: int
    lifeline_fd: int
    log_start: int
    """Where in the log this start begins, in bytes."""

    _rest: bytes = b""

    def events(self) -> list[dict[str, Any]] | None:
        """What it said since the last call; None at the end of the pipe."""
        chunk = os.read(self.events_fd, 65536)
        if not chunk:
            return None
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        return [json.loads(line) for line in lines]

    def close(self) -> None:
        """Let go of the pipes; a server that still lives ends by that."""
        os.close(self.events_fd)
        os.close(self.lifeline_fd)


def launch(
    place: Place,
    model: Path,
    interpreter: Interpreter,
    bundle: Path,
    port: int,
    document: Mapping[str, Any],
    limits: Mapping[str, Any],
) -> Server:
    """Start the server; its output is the log of the place. Raises PlatformError if it cannot be started at all."""
    metadata = document["metadata"]
    given = {item["name"]: str(item.get("value", "")) for item in document["spec"]["predictor"]["model"].get("env") or ()}
    said, says = os.pipe()
    lived, lives = os.pipe()
    command = [
        *interpreter.command, "-m", "jupyter_mlops.serving.server", str(model), "--name", metadata["name"],
        "--version", limits.get("version") or "1", "--port", str(port), "--token-file", str(place.secret),
        "--pickles", limits["rule"], "--body-limit", str(limits["body_limit"]), "--grace", str(limits["grace"]),
        "--announce-fd", str(says), "--lifeline-fd", str(lived),
    ]  # fmt: skip
    place.rotate()
    try:
        with place.log.open("ab") as log:
            start = log.tell()
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=model,
                env=environment(interpreter, bundle, given),
                pass_fds=(says, lived),
                start_new_session=True,
            )
    except OSError as error:
        os.close(said)
        os.close(lives)
        raise PlatformError(f"cannot start {command[0]}: {error.strerror}", code="interpreter") from error
    finally:
        os.close(says)
        os.close(lived)
    if identity := identify(process.pid):
        identity.save(place.server_path)
    return Server(process, said, lives, start)

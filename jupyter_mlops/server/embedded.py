"""The registry server inside this Jupyter server, where its owner asks for one: on loopback, on a port of its own.

A port of its own, because tools of containers can neither send Jupyter's token nor live below another path than ``/v2/``; and
loopback, because Jupyter may be open to more people than the models are meant for. The login is written where Jupyter writes its
own, into its runtime folder, readable for the owner alone; it never goes into a log.
"""

from __future__ import annotations

import json
import logging
import os
from contextlib import suppress
from pathlib import Path

from jupyter_mlops.errors import MlopsError
from jupyter_mlops.registry.access import USER, new_token
from jupyter_mlops.registry.server import Listening, Options, listen


class EmbeddedRegistry:
    """One registry server for as long as the Jupyter server lives."""

    def __init__(self, root: Path, port: int, runtime: Path, log: logging.Logger) -> None:
        """Nothing is opened yet.

        Args:
            root: the registry folder.
            port: on 127.0.0.1; 0 for a free one.
            runtime: Jupyter's runtime folder.
            log: where it is said.
        """
        self.file = runtime / f"mlops-registry-{os.getpid()}.json"
        self._options = Options(root, port, new_token())
        self._log = log
        self._listening: Listening | None = None

    def start(self) -> None:
        """Listen in the running loop. A port that is taken stops no notebook: it is said, and there is no registry server."""
        try:
            self._listening = listen(self._options)
        except MlopsError as error:
            self._log.warning("The registry is not served: %s %s", error, error.fix)
            return
        self._tell(self._listening.url)
        self._log.info("Registry at %s; the login is in %s", self._listening.url, self.file)

    async def stop(self) -> None:
        """End it, and take the login away."""
        with suppress(OSError):
            self.file.unlink(missing_ok=True)
        if self._listening is not None:
            await self._listening.close()
            self._listening = None

    def _tell(self, url: str) -> None:
        """Write where it is and how to get in."""
        document = {"url": url, "user": USER, "token": self._options.token, "pid": os.getpid()}
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self.file.unlink(missing_ok=True)  # of a process that had this number before
            handle = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(document, file)
        except OSError as error:
            self._log.warning("The login for the registry could not be written to %s: %s", self.file, error.strerror)

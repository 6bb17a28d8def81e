"""Registries of other people for tests: Docker's own server, started on loopback in a folder, with what a test wants of it.

``docker-registry`` is what most people run, and it is the hard case: no referrers API, no deletion by tag, uploads that do not
survive a cut. It is killed and started again on the same port and folder, so that a test can let it die.
"""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

PROGRAM = "docker-registry"
STARTUP = 30.0
"""Seconds that a server is waited for."""


def free_port() -> int:
    """A port of loopback that nobody listens on this moment."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
    return port


class DockerRegistry:
    """A ``docker-registry`` process; use it as a context.

    Args:
        folder: where it keeps everything.
        auth: its ``auth`` section (htpasswd or token), if any.
        tls: files of certificate and key, if it is to speak HTTPS.
        delete: whether it deletes.
        readonly: whether it takes nothing.
    """

    def __init__(
        self,
        folder: Path,
        *,
        auth: Mapping[str, Any] | None = None,
        tls: tuple[Path, Path] | None = None,
        delete: bool = True,
        readonly: bool = False,
    ) -> None:
        self.folder, self.port, self.tls = folder, free_port(), tls
        self.auth, self.delete, self.readonly = auth, delete, readonly
        self.within: tuple[str, ...] = ()
        """A command that runs the server, with its own as arguments."""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def address(self) -> str:
        """As a document names it."""
        return f"{'https' if self.tls else 'http'}://{self.host}"

    @property
    def log(self) -> str:
        """What it wrote."""
        return (self.folder / "log").read_text(errors="replace")

    def start(self) -> None:
        """Start it, and wait until it listens."""
        program = shutil.which(PROGRAM)
        assert program, f"{PROGRAM} is not on PATH"
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "config.json").write_text(json.dumps(self._configuration()))
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self.within, program, "serve", str(self.folder / "config.json")], stdout=log, stderr=log
            )
        deadline = time.monotonic() + STARTUP
        while not self._listens():
            assert self._process.poll() is None, self.log
            assert time.monotonic() < deadline, f"{PROGRAM} does not listen: {self.log}"
            time.sleep(0.02)

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def collect(self, *, untagged: bool = True) -> str:
        """Run its garbage collection (it must not run meanwhile), and return what it says."""
        command = [PROGRAM, "garbage-collect", *(["-m"] if untagged else []), str(self.folder / "config.json")]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout

    def _configuration(self) -> dict[str, Any]:
        http: dict[str, Any] = {"addr": self.host, "secret": "the same after a restart"}
        if self.tls:
            http["tls"] = {"certificate": str(self.tls[0]), "key": str(self.tls[1])}
        storage = {
            "filesystem": {"rootdirectory": str(self.folder / "data")},
            "delete": {"enabled": self.delete},
            "maintenance": {"readonly": {"enabled": self.readonly}},
        }
        found: dict[str, Any] = {"version": 0.1, "log": {"level": "warn"}, "storage": storage, "http": http}
        return {**found, "auth": self.auth} if self.auth else found

    def _listens(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False

    def __enter__(self) -> DockerRegistry:  # noqa: PYI034 - typing.Self needs Python 3.11
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()

"""A registry of a test's own, which asks for a password, or is stopped and started while a step runs."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cluster.conftest import wait_for

USER, PASSWORD = "me", "pw"
HTPASSWD = f"{USER}:$2b$05$pFIjhF4WUHPQ0G1JXIaZKe9h6un3z/nhSG82UPVL.9Lbi19TCNZum\n"


@dataclass
class OwnRegistry:
    """The registry as a process; pods reach it where they reach the cluster's."""

    host: str
    folder: Path
    password: bool = False
    port: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        return f"http://{self.host}:{self.port}"

    def start(self) -> None:
        """Serve what the folder holds."""
        program = shutil.which("docker-registry")
        if program is None:
            pytest.skip("NOT RUN: docker-registry is not installed")
        if not self.port:
            with socket.socket() as free:
                free.bind((self.host, 0))
                self.port = free.getsockname()[1]
        config = {
            "version": 0.1, "log": {"level": "warn"}, "http": {"addr": f"{self.host}:{self.port}"},
            "storage": {"filesystem": {"rootdirectory": str(self.folder / "data")}},
        }  # fmt: skip
        if self.password:
            (self.folder / "htpasswd").write_text(HTPASSWD)
            config["auth"] = {"htpasswd": {"realm": "test", "path": str(self.folder / "htpasswd")}}
        (self.folder / "config.yml").write_text(json.dumps(config))
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([program, "serve", str(self.folder / "config.yml")], stdout=log, stderr=log)
        wait_for(self._answers, "the registry of the test")

    def stop(self) -> None:
        """End the process; what it holds stays."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(self.address + "/v2/", timeout=5).close()
        except urllib.error.HTTPError as error:
            error.close()
            return error.code == 401
        except OSError:
            return False
        return True


@contextlib.contextmanager
def own_registry(near: str, folder: Path, *, password: bool = False) -> Iterator[OwnRegistry]:
    """A registry on the address where another one is, with a port of its own."""
    registry = OwnRegistry(near.partition(":")[0], folder, password)
    registry.start()
    try:
        yield registry
    finally:
        registry.stop()

"""A registry of a test's own: it asks for a password, has a certificate of a private authority, or is stopped while a step runs."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
    authority: Path | None = None
    """Certificate of the authority that signed its own; None: it speaks plain HTTP."""

    port: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        return f"{'https' if self.authority else 'http'}://{self.host}:{self.port}"

    def start(self) -> None:
        """Serve what the folder holds."""
        program = shutil.which("docker-registry")
        if program is None:
            pytest.skip("NOT RUN: docker-registry is not installed")
        if not self.port:
            with socket.socket() as free:
                free.bind((self.host, 0))
                self.port = free.getsockname()[1]
        config: dict[str, Any] = {
            "version": 0.1, "log": {"level": "warn"}, "http": {"addr": f"{self.host}:{self.port}"},
            "storage": {"filesystem": {"rootdirectory": str(self.folder / "data")}},
        }  # fmt: skip
        if self.authority:
            config["http"]["tls"] = {"certificate": str(self.folder / "own.crt"), "key": str(self.folder / "own.key")}
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
            context = ssl.create_default_context(cafile=str(self.authority)) if self.authority else None
            urllib.request.urlopen(self.address + "/v2/", timeout=5, context=context).close()
        except urllib.error.HTTPError as error:
            error.close()
            return error.code == 401
        except OSError:
            return False
        return True


@contextlib.contextmanager
def own_registry(near: str, folder: Path, *, password: bool = False, tls: bool = False) -> Iterator[OwnRegistry]:
    """A registry on the address where another one is, with a port of its own."""
    host = near.partition(":")[0]
    registry = OwnRegistry(host, folder, password, certified(host, folder) if tls else None)
    registry.start()
    try:
        yield registry
    finally:
        registry.stop()


def certified(host: str, folder: Path) -> Path:
    """A private authority, and a certificate of it for an address (``own.crt``, ``own.key``); returns the authority's."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("NOT RUN: there is no openssl to make a private authority")
    signed = f"-CA ca.crt -CAkey ca.key -addext subjectAltName=IP:{host} -addext basicConstraints=critical,CA:FALSE"
    for words in (
        "-subj /CN=private-authority -keyout ca.key -out ca.crt",
        f"-subj /CN=own -keyout own.key -out own.crt {signed}",
    ):
        command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *words.split()]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder / "ca.crt"

"""Accidents that tests cause: a server of the cluster that is killed, and a registry that goes away."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import pytest

KIT = Path(os.environ.get("CLUSTER_KIT") or Path(__file__).parents[3] / "shared" / "cluster" / "cluster.py")
"""The command that made the cluster: it knows the servers' processes and starts those that are not there."""


def kill(server: str) -> None:
    """Kill one server of the cluster's kit, and nothing else."""
    if not KIT.exists():
        pytest.skip("NOT RUN: CLUSTER_KIT names no kit whose servers may be stopped")
    said = subprocess.run([KIT, "status"], capture_output=True, text=True).stdout
    match = re.search(rf"^{re.escape(server)} +pid (\d+) ", said, re.MULTILINE)
    assert match, said
    os.kill(int(match.group(1)), signal.SIGKILL)


def bring_back() -> None:
    """Start what is not running, and wait for it."""
    subprocess.run([KIT, "up"], check=True, capture_output=True, timeout=170)


class Gate:
    """A way to a registry that can be shut: connections are handed on while it is open, and refused while it is not."""

    def __init__(self, to: str) -> None:
        host, _, port = to.rpartition(":")
        self._to, self._open = (host, int(port)), set[socket.socket]()
        self._listener = self._listen(0)
        self._port = self._listener.getsockname()[1]
        self.address = f"{host}:{self._port}"

    def shut(self) -> None:
        """From now on nobody answers; what was under way breaks off."""
        for one in (self._listener, *tuple(self._open)):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._open.clear()

    def reopen(self) -> None:
        """Answer again, at the same address."""
        self._listener = self._listen(self._port)

    def _listen(self, port: int) -> socket.socket:
        listener = socket.create_server(("0.0.0.0", port))
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                here, _ = listener.accept()
                there = socket.create_connection(self._to)
                self._open |= {here, there}
                for source, target in ((here, there), (there, here)):
                    threading.Thread(target=self._hand_on, args=(source, target), daemon=True).start()

    def _hand_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

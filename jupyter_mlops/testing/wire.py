"""A wire that breaks: a TCP proxy between a client and a server which cuts connections and changes bytes as a test wants."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

_BLOCK = 1 << 16


@dataclass(frozen=True)
class Fault:
    """What happens to one connection; ``None``: not that.

    Args:
        up: bytes from the client after which it is cut.
        down: bytes from the server after which it is cut.
        flip: place of a byte from the server that is changed.
    """

    up: int | None = None
    down: int | None = None
    flip: int | None = None


class Wire:
    """Forwards to ``host:port``; use it as a context. The first connections get the faults, in their order."""

    def __init__(self, upstream: str, faults: Sequence[Fault] = ()) -> None:
        host, _, port = upstream.rpartition(":")
        self._upstream = (host, int(port))
        self.faults = list(faults)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    @property
    def host(self) -> str:
        """What clients are told to connect to."""
        return f"127.0.0.1:{self._listening.getsockname()[1]}"

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            fault = self.faults.pop(0) if self.faults else Fault()
            try:
                server = socket.create_connection(self._upstream, timeout=30)
            except OSError:
                client.close()
                continue
            self._open += [client, server]
            self._start(self._pump, client, server, fault.up, None)
            self._start(self._pump, server, client, fault.down, fault.flip)

    def _pump(self, source: socket.socket, target: socket.socket, cut: int | None, flip: int | None) -> None:
        passed = 0
        with suppress(OSError):
            while block := bytearray(source.recv(_BLOCK if cut is None else min(_BLOCK, cut - passed))):
                if flip is not None and passed <= flip < passed + len(block):
                    block[flip - passed] ^= 1
                target.sendall(block)
                passed += len(block)
                if cut is None or passed < cut:
                    continue
                for each in (source, target):
                    _reset(each)
                return
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _start(self, work: object, *given: object) -> None:
        thread = threading.Thread(target=work, args=given, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def __enter__(self) -> Wire:  # noqa: PYI034 - typing.Self needs Python 3.11
        self._start(self._accept)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=10)
        for each in self._open:
            each.close()


def _reset(connection: socket.socket) -> None:
    """End it as a router would that forgot it."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)

"""A cluster that is a server of the test's own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.cluster import wire
from jupyter_mlops.cluster.client import connect
from tests.unit.cluster.answering import Asked, Reply, Server, answering, kubeconfig

Started = tuple[Any, Server]
Start = Callable[..., Started]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a server that answers as given, and connects to it."""
    with contextlib.ExitStack() as stack:

        def begin(answer: Callable[[Asked], Reply], user: dict[str, Any] | None = None) -> Started:
            server = stack.enter_context(answering(answer))
            return connect(environ=kubeconfig(tmp_path, server.url, user)), server

        yield begin


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that a request would have made; none is made."""
    made: list[float] = []
    monkeypatch.setattr(wire.time, "sleep", made.append)
    return made

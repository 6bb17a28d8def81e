"""A cluster that is a server of the test's own."""

from __future__ import annotations

import contextlib
import subprocess
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


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates signed by themselves: one that is good, one for another name, one that has expired."""
    folder = tmp_path_factory.mktemp("certificates")
    for name, names, begin, end in (
        ("good", "IP:127.0.0.1", "20200101000000Z", "20990101000000Z"),
        ("other", "DNS:elsewhere.example", "20200101000000Z", "20990101000000Z"),
        ("old", "IP:127.0.0.1", "20200101000000Z", "20200102000000Z"),
        ("early", "IP:127.0.0.1", "20980101000000Z", "20990101000000Z"),
    ):
        here = folder / f"of-{name}"
        here.mkdir()
        (here / "index.txt").touch()
        (here / "serial").write_text("01")
        (here / "ca.cnf").write_text(
            "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\nx509_extensions=e\n"
            f"[p]\ncommonName=supplied\n[e]\nsubjectAltName={names}\nbasicConstraints=CA:TRUE\n[req]\ndistinguished_name=n\n[n]\n"
        )
        asked = ["req", "-config", "ca.cnf", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        made = ["ca", "-batch", "-config", "ca.cnf", "-selfsign", "-keyfile", "key", "-in", "request", "-out", "cert", "-notext"]
        for arguments in (
            [*asked, "-keyout", "key", "-out", "request", "-subj", f"/CN={name}"],
            [*made, "-startdate", begin, "-enddate", end],
        ):
            subprocess.run(["openssl", *arguments], cwd=here, check=True, capture_output=True)
        (folder / f"{name}.pem").write_text((here / "cert").read_text() + (here / "key").read_text())
    return folder

"""The registry served inside a Jupyter server: only when asked for, with a login that only its owner can read."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import AsyncHTTPClient
from traitlets import TraitError
from traitlets.config import Config

from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.server.app import MlopsApp
from jupyter_mlops.server.embedded import EmbeddedRegistry


class TestServed:
    """With ``MlopsApp.registry_port``."""

    @pytest.fixture
    def jp_server_config(self, mlops_home: Any) -> dict[str, Any]:
        return {
            "ServerApp": {"jpserver_extensions": {"jupyter_mlops": True}},
            "MlopsApp": {"home": str(mlops_home), "registry_port": 0},
        }

    async def test_it_is_there_with_the_server_and_goes_with_it(self, app: Any, jp_serverapp: Any, mlops_home: Path) -> None:
        Layout(mlops_home / "registry").put_manifest(
            "a", {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}, tags=["v1"]
        )
        file = Path(jp_serverapp.runtime_dir) / f"mlops-registry-{os.getpid()}.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        told = json.loads(file.read_text())
        assert told["url"].startswith("http://127.0.0.1:")
        client = AsyncHTTPClient()
        tags = await client.fetch(f"{told['url']}/v2/a/tags/list", auth_username=told["user"], auth_password=told["token"])
        assert json.loads(tags.body)["tags"] == ["v1"]
        refused = await client.fetch(f"{told['url']}/v2/a/tags/list", raise_error=False)
        assert refused.code == 401
        await app.registry.stop()
        assert not file.exists()
        with pytest.raises(OSError, match="refused"):
            await client.fetch(f"{told['url']}/v2/")
        await app.registry.stop()


def test_without_the_setting_nothing_listens(app: Any, jp_serverapp: Any) -> None:
    assert app.registry is None
    assert not list(Path(jp_serverapp.runtime_dir).glob("mlops-registry-*"))


@pytest.mark.parametrize("port", [-1, 65536])
def test_ports_that_cannot_be(port: int) -> None:
    with pytest.raises(TraitError):
        MlopsApp(config=Config({"MlopsApp": {"registry_port": port}}))


def test_a_port_that_is_taken_stops_no_notebook(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def attempt(port: int) -> None:
        registry = EmbeddedRegistry(tmp_path / "registry", port, tmp_path / "runtime", logging.getLogger("test"))
        registry.start()
        assert not registry.file.exists()
        await registry.stop()

    with socket.create_server(("127.0.0.1", 0)) as taken:
        asyncio.run(attempt(taken.getsockname()[1]))
    assert "not served" in caplog.text


def test_the_login_is_in_no_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    (tmp_path / "file").write_text("in the way")

    async def attempt(runtime: Path) -> None:
        registry = EmbeddedRegistry(tmp_path / "registry", 0, runtime, logging.getLogger("test"))
        registry.start()
        told = json.loads(registry.file.read_text()) if registry.file.exists() else {}
        await registry.stop()
        assert not told or told["token"] not in caplog.text

    asyncio.run(attempt(tmp_path / "runtime"))
    assert "Registry at http://127.0.0.1:" in caplog.text
    asyncio.run(attempt(tmp_path / "file" / "below"))
    assert "could not be written" in caplog.text

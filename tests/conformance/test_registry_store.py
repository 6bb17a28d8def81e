"""Every store passes the suite that third parties run on theirs.

On this machine: the folder, our own server over it, and Docker's server where it is on PATH. ``tests/cluster`` runs it on the
registries of a cluster.
"""

import base64
import json
import shutil
from pathlib import Path

import pytest

from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.remote import Remote
from jupyter_mlops.testing.embedded import embedded_registry
from jupyter_mlops.testing.registries import PROGRAM, DockerRegistry
from jupyter_mlops.testing.registry import RegistryConformance, StoreConformance


class TestLayout(StoreConformance, RegistryConformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Layout:
        return Layout(tmp_path / "a folder with spaces, % and ü")


class TestRemote(StoreConformance, RegistryConformance):
    """Through our own server, logged in by Docker's configuration, below a base path."""

    @pytest.fixture
    def store(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        with embedded_registry(tmp_path / "registry", "a-token") as address:
            auth = base64.b64encode(b"mlops:a-token").decode()
            (tmp_path / "config.json").write_text(json.dumps({"auths": {address.removeprefix("http://"): {"auth": auth}}}))
            monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
            yield Remote(f"{address}/team/project")


@pytest.mark.skipif(shutil.which(PROGRAM) is None, reason=f"{PROGRAM} is not on PATH: its ways are NOT tested on this machine")
class TestDockerRegistry(StoreConformance, RegistryConformance):
    """Without referrers API, and below a base path."""

    @pytest.fixture
    def store(self, tmp_path: Path):
        with DockerRegistry(tmp_path / "docker") as registry:
            yield Remote(f"{registry.address}/team/project")

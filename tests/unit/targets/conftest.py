"""A person with a kubeconfig of two contexts, and a cluster in memory behind each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_mlops.settings import Settings
from jupyter_mlops.targets.find import Targets
from jupyter_mlops.targets.probes.namespace import QUOTAS
from jupyter_mlops.testing.cluster import KINDS, FakeCluster

KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: dev
contexts:
- {name: dev, context: {cluster: one, user: me, namespace: ml}}
- {name: prod, context: {cluster: two, user: me}}
- {name: local, context: {cluster: one, user: me, namespace: mine}}
clusters:
- {name: one, cluster: {server: "https://one.example:6443"}}
- {name: two, cluster: {server: "https://two.example:6443"}}
users:
- {name: me, user: {token: hidden-token}}
"""

Make = Callable[..., Targets]


@pytest.fixture
def settings(mlops_home: Path) -> Settings:
    base = Settings()
    return replace(base, storage=replace(base.storage, home=mlops_home))


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG)
    path.chmod(0o600)
    return path


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster(namespace="ml", context="dev", kinds=(*KINDS, QUOTAS))


@pytest.fixture
def make(settings: Settings, kubeconfig: Path, cluster: FakeCluster) -> Make:
    """``make(JUPYTER_MLOPS_TARGET="prod")``: the targets of somebody with these variables."""

    def made(**environ: str) -> Targets:
        return Targets(settings, {"KUBECONFIG": str(kubeconfig), **environ}, lambda _context, _namespace: cluster)

    return made

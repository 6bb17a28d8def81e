"""Argo passes the conformance suite of the engine port, on the cluster that KUBECONFIG names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.cluster.base import Cluster
from jupyter_mlops.cluster.client import connect
from jupyter_mlops.engine.argo.engine import ArgoEngine
from jupyter_mlops.engine.base import Run, Submission
from jupyter_mlops.errors import MlopsError
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.settings import Settings, Storage, Target
from jupyter_mlops.testing.engine import RUNS, EngineConformance, Step, wait, workflow
from tests.cluster.conftest import fresh_namespace

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    try:
        found = connect()
        found.version()
    except MlopsError as error:
        pytest.skip(f"NO CLUSTER: {error.message}. {error.fix}")
    return found


def document(*steps: Step, **options: Any) -> dict[str, Any]:
    image = os.environ.get("CLUSTER_PYTHON_IMAGE") or pytest.skip("NOT RUN: CLUSTER_PYTHON_IMAGE is not set")
    return workflow(*steps, image=image, **options)


@pytest.fixture(scope="module")
def argo(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArgoEngine]:
    home: Path = tmp_path_factory.mktemp("argo")
    settings = Settings(storage=Storage(home=home))
    with fresh_namespace(cluster, "h-argo-suite") as namespace:
        yield ArgoEngine(settings, cluster, Target("kit", namespace=namespace), Layout(home / "registry"))


@pytest.fixture(scope="module")
def begun(argo: ArgoEngine) -> dict[str, str]:
    """All runs of the table at once: a step takes a cluster some seconds, whatever it does."""
    made = {key: document(*steps, **options) for key, (steps, options) in RUNS.items()}
    return {key: argo.submit(Submission(workflow)).name for key, workflow in made.items()}


class TestArgoEngine(EngineConformance):
    seconds = 180
    reaction = 6.0

    @pytest.fixture
    def engine(self, argo: ArgoEngine) -> ArgoEngine:
        return argo

    def document(self, *steps: Step, **options: Any) -> dict[str, Any]:
        return document(*steps, **options)

    @pytest.fixture
    def finished(self, argo: ArgoEngine, begun: dict[str, str]) -> Callable[[str], Run]:
        return lambda key: wait(argo, begun[key], seconds=self.seconds)

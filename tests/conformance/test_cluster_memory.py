"""The suite of the port of clusters, on the one in memory."""

from __future__ import annotations

import pytest

from jupyter_mlops.testing.cluster import FakeCluster
from jupyter_mlops.testing.cluster_suite import ClusterConformance


class TestClusterInMemory(ClusterConformance):
    @pytest.fixture
    def cluster(self) -> FakeCluster:
        return FakeCluster()

    @pytest.fixture
    def namespace(self) -> str:
        return "ml"

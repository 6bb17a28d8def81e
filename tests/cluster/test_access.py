"""Access to a real cluster: the suite of the port, credentials of every kind, and what people see when it fails."""

from __future__ import annotations

import pytest

from jupyter_mlops.testing.cluster_suite import ClusterConformance

pytestmark = pytest.mark.cluster


class TestRealCluster(ClusterConformance):
    """The fixtures are those of ``conftest.py``."""

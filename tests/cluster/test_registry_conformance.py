"""The suite of the store on the cluster's registries: one without and one with the referrers API.

Each test has a base of its own, so that what others push is not seen. Nothing is taken away at the end: the registries of a
test cluster are the cluster's to keep.
"""

from __future__ import annotations

import os
import uuid

import pytest

from jupyter_mlops.oci.remote import Remote
from jupyter_mlops.testing.registry import RegistryConformance, StoreConformance

pytestmark = pytest.mark.cluster


def fresh_store(variable: str) -> Remote:
    """A part of the registry that a variable names which nobody else uses."""
    host = os.environ.get(variable)
    if not host:
        pytest.skip(f"{variable} IS NOT SET: that registry is not tested")
    address = host if "://" in host else f"http://{host}"
    return Remote(f"{address}/h-registry/{uuid.uuid4().hex[:12]}")


class TestWithoutReferrers(StoreConformance, RegistryConformance):
    @pytest.fixture
    def store(self) -> Remote:
        return fresh_store("CLUSTER_REGISTRY")


class TestWithReferrers(StoreConformance, RegistryConformance):
    @pytest.fixture
    def store(self) -> Remote:
        return fresh_store("CLUSTER_REGISTRY_OCI11")

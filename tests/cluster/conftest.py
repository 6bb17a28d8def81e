"""What the tests on a real cluster share: the cluster that KUBECONFIG names, and a namespace of each test's own.

They run on whatever cluster is named, so they touch nothing but the namespaces that they make. The registries and the image
come from variables; a test that needs one is skipped, with the variable's name, where it is not set.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Callable, Iterator

import pytest

from jupyter_mlops.cluster.base import NAMESPACES, SERVICE_ACCOUNTS, Cluster, Kind
from jupyter_mlops.cluster.client import connect
from jupyter_mlops.errors import Conflict, MlopsError, NotFound, Unavailable

ROLES = Kind("rbac.authorization.k8s.io", "v1", "roles", "Role")
ROLE_BINDINGS = Kind("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding")


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The cluster of KUBECONFIG's current context, or of the pod that the tests run in."""
    try:
        found = connect()
        found.version()
    except MlopsError as error:
        pytest.skip(f"NO CLUSTER: {error.message}. {error.fix}")
    return found


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A fresh namespace with the one Role that Argo needs in it; deleted at the end, without waiting for that."""
    with fresh_namespace(cluster) as name:
        yield name


@contextlib.contextmanager
def fresh_namespace(cluster: Cluster, prefix: str = "h-test", labels: dict[str, str] | None = None) -> Iterator[str]:
    """A namespace as an administrator gives it to a team: the steps' account may report to Argo and nothing else."""
    name = f"{prefix}-{secrets.token_hex(4)}"
    patiently(lambda: cluster.create(NAMESPACES, {"metadata": {"name": name, "labels": labels or {}}}))
    try:
        rule = {"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]}
        allow(cluster, name, "default", [rule], role="argo-executor")
        wait_for(lambda: _there(cluster, name), f"the default account of {name}")
        yield name
    finally:
        with contextlib.suppress(NotFound, Conflict):
            patiently(lambda: cluster.delete(NAMESPACES, name))


def allow(cluster: Cluster, namespace: str, account: str, rules: list[dict[str, list[str]]], role: str = "") -> None:
    """Give a service account of a namespace these rights in it."""
    role = role or f"{account}-role"
    cluster.create(ROLES, {"metadata": {"name": role}, "rules": rules}, namespace)
    binding = {
        "metadata": {"name": role},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
    }
    cluster.create(ROLE_BINDINGS, binding, namespace)


def patiently(call: Callable[[], object], seconds: float = 60.0) -> object:
    """Make a call, again while the server does not answer: tests beside this one restart it."""
    end = time.monotonic() + seconds
    while True:
        try:
            return call()
        except Unavailable:  # noqa: PERF203 - a network, not a computation
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def wait_for(condition: Callable[[], object], what: str, seconds: float = 120.0) -> None:
    """Wait until a condition holds; what it is waited for is in the failure."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what}: not after {seconds:.0f} s"
        time.sleep(0.05)


def _there(cluster: Cluster, namespace: str) -> bool:
    """Whether the namespace has its default account, without which no pod starts."""
    try:
        cluster.get(SERVICE_ACCOUNTS, "default", namespace)
    except NotFound:
        return False
    return True


def _variable(name: str) -> str:
    """A variable that says what the cluster has."""
    value = os.environ.get(name, "")
    if not value:
        pytest.skip(f"NOT RUN: {name} is not set")
    return value


@pytest.fixture(scope="session")
def registry() -> str:
    """Host and port of a registry that the cluster's nodes can pull from, without the referrers API, over plain HTTP."""
    return _variable("CLUSTER_REGISTRY")


@pytest.fixture(scope="session")
def registry_oci11() -> str:
    """The same of a registry with the referrers API of OCI 1.1."""
    return _variable("CLUSTER_REGISTRY_OCI11")


@pytest.fixture(scope="session")
def python_image() -> str:
    """An image with Python and what the notebooks of the tests import."""
    return _variable("CLUSTER_PYTHON_IMAGE")

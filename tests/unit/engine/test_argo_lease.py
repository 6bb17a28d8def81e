"""Which lease says when Argo's controller was last alive: that of the installation, of a team's own, or of one of several."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.cluster.base import LEASES, NAMESPACES, WORKFLOWS
from jupyter_mlops.engine.argo.looking import INSTANCE, Looking
from jupyter_mlops.engine.argo.reports import Reports
from jupyter_mlops.engine.argo.telling import Tellings
from jupyter_mlops.engine.times import moment
from jupyter_mlops.errors import NotAllowed
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.testing.cluster import FakeCluster

EARLY, LATE = "2026-01-01T00:00:00.000000Z", "2026-01-01T00:10:00.000000Z"


def workflow(instance: str = "", phase: str = "Running") -> dict[str, Any]:
    labels = {INSTANCE: instance} if instance else {}
    return {"metadata": {"name": "w", "namespace": "ml", "labels": labels}, "status": {"phase": phase}}


def seen(cluster: FakeCluster, document: dict[str, Any], tmp_path: Path) -> float | None:
    store = Layout(tmp_path)
    return Looking(cluster, "ml", Tellings(cluster, "ml"), Reports(store)).scene(document, 0).controller_seen


@pytest.mark.parametrize(
    ("leases", "instance", "said"),
    [
        ({}, "", None),
        ({("argo", "workflow-controller"): EARLY}, "", EARLY),
        ({("ml", "workflow-controller"): EARLY}, "", EARLY),
        ({("argo", "workflow-controller"): EARLY, ("ml", "workflow-controller"): LATE}, "", EARLY),
        ({("argo", "workflow-controller"): EARLY, ("argo", "workflow-controller-blue"): LATE}, "blue", LATE),
        ({("ml", "workflow-controller-blue"): LATE}, "blue", LATE),
        ({("argo", "workflow-controller"): EARLY}, "blue", None),
    ],
)
def test_the_lease_of_the_controller_that_is_meant(
    leases: dict[tuple[str, str], str], instance: str, said: str | None, tmp_path: Path
) -> None:
    cluster = FakeCluster()
    cluster.create(NAMESPACES, {"metadata": {"name": "argo"}})
    for (namespace, name), renewed in leases.items():
        cluster.create(LEASES, {"metadata": {"name": name}, "spec": {"renewTime": renewed}}, namespace)
    assert seen(cluster, workflow(instance), tmp_path) == (moment(said) if said else None)


def test_a_lease_that_may_not_be_read_says_nothing(tmp_path: Path) -> None:
    cluster = FakeCluster()
    cluster.fail_next(NotAllowed("no", code="cluster-forbidden"), "get", LEASES, times=2)
    assert seen(cluster, workflow(), tmp_path) is None


def test_a_run_that_is_over_asks_for_no_lease(tmp_path: Path) -> None:
    cluster = FakeCluster()
    cluster.put(WORKFLOWS, workflow(phase="Succeeded"))
    assert seen(cluster, workflow(phase="Succeeded"), tmp_path) is None
    assert not [call for call in cluster.calls if call.kind == LEASES]

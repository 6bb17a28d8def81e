"""Whether a cluster has Argo: before a run, and when a run has vanished while somebody watched it."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_mlops.cluster.base import PODS, WORKFLOWS
from jupyter_mlops.engine.argo.engine import ArgoEngine
from jupyter_mlops.engine.argo.installed import check_argo, check_not_removed
from jupyter_mlops.engine.base import Submission
from jupyter_mlops.errors import MlopsError, NotAllowed, NotFound, PlatformError, Unavailable
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.settings import Settings, Storage, Target
from jupyter_mlops.testing.cluster import FakeCluster
from jupyter_mlops.testing.engine import workflow

REMOVED = NotFound("Argo Workflows is being removed from the cluster", code="no-such-kind")


def test_a_cluster_with_argo_is_asked_for_nothing_more() -> None:
    cluster = FakeCluster()
    check_argo(cluster)
    check_not_removed(cluster, "ml")
    assert cluster.list(WORKFLOWS, "ml").items == (), "the probe is never created"


def test_a_cluster_without_argo_is_told_with_what_to_install() -> None:
    with pytest.raises(PlatformError, match="has no Argo Workflows") as said:
        check_argo(FakeCluster(kinds=(PODS,)))
    assert (said.value.code, said.value.blame) == ("no-argo", "platform")
    assert "3.6 or newer" in said.value.fix


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (REMOVED, True),
        (NotFound('namespaces "ml" not found', code="namespace-not-found"), False),
        (NotAllowed("no", code="cluster-forbidden"), False),
        (Unavailable("away", code="cluster-unreachable"), False),
    ],
    ids=lambda value: getattr(value, "code", None),
)
def test_only_a_removal_is_told_when_a_run_has_vanished(failure: MlopsError, told: bool, tmp_path: Path) -> None:
    cluster = FakeCluster()
    settings = Settings(storage=Storage(home=tmp_path / "home"))
    engine = ArgoEngine(settings, cluster, Target("kit", namespace="ml"), Layout(tmp_path / "registry"))
    run = engine.submit(Submission(workflow(("a", ""), name="gone")))
    watching = engine.watch(run.name)
    next(watching)
    cluster.fail_next(failure, "create", WORKFLOWS)
    cluster.remove(WORKFLOWS, run.name)
    if told:
        with pytest.raises(NotFound, match="being removed"):
            list(watching)
    else:
        assert list(watching) == []

"""The cluster's own runtimes: which fit, and what is said where they may not be looked at."""

import pytest

from jupyter_mlops.cluster.base import CLUSTER_SERVING_RUNTIMES, SERVING_RUNTIMES
from jupyter_mlops.errors import NotFound
from jupyter_mlops.serving.kserve.runtimes import runtimes
from jupyter_mlops.testing.cluster import KINDS, FakeCluster


def runtime(name, *formats, **spec):
    known = [{"name": each, "version": "1"} for each in formats]
    return {"metadata": {"name": name}, "spec": {"supportedModelFormats": known, "containers": [{"image": f"{name}:1"}], **spec}}


@pytest.fixture
def cluster():
    made = FakeCluster()
    made.put(CLUSTER_SERVING_RUNTIMES, runtime("sk", "sklearn", protocolVersions=["v1", "v2"]))
    made.put(CLUSTER_SERVING_RUNTIMES, runtime("mlserver", "sklearn", "sklearn", "xgboost"))
    made.put(CLUSTER_SERVING_RUNTIMES, runtime("off", "sklearn", disabled=True))
    made.put(SERVING_RUNTIMES, runtime("sk", "sklearn", "own"))
    return made


def test_those_that_fit_by_name_and_the_namespaces_own_first(cluster):
    found = runtimes(cluster, "ml", "sklearn")
    assert [(each.name, each.everywhere) for each in found.found] == [("mlserver", True), ("sk", False)]
    assert found.found[0].formats == ("sklearn", "xgboost")
    assert found.found[1].images == ("sk:1",)
    assert found.unseen == ""
    assert [each.name for each in runtimes(cluster, "ml").found] == ["mlserver", "sk"]
    assert runtimes(cluster, "ml", "onnx").found == ()


def test_one_that_is_not_there_is_told_with_those_that_are(cluster):
    found = runtimes(cluster, "ml")
    assert found.get("sk").protocols == ()
    with pytest.raises(NotFound) as caught:
        found.get("nothing")
    assert caught.value.code == "runtime-not-found"
    assert "mlserver, sk" in caught.value.fix


def test_where_they_may_not_be_listed_a_name_is_taken_on_trust(cluster):
    cluster.forbid("list", CLUSTER_SERVING_RUNTIMES)
    found = runtimes(cluster, "ml")
    assert [each.name for each in found.found] == ["sk"]
    assert found.unseen == "clusterservingruntimes may not be listed: type the runtime's name"
    assert found.get("anything") is None


def test_a_cluster_may_lack_the_kind():
    bare = FakeCluster(kinds=[kind for kind in KINDS if kind != CLUSTER_SERVING_RUNTIMES])
    bare.put(SERVING_RUNTIMES, runtime("own", "sklearn"))
    assert [each.name for each in runtimes(bare, "ml").found] == ["own"]

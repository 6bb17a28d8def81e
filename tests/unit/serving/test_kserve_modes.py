"""How a model gets into its pod: the choice from facts, in its order, and the words for it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.cluster.base import NODES
from jupyter_mlops.errors import PlatformError, WrongUsage
from jupyter_mlops.serving.kserve.facts import check_kserve, facts, kserve_version, node_runtimes, refused_modes
from jupyter_mlops.serving.kserve.modes import CAR, FETCH, MODES, NATIVE, PULLER, Facts, choose, mounts_images, refusal
from jupyter_mlops.testing.cluster import KINDS, FakeCluster

NEW = Facts((1, 35), (0, 20), ("containerd://2.2.9",))
OLD = Facts((1, 31), (0, 18), ("containerd://1.7.1",))


@pytest.mark.parametrize(
    ("facts_", "name", "certain", "words"),
    [
        (NEW, NATIVE, True, "the nodes mount the model's image"),
        (replace(NEW, kubernetes=(1, 36), kserve=(0, 21)), NATIVE, True, "copies nothing"),
        (replace(NEW, nodes=None), NATIVE, False, "cannot be asked"),
        (replace(NEW, nodes=("containerd://2.2.9", "containerd://2.0.5")), PULLER, True, "containerd://2.0.5"),
        (replace(NEW, nodes=("cri-o://1.31.0",)), NATIVE, True, "mount"),
        (replace(NEW, nodes=("cri-o://1.30.9",)), PULLER, True, "cri-o://1.30.9"),
        (replace(NEW, nodes=("docker://24.0.1",)), PULLER, True, "docker"),
        (replace(NEW, kubernetes=(1, 34)), PULLER, True, "image volumes need Kubernetes 1.35, this is 1.34"),
        (replace(NEW, kserve=(0, 15)), PULLER, True, "needs KServe 0.20, this one is older"),
        (replace(NEW, kserve=None), PULLER, True, "version of KServe is not known"),
        (replace(NEW, kubernetes=(1, 34), kserve=(0, 21)), FETCH, True, "KServe fetches the model"),
        (replace(NEW, kubernetes=(1, 34), kserve=(0, 21), plain_http=True), PULLER, True, "plain HTTP"),
        (replace(NEW, refused=frozenset({NATIVE})), PULLER, True, "it was tried here and did not work"),
        (replace(NEW, refused=frozenset({NATIVE}), kserve=(0, 21)), FETCH, True, "not oci+native"),
        (replace(OLD, shell=True), CAR, True, "has a shell"),
        (OLD, PULLER, True, "which works everywhere"),
    ],
)
def test_the_first_way_that_works_is_taken_and_says_why(facts_, name, certain, words):
    mode = choose(facts_)
    assert (mode.name, mode.certain) == (name, certain)
    assert words in mode.reason


@pytest.mark.parametrize(
    ("facts_", "wanted", "words"),
    [
        (NEW, "s3", "'s3' is not a way"),
        (NEW, FETCH, "needs KServe 0.21"),
        (NEW, CAR, "no shell"),
        (OLD, NATIVE, "need Kubernetes 1.35, this is 1.31"),
        (replace(NEW, puller=False), PULLER, "no place for our puller"),
    ],
)
def test_what_is_known_not_to_work_is_refused(facts_, wanted, words):
    with pytest.raises(WrongUsage) as caught:
        choose(facts_, wanted)
    assert words in caught.value.message
    assert (caught.value.code, caught.value.where.field) == ("mode-not-supported", "mode")
    assert caught.value.fix


def test_a_runtime_of_an_old_cluster_has_no_way_and_that_is_said():
    with pytest.raises(WrongUsage, match="cannot bring the model into the pod") as caught:
        choose(replace(OLD, puller=False))
    assert all(name in caught.value.message for name in MODES)
    assert "our own model server" in caught.value.fix


versions = st.tuples(st.integers(0, 2), st.integers(0, 50))


@given(
    st.builds(
        Facts,
        kubernetes=versions,
        kserve=st.none() | versions,
        nodes=st.none()
        | st.lists(st.sampled_from(["containerd://2.1.0", "containerd://1.6.0", "cri-o://1.32.1", "x"]), min_size=1).map(tuple),
        plain_http=st.booleans(),
        shell=st.booleans(),
        refused=st.frozensets(st.sampled_from([NATIVE, FETCH])),
    )
)
def test_our_own_server_always_finds_a_way(known):
    mode = choose(known)
    assert mode.name in MODES
    assert mode.reason
    assert mode.name not in known.refused
    assert choose(known, mode.name).name == mode.name


@pytest.mark.parametrize(
    ("runtime", "mounts"),
    [
        ("containerd://2.1.0", True),
        ("containerd://2.2.9-k3s1", True),
        ("containerd://3.0.0", True),
        ("containerd://v2.1.4", True),
        ("containerd://2.0.9", False),
        ("containerd://1.7.27", False),
        ("cri-o://1.31.0", True),
        ("cri-o://1.30.4", False),
        ("docker://27.1.1", False),
        ("", False),
        ("containerd", False),
    ],
)
def test_which_nodes_mount_a_folder_of_an_image(runtime, mounts):
    assert mounts_images(runtime) is mounts


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            'failed to generate container "x" spec: failed to generate spec: failed to mkdir "": mkdir : no such file or directory',
            True,
        ),
        ("image volume is not supported by this runtime", True),
        ("ImageVolume feature is not enabled", True),
        (
            'failed to do request: Head "https://r:5000/v2/models/m/manifests/x": http: server gave HTTP response to HTTPS client: r:5000/models/m@x',
            True,
        ),
        ("pulling image r:5000/models/m@x: x509: certificate signed by unknown authority", True),
        ("pulling image other:1: x509: certificate signed by unknown authority", False),
        ('Back-off pulling image "r:5000/models/m@x": not found', False),
        ('ImageVolumeMountFailed: failed to ensure image subpath "models"', False),
        ("", False),
    ],
)
def test_only_what_another_way_would_mend_leads_to_it(text, found):
    assert bool(refusal(("irrelevant", text), "r:5000/models/m@x")) is found


# -- facts -------------------------------------------------------------------------------------------------------------------


def node(name, runtime, **spec):
    return {
        "metadata": {"name": name},
        "spec": spec,
        "status": {"nodeInfo": {"containerRuntimeVersion": runtime, "operatingSystem": spec.pop("os", "linux")}},
    }


def test_versions_are_told_from_the_fields_that_the_cluster_knows():
    cluster = FakeCluster()
    assert kserve_version(cluster) is None
    for known, version in ({"spec.predictor"}, (0, 15)), ({"spec.canary"}, (0, 20)), ({"spec.canary", "spec.tracing"}, (0, 21)):
        cluster.behaviour.fields["inferenceservices"] = frozenset(known)
        assert kserve_version(cluster) == version


def test_nodes_that_take_no_pods_do_not_count_and_closed_ones_leave_it_open():
    cluster = FakeCluster()
    assert node_runtimes(cluster) is None
    cluster.put(NODES, node("a", "containerd://2.2.0"))
    cluster.put(NODES, node("b", "containerd://1.6.0", unschedulable=True))
    cluster.put(NODES, node("c", "containerd://1.6.0", os="windows"))
    assert node_runtimes(cluster) == ("containerd://2.2.0",)
    cluster.forbid("list", NODES)
    assert node_runtimes(cluster) is None


def test_all_facts_together_choose():
    cluster = FakeCluster()
    cluster.behaviour.fields["inferenceservices"] = frozenset({"spec.canary"})
    cluster.put(NODES, node("a", "containerd://2.2.0"))
    known = facts(cluster, [], registry="http://r:5000")
    assert known == Facts((1, 35), (0, 20), ("containerd://2.2.0",), plain_http=True)
    tried = [{"metadata": {"annotations": {"jupyter-mlops.github.io/mode-refused": NATIVE}}}, {"metadata": {}}]
    assert refused_modes(tried) == {NATIVE}
    assert choose(facts(cluster, tried, registry="https://r")).name == PULLER


def test_a_cluster_without_kserve_names_what_to_install():
    check_kserve(FakeCluster())
    bare = FakeCluster(kinds=[kind for kind in KINDS if kind.group != "serving.kserve.io"])
    with pytest.raises(PlatformError) as caught:
        check_kserve(bare)
    assert caught.value.code == "no-kserve"
    assert "KServe 0.18 or newer in Standard mode" in caught.value.fix

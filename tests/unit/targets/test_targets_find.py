"""Which targets there are, and who wins where several say something."""

from __future__ import annotations

import json
import stat

import pytest

from jupyter_mlops.cluster import kubeconfig as kubeconfig_module
from jupyter_mlops.cluster.base import CONFIG_MAPS, NAMESPACES
from jupyter_mlops.errors import MlopsError, NotAllowed, NotFound, Unavailable, WrongUsage
from jupyter_mlops.settings import Target
from jupyter_mlops.targets import find
from jupyter_mlops.targets.values import KEYS


def says(cluster, place="ml", **data):
    cluster.put(NAMESPACES, {"metadata": {"name": place}})
    cluster.put(CONFIG_MAPS, {"metadata": {"name": "jupyter-mlops"}, "data": data}, place)


def test_this_machine_is_first_and_every_context_is_one(make):
    listed = make().list()
    assert [(found.target.name, found.target.context, found.target.namespace) for found in listed] == [
        ("local", "", ""),
        ("dev", "dev", "ml"),
        ("prod", "prod", "default"),
        ("local-cluster", "local", "mine"),
    ]
    assert [found.title for found in listed][:2] == ["This machine", "one, namespace ml"]
    assert listed[1].server == "https://one.example:6443"
    assert "hidden-token" not in repr(listed)


def test_without_a_kubeconfig_there_is_this_machine_alone(settings, tmp_path):
    targets = find.Targets(settings, {"HOME": str(tmp_path)})
    assert [found.target for found in targets.list()] == [Target()]
    assert targets.default == "local"
    assert targets.get().local
    with pytest.raises(NotFound) as caught:
        targets.get("dev")
    assert caught.value.code == "target-not-found"


def test_listing_and_finding_contact_nothing(make, cluster):
    targets = make()
    targets.list()
    targets.find("dev")
    targets.health("dev")
    assert cluster.calls == []


@pytest.mark.parametrize(
    ("asked", "said"), [("deb", "Did you mean dev? There are local, dev, prod, local-cluster"), ("zzz", "There are local, dev")]
)
def test_an_unknown_target_lists_those_that_there_are(make, asked, said):
    with pytest.raises(NotFound) as caught:
        make().get(asked)
    assert caught.value.code == "target-not-found"
    assert asked in caught.value.message
    assert caught.value.fix.startswith(said)


# -- who wins ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "mine", "namespace", "expected"),
    [
        ({}, {}, {}, ""),
        ({}, {}, {"image": "theirs:1"}, "theirs:1"),
        ({}, {"image": "mine:1"}, {"image": "theirs:1"}, "mine:1"),
        ({"JUPYTER_MLOPS_TARGET_IMAGE": "env:1"}, {"image": "mine:1"}, {"image": "theirs:1"}, "env:1"),
        ({"JUPYTER_MLOPS_TARGET_IMAGE": ""}, {"image": "mine:1"}, {"image": "theirs:1"}, "theirs:1"),
        ({"JUPYTER_MLOPS_TARGET": "prod", "JUPYTER_MLOPS_TARGET_IMAGE": "env:1"}, {"image": "mine:1"}, {}, "mine:1"),
        ({"JUPYTER_MLOPS_TARGET": "dev", "JUPYTER_MLOPS_TARGET_IMAGE": "env:1"}, {}, {}, "env:1"),
    ],
)
def test_who_wins(make, cluster, environ, mine, namespace, expected):
    targets = make(**environ)
    targets.set("dev", mine)
    if namespace:
        says(cluster, **namespace)
    assert targets.get("dev").image == expected


def test_the_namespace_fills_in_everything_but_itself(make, cluster):
    given = {
        "registry": "http://10.0.0.1:5000",
        "registry-here": "localhost:5000",
        "image": "team/python:3.11",
        "service_account": "runner",
        "pull_secret": "pull",
        "mirrors": "docker.io/=mirror.example/hub/\nquay.io/=mirror.example/quay/",
        "ca": "authorities",
        "queue": "gpu",
    }
    says(cluster, **given, namespace="elsewhere", imgae="x:1", bogus="1")
    targets = make()
    assert targets.get("dev") == Target(
        "dev", "dev", "ml", "http://10.0.0.1:5000", "https://localhost:5000", "team/python:3.11", "runner", "pull",
        {"docker.io/": "mirror.example/hub/", "quay.io/": "mirror.example/quay/"}, "authorities", "gpu",
    )  # fmt: skip
    problems = targets.says(targets.find("dev")).problems
    assert "imgae: no such setting; did they mean image?" in problems
    assert any(problem.startswith("namespace: no such setting") for problem in problems)


def test_a_value_that_cannot_be_right_is_a_finding_and_no_failure(make, cluster):
    says(cluster, registry="ftp://x", image="good:1")
    targets = make()
    assert (targets.get("dev").registry, targets.get("dev").image) == ("", "good:1")
    assert "'ftp://x' cannot be the registry of a target" in targets.says(targets.find("dev")).problems[0]


def test_where_configmaps_may_not_be_read_ones_own_settings_count(make, cluster):
    cluster.forbid("get", CONFIG_MAPS)
    targets = make()
    targets.set("dev", {"image": "mine:1"})
    assert targets.get("dev").image == "mine:1"
    assert targets.says(targets.find("dev")).there is None


@pytest.mark.parametrize(
    "error", [Unavailable("https://one.example:6443 does not answer"), NotAllowed("who are you", code="cluster-login")]
)
def test_a_cluster_that_does_not_answer_is_told_when_it_is_needed(make, cluster, error):
    cluster.fail_next(error, "get", CONFIG_MAPS)
    targets = make()
    with pytest.raises(MlopsError) as caught:
        targets.get("dev")
    assert caught.value.code == error.code
    assert targets.find("dev").namespace == "ml"


def test_what_a_namespace_says_is_asked_once_a_minute(make, cluster, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(find, "_CLOCK", lambda: now[0])
    says(cluster, image="a:1")
    targets = make()
    assert targets.get("dev").image == "a:1"
    says(cluster, image="a:2")
    assert targets.get("dev").image == "a:1"
    now[0] += find.FRESH
    assert targets.get("dev").image == "a:2"
    says(cluster, image="a:3")
    targets.forget("dev")
    assert targets.get("dev").image == "a:3"


# -- the default ---------------------------------------------------------------------------------------------------------------


def test_the_default_is_the_environments_then_the_persons_then_this_machine(make):
    assert make().default == "local"
    make().use("prod")
    assert make().default == "prod"
    assert make().get().context == "prod"
    assert make(JUPYTER_MLOPS_TARGET="dev").default == "dev"
    assert make(JUPYTER_MLOPS_TARGET="local").default == "local"
    make().use("local")
    assert make().default == "local"


def test_only_what_is_there_can_be_the_default(make):
    with pytest.raises(NotFound):
        make().use("nowhere")
    assert make().default == "local"


def test_a_default_that_is_gone_is_told_and_this_machine_can_still_be_named(make):
    targets = make(JUPYTER_MLOPS_TARGET="gone")
    with pytest.raises(NotFound):
        targets.get()
    assert targets.get("local").local


@pytest.fixture
def pod(tmp_path, monkeypatch):
    """The files of a pod's service account."""
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    for name, text in {"token": "t", "ca.crt": "c", "namespace": "team"}.items():
        (folder / name).write_text(text)
    monkeypatch.setattr(kubeconfig_module, "SERVICE_ACCOUNT", folder)
    return {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443", "KUBECONFIG": str(tmp_path / "none")}


def test_in_a_pod_whose_namespace_says_so_its_cluster_is_the_default(make, cluster, pod):
    assert make(**pod).default == "local"
    says(cluster, "team", registry="http://10.0.0.1:5000")
    targets = make(**pod)
    assert targets.default == "in-cluster"
    found = targets.get()
    assert (found.name, found.namespace, found.registry) == ("in-cluster", "team", "http://10.0.0.1:5000")


def test_a_pod_that_cannot_ask_works_as_this_machine_does(make, cluster, pod):
    cluster.forbid("get", CONFIG_MAPS)
    assert make(**pod).default == "local"
    cluster.fail_next(Unavailable("away"), "get", CONFIG_MAPS)
    assert make(**pod).default == "local"


# -- what a person sets --------------------------------------------------------------------------------------------------------


def test_settings_are_kept_for_their_owner_alone(make, mlops_home):
    make().set("dev", {"registry": "registry.example.com/team", "mirrors": "docker.io/=m.example/"})
    path = mlops_home / "targets.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(mlops_home.stat().st_mode) == 0o700
    assert json.loads(path.read_text())["targets"]["dev"] == {
        "registry": "https://registry.example.com/team",
        "mirrors": {"docker.io/": "m.example/"},
    }
    found = make().find("dev")
    assert (found.registry, dict(found.mirrors)) == ("https://registry.example.com/team", {"docker.io/": "m.example/"})


def test_an_empty_value_takes_a_setting_back(make, mlops_home):
    make().set("dev", {"image": "a:1", "queue": "q"})
    assert make().set("dev", {"image": ""}).queue == "q"
    make().set("dev", {"queue": ""})
    assert json.loads((mlops_home / "targets.json").read_text())["targets"] == {}


def test_the_namespace_of_a_context_can_be_another(make):
    assert make().set("dev", {"namespace": "other"}).namespace == "other"
    assert make().found("dev").title == "one, namespace other"


@pytest.mark.parametrize("name", ["local", "nowhere"])
def test_only_clusters_have_settings(make, name):
    with pytest.raises(MlopsError) as caught:
        make().set(name, {"image": "a:1"})
    assert caught.value.code in {"not-a-cluster", "target-not-found"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not what it should be"),
        ("[]", "is not what it should be"),
        ('{"targets": {"dev": []}}', "is not what it should be"),
        ('{"default": 3}', "is not what it should be"),
        ('{"defualt": "dev"}', "unknown key defualt"),
        ('{"targets": {"dev": {"imgae": "x"}}}', "unknown key targets.dev.imgae"),
        ('{"targets": {"dev": {"image": 3}}}', "targets.dev: 3 cannot be the image"),
        ('{"targets": {"dev": {"registry": "ftp://x"}}}', "targets.dev: 'ftp://x' cannot be the registry"),
    ],
)
def test_a_file_edited_by_hand_is_refused_with_the_place(make, mlops_home, text, said):
    mlops_home.mkdir()
    (mlops_home / "targets.json").write_text(text)
    with pytest.raises(WrongUsage) as caught:
        make().list()
    assert caught.value.code == "targets-invalid"
    assert said in caught.value.message
    assert caught.value.fix


def test_the_nearest_known_key_is_named(make, mlops_home):
    mlops_home.mkdir()
    (mlops_home / "targets.json").write_text('{"targets": {"dev": {"imgae": "x"}}}')
    with pytest.raises(WrongUsage) as caught:
        make().list()
    assert caught.value.fix.startswith("Did you mean image?")


def test_a_variable_that_cannot_be_right_is_named(make):
    with pytest.raises(WrongUsage) as caught:
        make(JUPYTER_MLOPS_TARGET="dev", JUPYTER_MLOPS_TARGET_REGISTRY="ftp://x").list()
    assert caught.value.message.startswith("JUPYTER_MLOPS_TARGET_REGISTRY: ")


def test_keys_are_the_fields_of_a_target():
    assert {*KEYS, "name", "context"} == set(Target.__dataclass_fields__)


def test_one_cluster_for_all_who_ask(make, cluster):
    targets = make()
    assert targets.cluster(targets.find("dev")) is cluster
    with pytest.raises(WrongUsage) as caught:
        targets.cluster(Target())
    assert caught.value.code == "not-a-cluster"

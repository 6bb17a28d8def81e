"""What goes wrong on a real KServe, and what people are told: a sentence, a fix, the cluster's own words."""

import base64
import json
import subprocess
from dataclasses import replace

import pytest

from jupyter_mlops.cluster.base import PODS, SECRETS, SERVICE_ACCOUNTS
from jupyter_mlops.cluster.client import connect
from jupyter_mlops.errors import NotAllowed, NotFound, PlatformError, Refused, Unavailable, WrongUsage
from jupyter_mlops.serving.base import Request
from jupyter_mlops.serving.kserve.runtimes import runtimes
from jupyter_mlops.serving.manifest import inference_service
from tests.cluster.conftest import allow, fresh_namespace
from tests.cluster.guarded import guarded
from tests.cluster.kserve import double, lab_in
from tests.unit.serving.test_local_services import broken_folder

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

NOWHERE = "sha256:" + "0" * 64


@pytest.fixture(scope="module")
def lab(cluster, registry, python_image):
    with fresh_namespace(cluster, "h-kserve-f") as namespace:
        yield lab_in(cluster, namespace, registry, python_image)


@pytest.fixture(scope="module")
def doubles(lab):
    return lab.python("double", double)


def raises(lab, name, source):
    return lab.publish(name, broken_folder(lab.scratch / name, source))


def pods_of(lab, name):
    pods = lab.cluster.list(PODS, lab.target.namespace, labels=f"serving.kserve.io/inferenceservice={name}").items
    return {pod["metadata"]["name"] for pod in pods}


CASES = {
    # name: (options of the document, changes of the target, code, words of the message, words of the facts)
    "no-image": ({"image": "{registry}/nope:1"}, {}, "image-not-found", "nope:1", "not found"),
    "no-gpu": ({"gpu": 4}, {}, "no-gpu", "nvidia.com/gpu", "Insufficient nvidia.com/gpu"),
    "too-big": ({"resources": {"memory": "900Ti"}}, {}, "no-room", "900Ti", "Insufficient memory"),
    "no-secret": ({"secrets": [{"env": "TOKEN", "secret": "hf-token", "key": "t"}]}, {}, "secret-missing", "hf-token", "hf-token"),
    "no-pull": ({}, {"pull_secret": "registry-login"}, "secret-missing", "registry-login", "registry-login"),
    "no-ca": ({}, {"ca": "company-ca"}, "configmap-missing", "company-ca", "company-ca"),
}


@pytest.mark.parametrize("name", CASES)
def test_each_cause_is_said_at_its_first_sign(lab, doubles, registry, name):
    options, changes, code, message, facts = CASES[name]
    options = {key: value.format(registry=registry) if isinstance(value, str) else value for key, value in options.items()}
    here = lab.in_target(**changes)
    here.apply(doubles, name, **options)
    found = here.settled(name, lambda one: one.code not in {"", "not-ready"})
    assert code in found.code, found
    assert message in found.message
    assert found.fix
    assert found.blame in {"user", "platform"}
    assert facts in " ".join(found.facts)
    assert not found.ready
    here.backend.control(name, "delete")


@pytest.mark.parametrize("mode", ["oci+native", "puller"])
def test_a_digest_that_is_not_there(lab, doubles, mode):
    name = f"nowhere-{mode.replace('+', '-')}"
    lost = replace(doubles, digest=NOWHERE)
    with pytest.raises(NotFound) as caught:
        lab.backend.prepare(lost, name=name)
    assert caught.value.code == "version-not-found"
    lab.backend.apply(inference_service(lost, name=name, namespace=lab.target.namespace, target=lab.target, mode=mode))
    found = lab.settled(name, lambda one: one.phase == "Failed")
    assert "0000" in found.message + " ".join(found.facts)
    assert found.fix
    lab.backend.control(name, "delete")


def test_a_crash_while_loading_shows_its_traceback(lab):
    lab.apply(raises(lab, "crash", "import no_such_package_of_mine"), "crash")
    with pytest.raises(PlatformError) as caught:
        lab.ready("crash")
    assert not isinstance(caught.value, Unavailable)
    assert caught.value.code == "missing-package"
    assert "no_such_package_of_mine" in caught.value.message
    service = lab.backend.get("crash")
    assert 'File "' in " ".join(service.facts)
    assert "ModuleNotFoundError: No module named 'no_such_package_of_mine'" in " ".join(service.facts)
    assert any("Traceback" in line for line in lab.backend.logs("crash"))
    with pytest.raises(Unavailable, match="no_such_package_of_mine"):
        lab.backend.call("crash", Request("GET", "/v2"))
    before = pods_of(lab, "crash")
    lab.backend.control("crash", "start")
    lab.settled("crash", lambda _: bool(pods_of(lab, "crash") - before))  # what failed gets a new pod
    lab.backend.control("crash", "delete")


def test_too_little_memory_is_told_from_a_crash(lab):
    version = raises(lab, "eater", "eaten = bytearray(b'x') * (400 << 20)")
    lab.apply(version, "eater", resources={"memory": "96Mi"})
    found = lab.settled("eater", lambda one: one.phase == "Failed")
    assert found.code == "out-of-memory"
    assert "96Mi" in found.message
    lab.apply(replace(version, tag="v2"), "eater", resources={"memory": "1Gi"})
    lab.settled("eater", lambda one: one.code not in {"", "not-ready", "out-of-memory"} or one.phase == "Loading")
    lab.backend.control("eater", "delete")


def test_what_the_cluster_does_not_take_is_said_by_field(lab, doubles):
    document = lab.backend.prepare(doubles, name="typo")
    document["spec"]["predictor"]["minReplikas"] = 1
    with pytest.raises(Refused) as caught:
        lab.backend.apply(document)
    assert caught.value.where.field == "spec.predictor.minReplikas"
    assert lab.backend._find("typo") is None
    with pytest.raises(WrongUsage):
        lab.backend.apply({**document, "metadata": {**document["metadata"], "namespace": "elsewhere"}})


# -- a registry that asks who one is ---------------------------------------------------------------------------------------


def test_bundle_and_model_come_from_a_registry_with_a_login(lab, doubles, registry):
    with guarded(registry, "somebody", "pässword") as address:
        here = lab.in_target(registry=f"http://{address}", pull_secret="login")
        auth = base64.b64encode("somebody:pässword".encode()).decode()
        config = json.dumps({"auths": {address: {"auth": auth}}})
        secret = {
            "metadata": {"name": "login"},
            "type": "kubernetes.io/dockerconfigjson",
            "stringData": {".dockerconfigjson": config},
        }
        lab.cluster.create(SECRETS, secret, lab.target.namespace)
        own = {"namespace": lab.target.namespace, "mode": "puller", "rule": "any"}  # a version that was made here
        made = inference_service(doubles, name="guarded", target=here.target, **own)
        lab.backend.apply(made)
        lab.ready("guarded")
        assert lab.predict("guarded", [3]) == [6]
        assert "pässword" not in json.dumps(dict(lab.backend.get("guarded").document), ensure_ascii=False)
        assert auth not in json.dumps(dict(lab.backend.get("guarded").document))
        lab.backend.control("guarded", "delete")

        bare = replace(here.target, pull_secret="")
        lab.backend.apply(inference_service(doubles, name="unknown", target=bare, **own))
        found = lab.settled("unknown", lambda one: one.phase == "Failed")
        assert "401" in found.message + " ".join(found.facts)
        lab.backend.control("unknown", "delete")


# -- a model beside the server (modelcar) ------------------------------------------------------------------------------------


def test_an_image_with_a_shell_can_run_beside_the_server(lab, doubles, tmp_path):
    from tests.cluster.modelcar import with_shell

    with pytest.raises(WrongUsage, match="no shell"):
        lab.backend.prepare(doubles, name="car", mode="oci")
    version = with_shell(lab.store, doubles, tmp_path)
    service = lab.deploy(version, "car", mode="oci")
    assert lab.predict("car", [1, 2]) == [2, 4]
    assert "modelcar" in json.dumps(
        lab.cluster.list(PODS, lab.target.namespace, labels=f"serving.kserve.io/inferenceservice={service.name}").items
    )
    lab.backend.control("car", "delete")


# -- rights ----------------------------------------------------------------------------------------------------------------

SERVE = {
    "apiGroups": ["serving.kserve.io"],
    "resources": ["inferenceservices"],
    "verbs": ["get", "list", "watch", "create", "patch", "delete"],
}
LOOK = {"apiGroups": [""], "resources": ["pods", "events", "pods/log"], "verbs": ["get", "list", "watch"]}
CALL = {"apiGroups": [""], "resources": ["services/proxy"], "verbs": ["get", "create"]}


@pytest.fixture
def somebody(cluster, lab, tmp_path):
    """A cluster as a service account with some rights in the lab's namespace sees it."""

    def make(account, rules):
        namespace = lab.target.namespace
        cluster.create(SERVICE_ACCOUNTS, {"metadata": {"name": account}}, namespace)
        if rules:
            allow(cluster, namespace, account, rules)
        said = subprocess.run(
            ["kubectl", "config", "view", "--raw", "--minify", "-o", "json"], capture_output=True, check=True
        ).stdout
        config = json.loads(said)
        config["users"][0]["user"]["as"] = f"system:serviceaccount:{namespace}:{account}"
        path = tmp_path / f"{account}.json"
        path.write_text(json.dumps(config))
        return replace(lab, cluster=connect(namespace=namespace, environ={"KUBECONFIG": str(path)}))

    return make


def test_somebody_without_rights_is_told_which(somebody, doubles):
    nobody = somebody("nobody", [])
    for act in (nobody.backend.list, lambda: nobody.backend.get("any"), lambda: nobody.backend.prepare(doubles, name="any")):
        with pytest.raises(NotAllowed) as caught:
            act()
        assert "inferenceservices" in caught.value.message
        assert caught.value.fix


def test_somebody_may_deploy_but_not_call(somebody, doubles):
    deployer = somebody("deployer", [SERVE, LOOK])
    mode = deployer.backend.mode()
    assert (mode.name, mode.certain) == ("oci+native", False)
    assert "cannot be asked" in mode.reason
    deployer.deploy(doubles, "mine")
    with pytest.raises(NotAllowed) as caught:
        deployer.backend.call("mine", Request("GET", "/v2"))
    assert caught.value.code == "proxy-forbidden"
    assert "services/proxy" in caught.value.fix
    seen = runtimes(deployer.cluster, deployer.target.namespace)
    assert "may not be listed" in seen.unseen
    assert seen.get("anything") is None


def test_the_least_rights_suffice(somebody, doubles):
    """What the pods do is not seen then, so that waiting tells less; but it is deployed, found ready, and called."""
    least = somebody("least", [SERVE, CALL])
    least.deploy(doubles, "least")
    assert least.predict("least", [21]) == [42]
    with pytest.raises(NotAllowed, match="pods"):
        list(least.backend.logs("least"))
    least.backend.control("least", "delete")

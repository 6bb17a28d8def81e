"""Services on a real KServe: a scikit-learn model by digest, every mode that the cluster has, verbs, rollouts, rights."""

import json
import subprocess
import threading
from dataclasses import replace

import pytest

from jupyter_mlops.cluster.base import DEPLOYMENTS, INFERENCE_SERVICES, PODS
from jupyter_mlops.errors import NotAllowed, NotFound, PlatformError, Unavailable, WrongUsage
from jupyter_mlops.serving.base import Request
from jupyter_mlops.serving.kserve.predictor import MODE, REASON, REFUSED
from tests.cluster.conftest import fresh_namespace
from tests.cluster.kserve import double, lab_in
from tests.unit.serving.support import COLUMNS, ROWS, iris_model

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def lab(cluster, registry, python_image):
    with fresh_namespace(cluster, "h-kserve") as namespace:
        yield lab_in(cluster, namespace, registry, python_image)


@pytest.fixture(scope="module")
def doubles(lab):
    return lab.python("double", double)


def mode_of(service):
    return service.document["metadata"]["annotations"][MODE]


# -- models ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["registry", "registry_oci11"])
def test_a_scikit_learn_model_answers_as_it_does_here(lab, request, which, tmp_path):
    import joblib
    import pandas as pd

    here = lab.in_target(registry=f"http://{request.getfixturevalue(which)}")
    folder = iris_model(tmp_path / "iris")
    service = here.deploy(here.publish("iris", folder), f"iris-{which.replace('_', '-')}")
    assert "@sha256:" in service.document["spec"]["predictor"]["containers"][0]["env"][-1]["value"]
    want = joblib.load(folder / "model.joblib").predict(pd.DataFrame(ROWS, columns=COLUMNS)).tolist()
    assert here.predict(service.name, ROWS) == want == [0, 2]
    assert here.predict(service.name, [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]) == want


@pytest.mark.parametrize("mode", ["oci+native", "puller"])
def test_each_mode_serves_the_very_bytes(lab, doubles, mode):
    service = lab.deploy(doubles, f"by-{mode.replace('+', '-')}", mode=mode)
    assert mode_of(service) == mode
    assert lab.predict(service.name, [1, 2]) == [2, 4]


def test_the_best_mode_is_found_and_said_in_words(lab, doubles):
    found = lab.backend.mode()
    assert found.name == "oci+native"
    assert found.certain
    assert found.reason == "the nodes mount the model's image: a warm start copies nothing"
    document = lab.backend.prepare(doubles, name="words")
    assert document["metadata"]["annotations"][REASON] == found.reason
    with pytest.raises(WrongUsage) as caught:
        lab.backend.mode("oci+fetch")
    assert caught.value.code == "mode-not-supported"
    assert "needs KServe 0.21" in caught.value.message


def test_the_server_needs_no_credentials_and_no_token_of_the_cluster(lab, doubles):
    lab.deploy(doubles, "bare")
    pod = lab.cluster.list(PODS, lab.target.namespace, labels="serving.kserve.io/inferenceservice=bare").items[0]
    server = next(each for each in pod["spec"]["containers"] if each["name"] == "kserve-container")
    assert sorted(mount["mountPath"] for mount in server["volumeMounts"]) == ["/mlops", "/mnt/models"]


def test_a_body_in_chunks_arrives(lab, doubles, tmp_path):
    """kubectl sends a body without its length; a server that counts on one would drop it."""
    service = lab.deploy(doubles, "chunked")
    file = tmp_path / "body.json"
    file.write_text(json.dumps({"instances": list(range(20_000))}))
    path = f"/api/v1/namespaces/{lab.target.namespace}/services/chunked-predictor:80/proxy/v1/models/{service.name}:predict"
    sent = subprocess.run(["kubectl", "create", "--raw", path, "-f", str(file)], capture_output=True, text=True)
    assert sent.returncode == 0, sent.stderr
    assert json.loads(sent.stdout)["predictions"][-1] == 39_998


# -- verbs -----------------------------------------------------------------------------------------------------------------


def test_a_new_version_takes_over_without_a_failed_call(lab, doubles):
    def triple(rows):
        return [3 * row for row in rows]

    lab.deploy(doubles, "rolls")
    better = lab.python("triple", triple)
    seen, stop = [], threading.Event()

    def answer():
        try:
            return lab.predict("rolls", [1])[0]
        except Exception as error:
            return repr(error)

    def calls():
        while not stop.is_set():
            seen.append(answer())

    caller = threading.Thread(target=calls)
    caller.start()
    try:
        service = lab.backend.apply(lab.backend.prepare(better, name="rolls"))
        assert not service.ready
        assert "earlier version" in lab.settled("rolls", lambda one: "earlier version" in one.message).message
        lab.ready("rolls")
        assert lab.predict("rolls", [1]) == [3]
        pods = lambda: lab.cluster.list(PODS, lab.target.namespace, labels="serving.kserve.io/inferenceservice=rolls").items  # noqa: E731
        lab.settled("rolls", lambda _: len(pods()) == 1)
    finally:
        stop.set()
        caller.join()
    assert set(seen) == {2, 3}
    assert len(lab.cluster.list(INFERENCE_SERVICES, lab.target.namespace, fields="metadata.name=rolls").items) == 1


def test_a_version_that_fails_leaves_the_earlier_one_answering(lab, doubles):
    def broken(rows):
        return rows

    lab.deploy(doubles, "keeps")
    version = lab.python("broken", broken, packages={})
    lab.apply(version, "keeps", image=f"{lab.target.image}-nope")
    failed = lab.settled("keeps", lambda one: one.phase == "Failed")
    assert "the earlier version goes on answering" in failed.message
    assert all((failed.code, failed.fix, failed.facts))
    assert lab.predict("keeps", [4]) == [8]


def test_stop_start_delete(lab, doubles):
    lab.deploy(doubles, "verbs")
    backend = lab.backend
    assert backend.control("verbs", "stop").phase == "Stopped"
    lab.settled("verbs", lambda one: one.phase == "Stopped")
    with pytest.raises(Unavailable):
        backend.call("verbs", Request("GET", "/v2"))
    assert backend.control("verbs", "start").phase != "Stopped"
    lab.ready("verbs")
    assert lab.predict("verbs", [5]) == [10]
    backend.control("verbs", "delete")
    with pytest.raises(NotFound):
        backend.get("verbs")


def test_a_stopped_service_that_is_deployed_again_runs(lab, doubles):
    lab.deploy(doubles, "again")
    lab.backend.control("again", "stop")
    lab.apply(replace(doubles, tag="v9"), "again")
    lab.ready("again")
    assert lab.predict("again", [1]) == [2]


def test_logs_have_every_container_and_follow(lab, doubles):
    lab.deploy(doubles, "talks", mode="puller")
    lines = list(lab.backend.logs("talks"))
    assert any(line.startswith("[mlops-fetch] ") and "is in /mlops/model" in line for line in lines)
    assert any("model 'talks' is ready" in line and not line.startswith("[") for line in lines)
    followed = lab.backend.logs("talks", follow=True)
    assert [next(followed) for _ in lines] == lines
    lab.backend.control("talks", "delete")
    assert list(followed) is not None


# -- others, rights, absence -----------------------------------------------------------------------------------------------


def test_services_of_others_are_shown_and_left_alone(lab):
    document = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "foreign", "annotations": {"serving.kserve.io/deploymentMode": "Standard"}},
        "spec": {
            "predictor": {"containers": [{"name": "kserve-container", "image": lab.target.image, "command": ["sleep", "60"]}]}
        },
    }
    lab.cluster.create(INFERENCE_SERVICES, document, lab.target.namespace)
    seen = next(each for each in lab.backend.list() if each.name == "foreign")
    assert not seen.ours
    for verb in ("stop", "start", "delete"):
        with pytest.raises(NotAllowed) as caught:
            lab.backend.control("foreign", verb)
        assert caught.value.code == "foreign-service"
    with pytest.raises(NotAllowed):
        lab.backend.apply({**document, "metadata": {**document["metadata"], "namespace": lab.target.namespace}})


def test_a_cluster_without_kserve_is_told_before_anything_is_pushed(lab, doubles):
    class Without:
        def __getattr__(self, name):
            return getattr(lab.cluster, name)

        def kinds(self, group):
            return {} if group == "serving.kserve.io" else lab.cluster.kinds(group)

    bare = replace(lab, cluster=Without())
    document = lab.backend.prepare(doubles, name="nowhere")
    for act in (lambda: bare.backend.prepare(doubles, name="nowhere"), lambda: bare.backend.apply(document)):
        with pytest.raises(PlatformError) as caught:
            act()
        assert caught.value.code == "no-kserve"
        assert "install KServe" in caught.value.fix


def test_nodes_that_cannot_mount_images_are_found_out_by_trying(lab, doubles):
    """Where the nodes cannot be asked, mounting is tried; what the cluster says then leads to our own puller."""
    backend = lab.backend
    document = backend.prepare(doubles, name="tries", mode="oci+native")
    backend.apply(document)
    scene_of = backend._fallen_back
    from jupyter_mlops.serving.kserve.scene import look

    scene = look(lab.cluster, backend._document("tries", lab.target.namespace))
    event = {
        "involvedObject": {"name": "x"},
        "message": 'failed to generate spec: failed to mkdir "": mkdir : no such file or directory',
    }
    fallen = scene_of(replace(scene, events=(event,)))
    assert mode_of(fallen) == "puller"
    assert fallen.document["metadata"]["annotations"][REFUSED] == "oci+native"
    assert lab.ready("tries").ready
    assert lab.predict("tries", [3]) == [6]
    assert lab.backend.mode().name == "puller"
    lab.backend.control("tries", "delete")
    assert lab.backend.mode().name == "oci+native"


def test_a_service_fits_a_restricted_namespace(cluster, registry, python_image):
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    with fresh_namespace(cluster, "h-kserve-r", labels) as namespace:
        lab = lab_in(cluster, namespace, registry, python_image)
        version = lab.python("double", double)
        for mode in ("oci+native", "puller"):
            lab.deploy(version, "strict", mode=mode)
            assert lab.predict("strict", [1]) == [2]


def test_gpus_are_asked_for_with_what_they_need(lab, doubles):
    document = lab.backend.prepare(doubles, name="gpu", gpu=1000)
    lab.backend.apply(document)
    waiting = lab.settled("gpu", lambda one: one.code != "")
    assert not waiting.ready
    assert "nvidia.com/gpu" in " ".join(waiting.facts)
    deployment = lab.cluster.get(DEPLOYMENTS, "gpu-predictor", lab.target.namespace)
    assert deployment["spec"]["strategy"]["type"] == "Recreate"
    lab.backend.control("gpu", "delete")

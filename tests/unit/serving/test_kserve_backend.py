"""The verbs of a backend on KServe, on a cluster in memory whose manager and kubelet the test plays."""

import json

import pytest

from jupyter_mlops.cluster.base import DEPLOYMENTS, EVENTS, INFERENCE_SERVICES, PODS, Reply
from jupyter_mlops.errors import Conflict, NotAllowed, NotFound, PlatformError, Refused, Unavailable, WrongUsage
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.serving.base import Backend, Request
from jupyter_mlops.serving.kserve.bundle import REPOSITORY
from jupyter_mlops.serving.kserve.predictor import MODE, REASON, REFUSED
from jupyter_mlops.serving.manifest import inference_service
from jupyter_mlops.serving.wait import Settling, until_ready
from jupyter_mlops.testing.cluster import KINDS, FakeCluster
from tests.unit.serving.kserve_lab import Lab, ended, refused, running, waiting

STOP = "serving.kserve.io/stop"


@pytest.fixture
def lab(tmp_path):
    return Lab(Layout(tmp_path / "registry"), tmp_path / "scratch")


def notes(lab, name="double"):
    return lab.document(name)["metadata"]["annotations"]


# -- apply -------------------------------------------------------------------------------------------------------------------


def test_it_is_a_backend_that_tells_of_changes(lab):
    backend: Backend = lab.backend
    assert isinstance(backend, Settling)


def test_a_version_is_deployed_by_digest_in_the_best_mode(lab):
    service = lab.deployed()
    assert (service.name, service.namespace, service.phase, service.target) == ("double", "ml", "Pending", "team")
    assert service.ours
    assert (notes(lab)[MODE], notes(lab)[REASON]) == (
        "oci+native",
        "the nodes mount the model's image: a warm start copies nothing",
    )
    assert lab.store.tags(REPOSITORY)
    assert [
        call.method for call in lab.cluster.calls if call.kind == INFERENCE_SERVICES and call.method in {"create", "apply"}
    ] == ["apply"]


def test_a_model_that_the_registry_lacks_is_told_before_anything_is_made(lab):
    from dataclasses import replace

    version = replace(lab.publish(), digest="sha256:" + "0" * 64)
    with pytest.raises(NotFound) as caught:
        lab.backend.prepare(version)
    assert caught.value.code == "version-not-found"
    assert lab.cluster.list(INFERENCE_SERVICES).items == ()


def test_a_cluster_without_kserve_gets_nothing(tmp_path):
    bare = FakeCluster(kinds=[kind for kind in KINDS if kind.group != "serving.kserve.io"])
    full = Lab(Layout(tmp_path / "registry"), tmp_path / "scratch")
    document = full.backend.prepare(full.publish())
    lab = Lab(full.store, full.scratch, bare)
    for act in (lambda: lab.backend.apply(document), lambda: lab.backend.prepare(full.publish())):
        with pytest.raises(PlatformError) as caught:
            act()
        assert caught.value.code == "no-kserve"
    assert lab.store.tags(REPOSITORY) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "Pod"}, "not an InferenceService"),
        ({"apiVersion": "v0"}, "apiVersion is 'v0'"),
        ({"metadata": {"name": "No Name"}}, "not a service name"),
        ({"metadata": {"name": "x", "namespace": "other"}}, "the document is for namespace 'other'"),
        ({"metadata": {"name": "x" * 60}}, "60 characters"),
    ],
)
def test_what_cannot_be_served_here_is_refused(lab, change, words):
    document = lab.backend.prepare(lab.publish())
    with pytest.raises(WrongUsage, match=words):
        lab.backend.apply({**document, **change})
    assert lab.store.tags(REPOSITORY) == []


def test_a_document_of_this_machine_is_not_for_a_cluster(lab):
    document = inference_service(lab.publish(), name=None, namespace="ml")
    with pytest.raises(WrongUsage) as caught:
        lab.backend.apply(document)
    assert caught.value.code == "local-document"


def test_a_field_that_the_schema_lacks_is_named(lab):
    document = lab.backend.prepare(lab.publish())
    said = "failed to create typed patch object (ml/double; v1beta1, Kind=InferenceService): .spec.predictor.minReplikas: field not declared in schema"
    lab.cluster.fail_next(Unavailable(said), "apply")
    with pytest.raises(Refused) as caught:
        lab.backend.apply(document)
    assert (caught.value.code, caught.value.where.field) == ("field-unknown", "spec.predictor.minReplikas")
    lab.cluster.fail_next(Conflict("changed meanwhile"), "apply")
    with pytest.raises(Conflict):
        lab.backend.apply(document)


def test_the_same_name_twice_is_a_change(lab):
    lab.deployed()
    lab.becomes_ready()
    first = lab.revision()
    service = lab.backend.apply(lab.backend.prepare(lab.publish(), env={"A": "1"}))
    assert lab.revision() != first
    assert not service.ready
    assert "taking over" in service.message
    assert len(lab.backend.list()) == 1


def test_deploying_a_stopped_service_starts_it(lab):
    lab.deployed()
    lab.backend.control("double", "stop")
    assert lab.backend.get("double").phase == "Stopped"
    assert lab.deployed().phase == "Pending"
    assert notes(lab)[STOP] == "false"


# -- states ------------------------------------------------------------------------------------------------------------------


def test_ready_is_believed_only_when_every_pod_is_of_the_document(lab):
    lab.deployed()
    lab.becomes_ready()
    service = lab.backend.get("double")
    assert (service.phase, service.ready, service.message) == ("Ready", True, "")
    assert service.url == "http://double-predictor.ml.svc.cluster.local"
    old = lab.revision()
    lab.backend.apply(lab.backend.prepare(lab.publish(), env={"A": "1"}))
    lab.status(ready="True")
    assert lab.backend.get("double").phase == "Pending"  # the Deployment is still the old one
    lab.pod("double-1", revision=old, ready=True, containers=[running()])
    lab.deployment(replicas=2, updated=1, available=1)
    lab.pod("double-2", containers=[running()])
    service = lab.backend.get("double")
    assert (service.phase, service.ready) == ("Loading", False)
    assert service.message == "the model is being loaded; the earlier version goes on answering"
    lab.deployment(replicas=1, updated=1, available=1)
    assert lab.backend.get("double").ready


@pytest.mark.parametrize(
    ("make", "phase", "message"),
    [
        (lambda _: None, "Pending", "KServe is preparing it"),
        (lambda lab: lab.deployment(updated=0, replicas=0), "Pending", "its pod is being made"),
        (lambda lab: (lab.deployment(), lab.pod("p")), "Pending", "its pod is starting"),
        (lambda lab: (lab.deployment(), lab.pod("p", init=[running("mlops-fetch")])), "Loading", "the model is being fetched"),
        (lambda lab: (lab.deployment(), lab.pod("p", containers=[running()])), "Loading", "the model is being loaded"),
    ],
)
def test_what_it_is_doing_in_words(lab, make, phase, message):
    lab.deployed()
    make(lab)
    service = lab.backend.get("double")
    assert (service.phase, service.message, service.code) == (phase, message, "")


def test_that_our_server_says_503_while_it_loads_is_no_news(lab):
    lab.deployed()
    lab.deployment()
    lab.pod("p", containers=[running()])
    lab.cluster.add_event("p", "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503")
    service = lab.backend.get("double")
    assert (service.message, service.code) == ("the model is being loaded", "")


@pytest.mark.parametrize(
    ("container", "code", "words"),
    [
        (waiting("ImagePullBackOff", 'Back-off pulling image "r/x:1": ErrImagePull: r/x:1: not found'), "image-not-found", "r/x:1"),
        (waiting("CreateContainerConfigError", 'secret "hub" not found'), "secret-missing", "hub"),
        (waiting("CrashLoopBackOff", "back-off", restarts=2, last=ended(137, reason="OOMKilled")), "out-of-memory", "memory"),
        (
            waiting("CrashLoopBackOff", "back-off", restarts=2, last=ended(1, "ModuleNotFoundError: No module named 'lightgbm'")),
            "missing-package",
            "lightgbm",
        ),
    ],
)
def test_the_cause_comes_from_the_pods(lab, container, code, words):
    lab.deployed()
    lab.deployment()
    lab.pod("p", containers=[container])
    lab.status(modelStatus={"transitionStatus": "InProgress"})
    service = lab.backend.get("double")
    assert service.code == code
    assert words in service.message
    assert service.fix
    assert service.blame in {"user", "platform"}
    assert service.facts
    assert [each.code for each in lab.backend.list()] == [code]


def test_what_the_status_says_of_an_earlier_document_is_not_believed(lab):
    lab.deployed()
    lab.deployment()
    lab.pod("p", containers=[running()])
    failure = {"reason": "ModelLoadFailed", "message": "Traceback: ModuleNotFoundError: No module named 'x'", "exitCode": 1}
    lab.status(modelStatus={"transitionStatus": "BlockedByFailedLoad", "lastFailureInfo": failure, "states": {}})
    assert lab.backend.get("double").phase == "Loading"


@pytest.mark.parametrize(("hidden", "phase"), [((), "Pending"), ((PODS,), "Failed")])
def test_between_the_deployment_and_its_first_pod_an_earlier_failure_is_not_believed(lab, hidden, phase):
    """KServe has taken the new document over, no pod of it is there yet, and its status still tells of the pod before."""
    lab.deployed()
    lab.pod("double-1", containers=[waiting("CrashLoopBackOff", "x", restarts=1, last=ended(1, "ValueError: no"))])
    lab.backend.apply(lab.backend.prepare(lab.publish(), env={"A": "1"}))
    lab.deployment(updated=0)
    failure = {"reason": "ModelLoadFailed", "message": "ValueError: no", "exitCode": 1}
    lab.status(modelStatus={"transitionStatus": "BlockedByFailedLoad", "lastFailureInfo": failure, "states": {}})
    for kind in hidden:  # then the status is all there is
        lab.cluster.forbid("*", kind)
    assert lab.backend.get("double").phase == phase
    assert [each.phase for each in lab.backend.list()] == [phase]


def test_a_sentence_that_quotes_our_log_leaves_out_its_head(lab):
    lab.deployed()
    lab.deployment()
    said = "2026-11-22 21:27:11,645 ERROR model 'double' could not be loaded: ValueError: weights are wrong"
    lab.pod("p", containers=[waiting("CrashLoopBackOff", "back-off", restarts=1, last=ended(1, said))])
    service = lab.backend.get("double")
    assert service.phase == "Failed"
    assert "weights are wrong" in service.message
    assert "2026-11-22" not in service.message


def test_one_that_is_being_deleted(lab):
    lab.deployed()
    lab.becomes_ready()
    lab.cluster.put(
        INFERENCE_SERVICES, {"metadata": {"name": "double", "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["x"]}}
    )
    service = lab.backend.get("double")
    assert (service.phase, service.message, service.ready) == ("Stopped", "it is being deleted", False)


def test_who_may_not_look_at_pods_sees_less_and_no_error(lab):
    lab.deployed()
    lab.becomes_ready()
    for kind in (PODS, DEPLOYMENTS, EVENTS):
        lab.cluster.forbid("*", kind)
    assert lab.backend.get("double").ready
    assert [each.ready for each in lab.backend.list()] == [True]
    with pytest.raises(NotAllowed):
        list(lab.backend.logs("double"))


def test_without_the_deployment_the_pods_tell_which_version_answers(lab):
    lab.deployed()
    lab.becomes_ready()
    old = lab.revision()
    lab.cluster.forbid("*", DEPLOYMENTS)
    assert lab.backend.get("double").ready
    lab.backend.apply(lab.backend.prepare(lab.publish(), env={"A": "1"}))
    lab.pod("double-1", revision=old, ready=True, containers=[running()])
    assert not lab.backend.get("double").ready
    lab.pod("double-2", ready=True, containers=[running()])
    assert not lab.backend.get("double").ready  # both answer
    lab.cluster.remove(PODS, "double-1", "ml")
    assert lab.backend.get("double").ready


@pytest.mark.parametrize(
    ("applied", "written", "ready"),
    [
        ("2026-01-01T00:00:02Z", "2026-01-01T00:00:01Z", False),
        ("2026-01-01T00:00:01Z", "2026-01-01T00:00:02Z", True),
        (None, None, True),
    ],
)
def test_where_nothing_may_be_seen_a_status_from_before_the_change_is_not_believed(lab, applied, written, ready):
    lab.deployed()
    lab.status(ready="True")
    for kind in (PODS, DEPLOYMENTS, EVENTS):
        lab.cluster.forbid("*", kind)
    fields = [
        {"manager": "jupyter-mlops", "operation": "Apply", "time": applied},
        {"manager": "manager", "operation": "Update", "subresource": "status", "time": written},
    ]
    lab.cluster.put(INFERENCE_SERVICES, {"metadata": {"name": "double", "managedFields": fields}})
    assert lab.backend.get("double").ready is ready


def test_many_services_cost_four_questions(lab):
    for name in ("c", "a", "b"):
        lab.deployed(name)
    lab.cluster.calls.clear()
    assert [service.name for service in lab.backend.list()] == ["a", "b", "c"]
    assert len(lab.cluster.calls) == 4


# -- verbs -------------------------------------------------------------------------------------------------------------------


def test_stop_start_delete(lab):
    lab.deployed()
    lab.becomes_ready()
    assert lab.backend.control("double", "stop").phase == "Stopped"
    assert notes(lab)[STOP] == "true"
    lab.status(ready="False", conditions=[{"type": "Stopped", "status": "True"}])
    started = lab.backend.control("double", "start")
    assert STOP not in notes(lab)
    assert started.phase != "Stopped"  # though the condition has not followed yet
    assert lab.backend.control("double", "delete").message == "deleted"
    assert lab.backend.list() == []


def test_a_deletion_that_does_not_end_is_not_waited_for_for_ever(lab):
    lab.deployed()
    lab.cluster.behaviour.impatient = True
    lab.cluster.put(INFERENCE_SERVICES, {"metadata": {"name": "double", "finalizers": ["inferenceservice.finalizers"]}})
    assert lab.backend.control("double", "delete").message == "it is being deleted"
    assert lab.backend.get("double").phase == "Stopped"


def test_starting_what_runs_changes_nothing_and_what_failed_gets_new_pods(lab):
    lab.deployed()
    lab.becomes_ready()
    before = lab.document()
    lab.backend.control("double", "start")
    assert lab.document() == before
    lab.deployment(available=0)
    lab.pod("double-1", containers=[waiting("CrashLoopBackOff", "x", restarts=1, last=ended(1, "ValueError: no"))])
    lab.backend.control("double", "start")
    assert notes(lab)["jupyter-mlops.github.io/restarted"]


def test_services_of_others_are_shown_and_left_alone(lab):
    document = {
        "metadata": {"name": "theirs"},
        "spec": {"predictor": {"model": {"storageUri": "s3://bucket/m"}}},
        "kind": "InferenceService",
    }
    lab.cluster.put(INFERENCE_SERVICES, {**document, "apiVersion": "serving.kserve.io/v1beta1"})
    (seen,) = lab.backend.list()
    assert (seen.ours, seen.model) == (False, "s3://bucket/m")
    for verb in ("stop", "start", "delete"):
        with pytest.raises(NotAllowed) as caught:
            lab.backend.control("theirs", verb)
        assert caught.value.code == "foreign-service"
    with pytest.raises(NotAllowed):
        lab.backend.apply(lab.backend.prepare(lab.publish(), name="theirs"))


@pytest.mark.parametrize("namespace", ["default", "ml", ""])
def test_the_namespace_is_the_targets(lab, namespace):
    lab.deployed()
    assert lab.backend.get("double", namespace).namespace == "ml"


@pytest.mark.parametrize(("name", "namespace"), [("nothing", "ml"), ("double", "other")])
def test_what_is_not_there_is_told_with_what_is(lab, name, namespace):
    lab.deployed()
    with pytest.raises(NotFound) as caught:
        lab.backend.get(name, namespace)
    assert "double" in caught.value.fix
    with pytest.raises(WrongUsage):
        lab.backend.get("Not A Name")
    with pytest.raises(WrongUsage, match="'pause' is not a verb"):
        lab.backend.control("double", "pause")


# -- calls -------------------------------------------------------------------------------------------------------------------

ASK = Request("POST", "/v1/models/double:predict", b'{"instances": [1]}', {"Authorization": "Bearer mine", "X-Own": "1"})


def test_a_call_goes_through_the_proxy_without_other_peoples_headers(lab):
    lab.deployed()
    lab.becomes_ready()
    asked = []
    lab.answers(
        lambda ask: (
            asked.append(ask) or Reply(200, b'{"predictions": [2]}', {"Content-Type": "application/json", "Connection": "x"})
        )
    )
    answer = lab.backend.call("double", ASK)
    assert (answer.status, json.loads(answer.body)) == (200, {"predictions": [2]})
    assert answer.headers == {"Content-Type": "application/json"}
    assert (asked[0].method, asked[0].path, asked[0].body) == ("POST", ASK.path, ASK.body)
    assert asked[0].headers == {"x-own": "1", "content-type": "application/json"}


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_what_the_model_server_says_comes_back_unchanged(lab, status):
    lab.deployed()
    lab.becomes_ready()
    lab.answers(Reply(status, b'{"error": "no"}'))
    assert lab.backend.call("double", ASK).status == status


def test_the_first_calls_after_ready_may_be_refused(lab):
    lab.deployed()
    lab.becomes_ready()
    replies = iter(
        [refused("error trying to reach service: dial tcp 10.0.0.1:80: connect: connection refused")] * 2 + [Reply(200, b"{}")]
    )
    lab.answers(lambda _ask: next(replies))
    assert lab.backend.call("double", ASK).status == 200


@pytest.mark.parametrize(
    ("reply", "kind", "code", "words"),
    [
        (refused('services "double-predictor" is forbidden', 403), NotAllowed, "proxy-forbidden", "forbidden"),
        (refused("error trying to reach service: EOF"), Unavailable, "unavailable", "EOF"),
        (Reply(503, b"error trying to reach service: EOF"), Unavailable, "unavailable", "EOF"),
        (refused('services "double-predictor" not found', 404), Unavailable, "unavailable", "no address yet"),
    ],
)
def test_what_the_api_server_says_itself_is_told_apart(lab, reply, kind, code, words):
    lab.deployed()
    lab.becomes_ready()
    lab.answers(reply)
    with pytest.raises(kind) as caught:
        lab.backend.call("double", ASK)
    assert caught.value.code == code
    assert words in caught.value.message
    assert caught.value.fix


def test_a_missing_right_is_told_also_where_the_client_says_it(lab):
    lab.deployed()
    lab.becomes_ready()
    lab.cluster.fail_next(NotAllowed("cannot create resource services/proxy"), "proxy")
    with pytest.raises(NotAllowed) as caught:
        lab.backend.call("double", ASK)
    assert caught.value.code == "proxy-forbidden"
    with pytest.raises(Unavailable, match="no address yet"):  # nobody answers
        lab.backend.call("double", ASK)


def test_a_call_that_does_not_arrive_says_what_is_the_matter_with_the_service(lab):
    lab.deployed()
    lab.answers(refused('no endpoints available for service "double-predictor"'))
    with pytest.raises(Unavailable, match="is pending: KServe is preparing it"):
        lab.backend.call("double", ASK)
    lab.backend.control("double", "stop")
    with pytest.raises(Unavailable, match="is stopped"):
        lab.backend.call("double", ASK)
    lab.backend.control("double", "start")
    lab.deployment()
    lab.pod("p", containers=[waiting("CrashLoopBackOff", "x", restarts=1, last=ended(1, "ValueError: no weights"))])
    with pytest.raises(Unavailable, match=r"is failed: .*no weights"):
        lab.backend.call("double", ASK)
    lab.answers(Reply(200, b"{}"))  # the earlier version
    assert lab.backend.call("double", ASK).status == 200


def test_a_call_costs_two_questions(lab):
    lab.deployed()
    lab.becomes_ready()
    lab.answers(Reply(200, b"{}"))
    lab.cluster.calls.clear()
    lab.backend.call("double", ASK)
    assert [call.method for call in lab.cluster.calls] == ["get", "proxy"]


@pytest.mark.parametrize("request_", [Request("GET it", "/v2"), Request("GET", "v2")])
def test_no_request(lab, request_):
    lab.deployed()
    lab.becomes_ready()
    with pytest.raises(WrongUsage):
        lab.backend.call("double", request_)


# -- waiting -----------------------------------------------------------------------------------------------------------------


def test_waiting_ends_when_it_is_ready(lab):
    lab.deployed()
    lab.cluster.then(lab.deployment, lambda: lab.pod("p", containers=[running()]), lab.becomes_ready)
    assert until_ready(lab.backend, "double", "ml", 30).ready


def test_waiting_ends_when_the_cause_is_known(lab):
    lab.deployed()
    lab.cluster.then(
        lab.deployment,
        lambda: lab.pod(
            "p",
            containers=[
                waiting(
                    "CrashLoopBackOff",
                    "x",
                    restarts=1,
                    last=ended(1, "No module named 'x'\nModuleNotFoundError: No module named 'x'"),
                )
            ],
        ),
    )
    with pytest.raises(PlatformError) as caught:
        until_ready(lab.backend, "double", "ml", 30)
    assert not isinstance(caught.value, Unavailable)
    assert caught.value.code == "missing-package"
    assert caught.value.fix


def test_waiting_for_what_is_stopped_or_slow_or_gone(lab):
    lab.deployed()
    with pytest.raises(Unavailable, match="not ready after 0 s"):
        until_ready(lab.backend, "double", "ml", 0)
    lab.backend.control("double", "stop")
    with pytest.raises(Unavailable, match="is stopped"):
        until_ready(lab.backend, "double", "ml", 30)
    with pytest.raises(NotFound):
        until_ready(lab.backend, "nothing", "ml", 30)


def test_waiting_goes_on_while_the_api_server_is_away(lab, monkeypatch):
    monkeypatch.setattr("jupyter_mlops.serving.kserve.settle.AWAY", 0.01)
    lab.deployed()
    lab.becomes_ready()
    lab.cluster.fail_next(Unavailable("connection refused"), "get", times=3)
    assert until_ready(lab.backend, "double", "ml", 30).ready
    lab.cluster.fail_next(Unavailable("connection refused"), "get", times=3)
    with pytest.raises(Unavailable, match="connection refused"):
        until_ready(lab.backend, "double", "ml", 0)


def test_waiting_leaves_no_thread(lab):
    import threading

    before = set(threading.enumerate())
    lab.deployed()
    lab.becomes_ready()
    until_ready(lab.backend, "double", "ml", 30)
    assert set(threading.enumerate()) == before


def test_nodes_that_turn_out_not_to_mount_images_lead_to_our_puller(lab):
    lab.deployed()
    said = 'failed to generate spec: failed to mkdir "": mkdir : no such file or directory'
    lab.deployment()
    lab.pod("p", containers=[waiting("CreateContainerError", said)])
    service = next(iter(lab.backend.settle("double", "ml", 0)))
    assert service.phase == "Pending"
    assert (notes(lab)[MODE], notes(lab)[REFUSED]) == ("puller", "oci+native")
    assert "failed to mkdir" in notes(lab)[REASON]
    assert lab.backend.mode().name == "puller"


def test_looking_never_changes_anything(lab):
    lab.deployed()
    lab.deployment()
    lab.pod("p", containers=[waiting("CreateContainerError", 'failed to mkdir "": mkdir : no such file or directory')])
    lab.cluster.calls.clear()
    lab.backend.get("double")
    lab.backend.list()
    assert {call.method for call in lab.cluster.calls} <= {"get", "list"}

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import pytest

from jupyter_mlops.cluster import schema
from jupyter_mlops.cluster.base import INFERENCE_SERVICES, PODS, WORKFLOWS, Kind, Question
from jupyter_mlops.cluster.questions import THREADS, Pool, in_pool
from jupyter_mlops.errors import NotAllowed, Refused
from tests.unit.cluster.answering import Asked, Reply, status

STRING = {"type": "string"}
WORKFLOW = {
    "type": "object",
    "x-kubernetes-group-version-kind": [{"group": "argoproj.io", "version": "v1alpha1", "kind": "Workflow"}],
    "properties": {
        "metadata": {"allOf": [{"$ref": "#/components/schemas/Meta"}]},
        "spec": {
            "type": "object",
            "properties": {
                "entrypoint": STRING,
                "templates": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {"container": {"type": "object", "properties": {"command": {"type": "array"}}}},
                    },
                },
                "volumes": {"type": "array", "items": {"$ref": "#/components/schemas/Volume"}},
                "anything": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            },
        },
    },
}
SCHEMAS = {
    "Workflow": WORKFLOW,
    "Meta": {"type": "object", "properties": {"name": STRING, "labels": {"type": "object", "additionalProperties": STRING}}},
    "Volume": {"type": "object", "properties": {"name": STRING, "nested": {"$ref": "#/components/schemas/Volume"}}},
    "Minimal": {
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": True,
        "x-kubernetes-group-version-kind": [{"group": "argoproj.io", "version": "v1alpha1", "kind": "CronWorkflow"}],
        "properties": {"apiVersion": STRING, "kind": STRING, "metadata": {"type": "object"}},
    },
}


def server(asked: Asked) -> Reply:
    answers: dict[str, Any] = {
        "/version": {"major": "1", "minor": "31+"},
        "/api": {"versions": ["v1"]},
        "/api/v1": {"resources": [{"name": "pods"}, {"name": "pods/log"}]},
        "/apis/serving.kserve.io": {
            "preferredVersion": {"version": "v1beta1"},
            "versions": [{"version": "v1alpha1"}, {"version": "v1beta1"}],
        },
        "/apis/serving.kserve.io/v1beta1": {"resources": [{"name": "inferenceservices"}, {"name": "inferenceservices/status"}]},
        "/apis/serving.kserve.io/v1alpha1": {"resources": [{"name": "inferenceservices"}, {"name": "servingruntimes"}]},
        "/openapi/v3/apis/argoproj.io/v1alpha1": {"components": {"schemas": SCHEMAS}},
    }
    found = answers.get(asked.path)
    if found is not None:
        return Reply(body=found)
    if asked.method == "POST":
        message = 'strict decoding error: unknown field "spec.templates[0].container.comand", unknown field "spec.qqqqqq"'
        return status(400, "BadRequest", message)
    return Reply(404, b"404 page not found")


def test_kinds_with_the_version_that_is_preferred(start: Any) -> None:
    cluster, asked = start(server)
    assert cluster.kinds("serving.kserve.io") == {"inferenceservices": "v1beta1", "servingruntimes": "v1alpha1"}
    assert cluster.kinds("") == {"pods": "v1"}
    assert cluster.version() == (1, 31)
    before = len(asked.asked)
    assert cluster.kinds("serving.kserve.io")
    assert cluster.version()
    assert len(asked.asked) == before, "for some minutes nothing is asked again"


def test_what_is_not_there_is_asked_for_each_time(start: Any) -> None:
    cluster, asked = start(server)
    assert cluster.kinds("argoproj.io") == {}
    assert cluster.kinds("argoproj.io") == {}
    assert len(asked.asked) == 2, "it may be installed meanwhile"


def test_after_some_minutes_it_is_asked_again(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(schema.time, "monotonic", lambda: now[0])
    cluster, asked = start(server)
    cluster.version()
    now[0] += schema.KEPT + 1
    cluster.version()
    assert len(asked.asked) == 2


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("spec.entrypoint", True),
        ("spec.templates.container.command", True),
        ("spec.templates[3].container.command", True),
        ("spec.templates[0].container.comand", False),
        ("spec.nothing", False),
        ("spec.entrypoint.deeper", False),
        ("spec.volumes.nested.nested.nested.name", True),
        ("spec.volumes.nested.nested.other", False),
        ("metadata.name", True),
        ("metadata.labels.anything", None),
        ("spec.anything.at.all", None),
    ],
)
def test_fields(start: Any, path: str, known: bool | None) -> None:
    cluster, _ = start(server)
    assert cluster.has_field(WORKFLOWS, path) is known


@pytest.mark.parametrize("kind", [Kind("argoproj.io", "v1alpha1", "cronworkflows", "CronWorkflow"), INFERENCE_SERVICES, PODS])
def test_kinds_without_a_schema(start: Any, kind: Kind) -> None:
    cluster, _ = start(server)
    assert cluster.has_field(kind, "spec.schedule") is None


def test_the_nearest_field_is_suggested(start: Any) -> None:
    cluster, _ = start(server)
    with pytest.raises(Refused) as info:
        cluster.create(WORKFLOWS, {"metadata": {"name": "w"}})
    assert info.value.fix == "Did you mean command?"
    assert [diagnostic.fix for diagnostic in info.value.diagnostics] == ["Did you mean command?", ""]
    assert info.value.where.field == "spec.templates[0].container.comand"


def test_without_a_schema_nothing_is_suggested(start: Any) -> None:
    cluster, _ = start(server)
    with pytest.raises(Refused) as info:
        cluster.create(PODS, {"metadata": {"name": "p"}})
    assert "check its spelling" in info.value.fix


def review(asked: Asked) -> Reply:
    spec = asked.json["spec"]
    if spec.get("user") == "system:serviceaccount:ml:secret":
        return status(403, "Forbidden", 'subjectaccessreviews is forbidden: User "u" cannot create resource "subjectaccessreviews"')
    return Reply(body={"status": {"allowed": spec["resourceAttributes"]["verb"] == "get", "reason": "because"}})


def test_questions_are_asked_as_one_or_as_an_account(start: Any) -> None:
    cluster, asked = start(review)
    questions = [
        Question("get", PODS, "ml", subresource="log", name="p"),
        Question("create", WORKFLOWS, "ml", account="system:serviceaccount:ml:default"),
        Question("get", PODS, "ml", account="system:serviceaccount:ml:secret"),
    ]
    own, account, unknown = cluster.ask(questions)
    assert (own.allowed, own.reason, own.known) == (True, "because", True)
    assert (account.allowed, account.known) == (False, True)
    assert (unknown.allowed, unknown.known) == (False, False)
    by_path = {request.path.rsplit("/", 1)[1]: request.json["spec"] for request in asked.asked if "secret" not in str(request.body)}
    assert by_path["selfsubjectaccessreviews"] == {
        "resourceAttributes": {"verb": "get", "resource": "pods", "subresource": "log", "name": "p", "namespace": "ml"}
    }
    assert by_path["subjectaccessreviews"]["user"] == "system:serviceaccount:ml:default"
    assert by_path["subjectaccessreviews"]["groups"] == [
        "system:serviceaccounts",
        "system:serviceaccounts:ml",
        "system:authenticated",
    ]


def test_who_is_not_logged_in_is_told_so(start: Any) -> None:
    cluster, _ = start(lambda _: status(401, "Unauthorized", "Unauthorized"))
    with pytest.raises(NotAllowed) as info:
        cluster.ask([Question("get", PODS, "ml")])
    assert info.value.code == "cluster-login"


def test_the_pool_is_bounded_and_questions_are_answered_from_within_it(start: Any) -> None:
    at_once, most, lock, all_in = 0, 0, threading.Lock(), threading.Event()

    def answer(asked: Asked) -> Reply:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
            if at_once == THREADS:
                all_in.set()
        all_in.wait(30)
        with lock:
            at_once -= 1
        return review(asked)

    cluster, _ = start(answer)
    calls = [in_pool(cluster.ask, [Question("get", PODS, "ml")] * 2) for _ in range(2 * THREADS)]
    assert all(answer.allowed for call in calls for answer in call.result(60))
    assert most == THREADS


def test_a_call_of_the_pool_fails_to_its_caller_and_holds_up_nothing() -> None:
    with pytest.raises(NotAllowed, match="no"):
        in_pool(_raising, NotAllowed("no")).result(30)
    assert in_pool(max, 1, 2).result(30) == 2
    pool, release, done = Pool(1), threading.Event(), []
    first = pool.submit(release.wait, 30)
    second = pool.submit(done.append, 1)
    third = pool.submit(done.append, 2)
    assert third.cancel()
    release.set()
    assert first.result(30)
    second.result(30)
    assert pool.submit(len, done).result(30) == 1
    program = "import time; from jupyter_mlops.cluster.questions import in_pool; in_pool(time.sleep, 600)"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def _raising(error: Exception) -> None:
    raise error

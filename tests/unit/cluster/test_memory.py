"""What tests can do to a cluster in memory; that it is like a real one is in the suite of the port."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from jupyter_mlops.cluster.base import CONFIG_MAPS, INFERENCE_SERVICES, NAMESPACES, PODS, WORKFLOWS, Answer, Kind, Question, Reply
from jupyter_mlops.errors import Conflict, NotAllowed, NotFound, Refused, Unavailable
from jupyter_mlops.testing.cluster import Asked, Call, FakeCluster


def thing(name: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, **more}


def pod(name: str, state: str = "running") -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "main"}]},
        "status": {"phase": "Running", "containerStatuses": [{"name": "main", "state": {state: {}}}]},
    }


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


def seen(changes: Any) -> list[tuple[str, ...]]:
    return [(change.type, *(item["metadata"]["name"] for item in change.items)) for change in changes]


def test_things_happen_where_a_watch_would_wait(cluster: FakeCluster) -> None:
    cluster.then(
        lambda: cluster.put(WORKFLOWS, thing("w", status={"phase": "Running"})),
        lambda: cluster.put(WORKFLOWS, thing("w", status={"phase": "Succeeded"})),
        lambda: cluster.remove(WORKFLOWS, "w"),
    )
    cluster.behaviour.impatient = True
    changes = list(cluster.watch(WORKFLOWS, timeout=60))
    assert seen(changes) == [("ALL",), ("ADDED", "w"), ("MODIFIED", "w"), ("DELETED", "w")]
    assert changes[2].items[0]["status"] == {"phase": "Succeeded"}


def test_a_timeline_without_a_timeout_is_read_as_far_as_wanted(cluster: FakeCluster) -> None:
    cluster.then(lambda: cluster.put(CONFIG_MAPS, thing("a")), lambda: cluster.put(CONFIG_MAPS, thing("b")))
    changes = cluster.watch(CONFIG_MAPS)
    assert seen([next(changes) for _ in range(3)]) == [("ALL",), ("ADDED", "a"), ("ADDED", "b")]


def test_another_thread_may_be_the_rest_of_the_world(cluster: FakeCluster) -> None:
    changes = cluster.watch(CONFIG_MAPS)
    got: list[Any] = []
    reader = threading.Thread(target=lambda: got.extend(next(changes) for _ in range(3)), daemon=True)
    reader.start()
    cluster.put(CONFIG_MAPS, thing("a"))
    cluster.put(CONFIG_MAPS, thing("a", data={"x": "1"}))
    cluster.put(CONFIG_MAPS, thing("b"))
    reader.join(30)
    assert len(got) == 3


def test_a_watch_may_have_to_begin_anew(cluster: FakeCluster) -> None:
    cluster.put(CONFIG_MAPS, thing("a"))
    cluster.then(lambda: cluster.put(CONFIG_MAPS, thing("b")), cluster.expire, lambda: cluster.put(CONFIG_MAPS, thing("c")))
    changes = cluster.watch(CONFIG_MAPS)
    assert seen([next(changes) for _ in range(4)]) == [("ALL", "a"), ("ADDED", "b"), ("ALL", "a", "b"), ("ADDED", "c")]
    first = cluster.list(CONFIG_MAPS, limit=1)
    cluster.expire()
    with pytest.raises(Conflict) as info:
        cluster.list(CONFIG_MAPS, limit=1, more=first.more)
    assert info.value.code == "list-expired"


@pytest.mark.parametrize(
    ("method", "call"),
    [
        ("get", lambda c: c.get(PODS, "p")),
        ("list", lambda c: c.list(PODS)),
        ("create", lambda c: c.create(PODS, thing("q"))),
        ("create", lambda c: c.create(PODS, thing("q"), dry_run=True)),
        ("apply", lambda c: c.apply(PODS, thing("p"))),
        ("patch", lambda c: c.patch(PODS, "p", {})),
        ("delete", lambda c: c.delete(PODS, "p")),
        ("watch", lambda c: c.watch(PODS)),
        ("next", lambda c: next(iter(c.watch(PODS)))),
        ("ask", lambda c: c.ask([])),
        ("proxy", lambda c: c.proxy("s", 80, "GET", "/")),
        ("kinds", lambda c: c.kinds("")),
        ("has_field", lambda c: c.has_field(PODS, "spec")),
        ("version", lambda c: c.version()),
        ("list", lambda c: c.events("p")),
    ],
)
def test_each_call_can_be_made_to_fail(cluster: FakeCluster, method: str, call: Any) -> None:
    cluster.put(PODS, pod("p"))
    cluster.serve("s", 80, lambda _: Reply(200, b""))
    cluster.fail_next(Unavailable("away", code="cluster-unreachable"), method)
    with pytest.raises(Unavailable, match="away"):
        call(cluster)
    call(cluster)


def test_a_fault_meets_only_what_it_is_for(cluster: FakeCluster) -> None:
    cluster.put(PODS, pod("p"))
    cluster.put(PODS, pod("q"))
    cluster.fail_next(Unavailable("away"), "get", PODS, "q", times=2)
    cluster.get(PODS, "p")
    for _ in range(2):
        with pytest.raises(Unavailable):
            cluster.get(PODS, "q")
    assert cluster.get(PODS, "q")


def test_a_watch_can_break_under_way(cluster: FakeCluster) -> None:
    changes = cluster.watch(PODS)
    next(changes)
    cluster.fail_next(Unavailable("away"), "next", PODS)
    with pytest.raises(Unavailable):
        next(changes)


def test_what_is_forbidden_fails_and_is_answered_so(cluster: FakeCluster) -> None:
    cluster.forbid("create", WORKFLOWS)
    cluster.forbid(
        "create",
        Kind("argoproj.io", "v1alpha1", "workflowtaskresults", "WorkflowTaskResult"),
        account="system:serviceaccount:ml:default",
    )
    cluster.forbid("get", PODS, "log")
    with pytest.raises(NotAllowed, match='cannot create resource "workflows" in API group') as info:
        cluster.create(WORKFLOWS, thing("w"))
    assert info.value.code == "cluster-forbidden"
    results = Kind("argoproj.io", "v1alpha1", "workflowtaskresults", "WorkflowTaskResult")
    answers = cluster.ask(
        [
            Question("create", WORKFLOWS, "ml"),
            Question("list", WORKFLOWS, "ml"),
            Question("create", results, "ml", account="system:serviceaccount:ml:default"),
            Question("create", results, "ml"),
        ]
    )
    assert [answer.allowed for answer in answers] == [False, True, False, True]
    cluster.put(PODS, pod("p"))
    assert cluster.get(PODS, "p")
    with pytest.raises(NotAllowed, match="pods/log"):
        cluster.logs("p", "main")


def test_answers_of_a_test(cluster: FakeCluster) -> None:
    cluster.behaviour.answer = lambda question: Answer(allowed=False, known=False) if question.account else None
    assert [a.known for a in cluster.ask([Question("get", PODS, "ml"), Question("get", PODS, "ml", account="x")])] == [True, False]


def test_a_webhook_of_a_test(cluster: FakeCluster) -> None:
    refused = Refused("no", code="webhook-denied")
    cluster.behaviour.admission.append(lambda kind, document: refused if kind is WORKFLOWS and "spec" not in document else None)
    for dry_run in (True, False):
        with pytest.raises(Refused):
            cluster.create(WORKFLOWS, thing("w"), dry_run=dry_run)
    assert cluster.list(WORKFLOWS).items == ()
    assert cluster.create(WORKFLOWS, thing("w", spec={}))


def test_a_followed_log_ends_with_its_container(cluster: FakeCluster) -> None:
    cluster.put(PODS, pod("p", "waiting"))
    cluster.then(
        lambda: cluster.put(PODS, pod("p")),
        lambda: cluster.write_log("p", "main", "one", "two"),
        lambda: cluster.write_log("p", "main", "three"),
        lambda: cluster.put(PODS, pod("p", "terminated")),
    )
    with pytest.raises(Unavailable) as info:
        list(cluster.logs("p", "main"))
    assert info.value.code == "container-not-started"
    lines = list(cluster.logs("p", "main", follow=True))
    assert [line.split(" ", 1)[1] for line in lines] == ["one", "two", "three"]
    assert lines == sorted(lines)
    assert lines[0].startswith("2026-01-01T00:00:00.001")
    assert list(cluster.logs("p", "main", tail=1)) == lines[-1:]
    with pytest.raises(NotFound):
        list(cluster.logs("p", "main", previous=True))
    with pytest.raises(NotFound):
        list(cluster.logs("p", "other"))


def test_a_log_can_be_ended_and_a_pod_removed(cluster: FakeCluster) -> None:
    for name in ("p", "q"):
        cluster.put(PODS, pod(name))
        cluster.write_log(name, "main", "one")
    cluster.then(lambda: cluster.end_log("p", "main"), lambda: cluster.remove(PODS, "q"))
    assert len(list(cluster.logs("p", "main", follow=True))) == 1
    assert len(list(cluster.logs("q", "main", follow=True))) == 1


def test_a_log_is_closed_from_another_thread(cluster: FakeCluster) -> None:
    cluster.put(PODS, pod("p"))
    lines: Any = cluster.logs("p", "main", follow=True)
    reader = threading.Thread(target=lambda: list(lines), daemon=True)
    reader.start()
    lines.close()
    reader.join(30)
    assert not reader.is_alive()


def test_a_service_of_a_test(cluster: FakeCluster) -> None:
    got: list[Asked] = []
    cluster.serve("s", 80, lambda asked: got.append(asked) or Reply(201, asked.body * 2))
    assert cluster.proxy("s", 80, "POST", "/x", body=b"a", headers={"X-Y": "z"}).body == b"aa"
    assert (got[0].path, got[0].headers) == ("/x", {"x-y": "z"})
    with pytest.raises(NotFound):
        cluster.proxy("s", 80, "GET", "/", namespace="default")


def test_who_owns_goes_with_what_is_owned(cluster: FakeCluster) -> None:
    owner = cluster.create(WORKFLOWS, thing("w"))
    owned = thing("p")
    owned["metadata"]["ownerReferences"] = [{"uid": owner["metadata"]["uid"]}]
    cluster.create(PODS, owned)
    cluster.delete(WORKFLOWS, "w")
    assert cluster.list(PODS).items == ()
    cluster.create(NAMESPACES, thing("team"))
    cluster.create(CONFIG_MAPS, thing("c"), "team")
    cluster.delete(NAMESPACES, "team")
    assert cluster.list(CONFIG_MAPS, "").items == ()


def test_deleting_waits_for_finalizers(cluster: FakeCluster) -> None:
    made = thing("w")
    made["metadata"]["finalizers"] = ["x"]
    cluster.create(WORKFLOWS, made)
    cluster.then(lambda: cluster.patch(WORKFLOWS, "w", {"metadata": {"finalizers": None}}))
    cluster.delete(WORKFLOWS, "w", wait=True)
    assert cluster.list(WORKFLOWS).items == ()


@pytest.mark.parametrize(("kind", "changes"), [(WORKFLOWS, True), (INFERENCE_SERVICES, False)])
def test_status_is_a_subresource_where_it_is_one(cluster: FakeCluster, kind: Kind, changes: bool) -> None:
    cluster.put(kind, thing("x", status={"a": 1}))
    cluster.patch(kind, "x", {"status": {"a": 2}})
    assert cluster.get(kind, "x")["status"] == {"a": 2 if changes else 1}
    cluster.patch(kind, "x", {"status": {"a": 3}, "spec": {"b": 1}}, subresource="status")
    assert cluster.get(kind, "x")["status"] == {"a": 3}
    assert "spec" not in cluster.get(kind, "x")


def test_versions_and_generations(cluster: FakeCluster) -> None:
    made = cluster.create(WORKFLOWS, thing("w", spec={"a": 1}))
    same = cluster.patch(WORKFLOWS, "w", {"spec": {"a": 1}})
    assert same["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    changed = cluster.patch(WORKFLOWS, "w", {"spec": {"a": 2}})
    assert (made["metadata"]["generation"], changed["metadata"]["generation"]) == (1, 2)
    assert cluster.patch(WORKFLOWS, "w", {"status": {}})["metadata"]["generation"] == 2


def test_what_was_called_is_kept(cluster: FakeCluster) -> None:
    cluster.create(CONFIG_MAPS, thing("c"), "default")
    assert cluster.calls == [Call("create", CONFIG_MAPS, "c", "default", thing("c"))]
    cluster.put(CONFIG_MAPS, thing("d"))
    assert len(cluster.calls) == 1, "what tests do is no call"


def test_documents_are_copies(cluster: FakeCluster) -> None:
    given = thing("c", data={"x": "1"})
    made: Any = cluster.create(CONFIG_MAPS, given)
    made["data"]["x"] = given["data"]["x"] = "2"
    assert cluster.get(CONFIG_MAPS, "c")["data"] == {"x": "1"}


def test_a_cluster_without_argo() -> None:
    cluster = FakeCluster(kinds=(PODS, CONFIG_MAPS))
    assert cluster.kinds("argoproj.io") == {}
    with pytest.raises(NotFound) as info:
        cluster.list(WORKFLOWS)
    assert info.value.code == "no-such-kind"


def test_fields_that_a_test_names(cluster: FakeCluster) -> None:
    assert cluster.has_field(INFERENCE_SERVICES, "spec.canary") is None
    cluster.behaviour.fields["inferenceservices"] = frozenset({"spec.canary.x"})
    assert cluster.has_field(INFERENCE_SERVICES, "spec.canary") is True
    assert cluster.has_field(INFERENCE_SERVICES, "spec.other") is False


def test_an_event(cluster: FakeCluster) -> None:
    cluster.add_event("p", "FailedScheduling", "0/1 nodes are available", at="2026-01-01T00:00:02Z")
    cluster.add_event("p", "Pulled", "image", type_="Normal", at="2026-01-01T00:00:01Z")
    assert [event["reason"] for event in cluster.events("p", kind="Pod")] == ["Pulled", "FailedScheduling"]

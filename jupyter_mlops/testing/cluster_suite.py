"""Conformance suite of the port of clusters: what the one in memory and a real one do alike, so tests on one hold on the other.

An adapter's tests subclass ``ClusterConformance`` and give the fixtures ``cluster`` and ``namespace`` (an empty one of the
test's own)::

    class TestMyCluster(ClusterConformance):
        @pytest.fixture
        def cluster(self): ...
        @pytest.fixture
        def namespace(self, cluster): ...
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from jupyter_mlops.cluster.base import CONFIG_MAPS, PODS, SERVICES, WORKFLOWS, Change, Cluster, Kind, Question
from jupyter_mlops.errors import Conflict, NotFound, Refused, WrongUsage

NO_SUCH_KIND = Kind("absent.example.com", "v1", "widgets", "Widget")


def thing(name: str, data: str = "1", **labels: str) -> dict[str, Any]:
    """A ConfigMap, the plainest of all objects."""
    return {"metadata": {"name": name, "labels": labels}, "data": {"x": data}}


class ClusterConformance:
    """Every method of the port, with what it does where things are not as they should be."""

    def test_what_was_created_is_read_and_deleted(self, cluster: Cluster, namespace: str) -> None:
        """A document comes back with what the server added, and is gone when deleted."""
        made = cluster.create(CONFIG_MAPS, thing("one", a="b"), namespace)
        assert (made["kind"], made["apiVersion"], made["metadata"]["namespace"]) == ("ConfigMap", "v1", namespace)
        assert made["metadata"]["uid"]
        assert cluster.get(CONFIG_MAPS, "one", namespace) == made
        cluster.delete(CONFIG_MAPS, "one", namespace, wait=True)
        with pytest.raises(NotFound, match='configmaps "one" not found') as info:
            cluster.get(CONFIG_MAPS, "one", namespace)
        assert info.value.code == "not-found"

    def test_what_exists_is_not_created_again(self, cluster: Cluster, namespace: str) -> None:
        """Also not on trial."""
        cluster.create(CONFIG_MAPS, thing("one"), namespace)
        for dry_run in (True, False):
            with pytest.raises(Conflict, match="already exists") as info:
                cluster.create(CONFIG_MAPS, thing("one"), namespace, dry_run=dry_run)
            assert info.value.code == "already-exists"

    def test_a_trial_leaves_nothing(self, cluster: Cluster, namespace: str) -> None:
        """It says what would be made."""
        assert cluster.create(CONFIG_MAPS, thing("one"), namespace, dry_run=True)["data"] == {"x": "1"}
        assert cluster.list(CONFIG_MAPS, namespace, fields="metadata.name=one").items == ()

    def test_a_name_is_made(self, cluster: Cluster, namespace: str) -> None:
        """Two of one prefix have two names."""
        names = {
            cluster.create(CONFIG_MAPS, {"metadata": {"generateName": "many-"}}, namespace)["metadata"]["name"] for _ in range(2)
        }
        assert len(names) == 2  # noqa: PLR2004 - as many as were made
        assert all(name.startswith("many-") and len(name) == len("many-") + 5 for name in names)

    def test_a_namespace_that_is_not_there(self, cluster: Cluster, namespace: str) -> None:
        """Creating in it is told so; its lists are empty."""
        with pytest.raises(NotFound, match=f'namespaces "{namespace}-gone" not found') as info:
            cluster.create(CONFIG_MAPS, thing("one"), f"{namespace}-gone")
        assert info.value.code == "namespace-not-found"
        assert cluster.list(CONFIG_MAPS, f"{namespace}-gone").items == ()

    def test_a_kind_that_is_not_there(self, cluster: Cluster, namespace: str) -> None:
        """Its name is in the message; asking for its kinds gives none."""
        for call in (
            lambda: cluster.get(NO_SUCH_KIND, "one", namespace),
            lambda: cluster.list(NO_SUCH_KIND, namespace),
            lambda: cluster.create(NO_SUCH_KIND, thing("one"), namespace),
            lambda: next(iter(cluster.watch(NO_SUCH_KIND, namespace))),
        ):
            with pytest.raises(NotFound, match=r"widgets\.absent\.example\.com") as info:
                call()
            assert info.value.code == "no-such-kind"
        assert cluster.kinds("absent.example.com") == {}

    @pytest.mark.parametrize("name", ["Upper", "under_score", "-first"])
    def test_a_name_that_is_none(self, cluster: Cluster, namespace: str, name: str) -> None:
        """The field is the name's."""
        with pytest.raises(Refused, match=r"metadata\.name") as info:
            cluster.create(CONFIG_MAPS, thing(name), namespace)
        assert info.value.code == "invalid-document"

    def test_a_document_of_another_kind(self, cluster: Cluster, namespace: str) -> None:
        """Is a mistake before anything is sent."""
        with pytest.raises(WrongUsage, match="a Pod is not a ConfigMap"):
            cluster.create(CONFIG_MAPS, {"kind": "Pod", **thing("one")}, namespace)

    def test_a_merge_patch(self, cluster: Cluster, namespace: str) -> None:
        """Merges, deletes by None, and keeps to a version where it names one."""
        made = cluster.create(CONFIG_MAPS, thing("one", a="b"), namespace)
        patched = cluster.patch(CONFIG_MAPS, "one", {"data": {"y": "2", "x": None}}, namespace)
        assert (patched["data"], patched["metadata"]["labels"]) == ({"y": "2"}, {"a": "b"})
        stale = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, "data": {"y": "3"}}
        with pytest.raises(Conflict, match="has been modified") as info:
            cluster.patch(CONFIG_MAPS, "one", stale, namespace)
        assert info.value.code == "conflict"
        fresh = {"metadata": {"resourceVersion": patched["metadata"]["resourceVersion"]}, "data": {"y": "3"}}
        assert cluster.patch(CONFIG_MAPS, "one", fresh, namespace)["data"] == {"y": "3"}

    def test_a_json_patch(self, cluster: Cluster, namespace: str) -> None:
        """Its operations in order; a test that fails changes nothing."""
        cluster.create(CONFIG_MAPS, thing("one"), namespace)
        operations: list[dict[str, Any]] = [
            {"op": "test", "path": "/data/x", "value": "1"},
            {"op": "replace", "path": "/data/x", "value": "2"},
            {"op": "add", "path": "/metadata/annotations", "value": {"a/b": "c"}},
            {"op": "replace", "path": "/metadata/annotations/a~1b", "value": "d"},
        ]
        patched = cluster.patch(CONFIG_MAPS, "one", operations, namespace)
        assert (patched["data"]["x"], patched["metadata"]["annotations"]) == ("2", {"a/b": "d"})
        for wrong in ({"op": "test", "path": "/data/x", "value": "1"}, {"op": "remove", "path": "/data/nothing"}):
            with pytest.raises(Conflict):
                cluster.patch(CONFIG_MAPS, "one", [wrong, {"op": "remove", "path": "/data/x"}], namespace)
        assert cluster.get(CONFIG_MAPS, "one", namespace)["data"]["x"] == "2"

    def test_a_patch_of_what_is_not_there(self, cluster: Cluster, namespace: str) -> None:
        """It makes nothing."""
        with pytest.raises(NotFound):
            cluster.patch(CONFIG_MAPS, "one", {"data": {"x": "1"}}, namespace)

    def test_apply_creates_and_changes(self, cluster: Cluster, namespace: str) -> None:
        """Also what somebody else made."""
        cluster.create(CONFIG_MAPS, thing("theirs"), namespace)
        for name in ("ours", "theirs"):
            cluster.apply(CONFIG_MAPS, thing(name, "2"), namespace)
            again = cluster.apply(CONFIG_MAPS, thing(name, "3"), namespace)
            assert again["data"] == {"x": "3"}
        with pytest.raises(WrongUsage, match=r"metadata\.name"):
            cluster.apply(CONFIG_MAPS, {"metadata": {"generateName": "x-"}}, namespace)

    def test_only_the_very_object_is_deleted(self, cluster: Cluster, namespace: str) -> None:
        """A uid guards against one of the same name that was made since."""
        made = cluster.create(CONFIG_MAPS, thing("one"), namespace)
        with pytest.raises(Conflict):
            cluster.delete(CONFIG_MAPS, "one", namespace, uid="00000000-0000-0000-0000-000000000000")
        cluster.delete(CONFIG_MAPS, "one", namespace, uid=made["metadata"]["uid"])
        with pytest.raises(NotFound):
            cluster.delete(CONFIG_MAPS, "one", namespace)

    def test_a_finalizer_keeps_it(self, cluster: Cluster, namespace: str) -> None:
        """Until it is taken away."""
        made = thing("one")
        made["metadata"]["finalizers"] = ["example.com/keep"]
        cluster.create(CONFIG_MAPS, made, namespace)
        cluster.delete(CONFIG_MAPS, "one", namespace)
        assert cluster.get(CONFIG_MAPS, "one", namespace)["metadata"]["deletionTimestamp"]
        cluster.patch(CONFIG_MAPS, "one", {"metadata": {"finalizers": None}}, namespace)
        with pytest.raises(NotFound):
            cluster.get(CONFIG_MAPS, "one", namespace)

    @pytest.mark.parametrize(
        ("labels", "fields", "names"),
        [
            ("", "", "abc"),
            ("k=1", "", "a"),
            ("k==1", "", "a"),
            ("k!=1", "", "bc"),
            ("k", "", "ab"),
            ("!k", "", "c"),
            ("k in (1, 2)", "", "ab"),
            ("k notin (1)", "", "bc"),
            ("k,k!=2", "", "a"),
            ("", "metadata.name=b", "b"),
            ("", "metadata.name!=b", "ac"),
            ("k=1", "metadata.name=b", ""),
        ],
    )
    def test_selectors(self, cluster: Cluster, namespace: str, labels: str, fields: str, names: str) -> None:
        """By labels and by fields."""
        for name, given in (("a", {"k": "1"}), ("b", {"k": "2"}), ("c", {})):
            cluster.create(CONFIG_MAPS, thing(name, **given), namespace)
        found = cluster.list(CONFIG_MAPS, namespace, labels=labels, fields=fields).items
        own = [item["metadata"]["name"] for item in found if item["metadata"]["name"] in "abc"]
        assert "".join(own) == names
        assert all(item["kind"] == "ConfigMap" for item in found)

    @pytest.mark.parametrize(("labels", "fields"), [("a b", ""), ("", "spec.nothing=1")])
    def test_a_selector_that_is_none(self, cluster: Cluster, namespace: str, labels: str, fields: str) -> None:
        """The server's own words."""
        cluster.create(CONFIG_MAPS, thing("one"), namespace)
        with pytest.raises(WrongUsage, match=r"unable to parse|field label not supported|not a known field selector"):
            cluster.list(CONFIG_MAPS, namespace, labels=labels, fields=fields)

    def test_pages(self, cluster: Cluster, namespace: str) -> None:
        """Pages of one snapshot, and all at once."""
        for number in range(5):
            cluster.create(CONFIG_MAPS, thing(f"n{number}", k="page"), namespace)
        first = cluster.list(CONFIG_MAPS, namespace, labels="k=page", limit=2)
        second = cluster.list(CONFIG_MAPS, namespace, labels="k=page", limit=2, more=first.more)
        third = cluster.list(CONFIG_MAPS, namespace, labels="k=page", limit=2, more=second.more)
        assert [len(page.items) for page in (first, second, third)] == [2, 2, 1]
        assert not third.more
        whole = cluster.list(CONFIG_MAPS, namespace, labels="k=page")
        assert whole.items == (*first.items, *second.items, *third.items)
        assert whole.version
        assert not whole.more

    def test_all_namespaces(self, cluster: Cluster, namespace: str) -> None:
        """'' is all of them, None the default one."""
        cluster.create(CONFIG_MAPS, thing("one", k=namespace), namespace)
        found = cluster.list(CONFIG_MAPS, "", labels=f"k={namespace}").items
        assert [item["metadata"]["namespace"] for item in found] == [namespace]

    def test_a_watch_sees_every_change(self, cluster: Cluster, namespace: str) -> None:
        """All there is, then one after the other; what no longer matches is gone."""
        cluster.create(CONFIG_MAPS, thing("before", k="1"), namespace)
        with closing(cluster.watch(CONFIG_MAPS, namespace, labels="k=1")) as changes:  # type: ignore[type-var]
            assert _seen(changes) == ("ALL", "before")
            cluster.create(CONFIG_MAPS, thing("one", k="1"), namespace)
            cluster.create(CONFIG_MAPS, thing("other", k="2"), namespace)
            cluster.patch(CONFIG_MAPS, "one", {"data": {"x": "2"}}, namespace)
            cluster.patch(CONFIG_MAPS, "before", {"metadata": {"labels": {"k": "2"}}}, namespace)
            cluster.patch(CONFIG_MAPS, "other", {"metadata": {"labels": {"k": "1"}}}, namespace)
            cluster.delete(CONFIG_MAPS, "one", namespace)
            assert [_seen(changes) for _ in range(5)] == [
                ("ADDED", "one"),
                ("MODIFIED", "one"),
                ("DELETED", "before"),
                ("ADDED", "other"),
                ("DELETED", "one"),
            ]

    def test_a_watch_of_one_object(self, cluster: Cluster, namespace: str) -> None:
        """By its name, before it is there."""
        with closing(cluster.watch(CONFIG_MAPS, namespace, fields="metadata.name=one")) as changes:  # type: ignore[type-var]
            assert _seen(changes) == ("ALL",)
            cluster.create(CONFIG_MAPS, thing("two"), namespace)
            cluster.create(CONFIG_MAPS, thing("one"), namespace)
            assert _seen(changes) == ("ADDED", "one")

    def test_a_watch_ends_when_nothing_changes(self, cluster: Cluster, namespace: str) -> None:
        """After the time given."""
        changes = cluster.watch(CONFIG_MAPS, namespace, labels="k=nothing", timeout=0.2)
        assert [change.type for change in changes] == ["ALL"]

    def test_a_watch_is_closed_from_another_thread(self, cluster: Cluster, namespace: str) -> None:
        """Who waits for the next change gets the end."""
        changes: Any = cluster.watch(CONFIG_MAPS, namespace, labels="k=nothing")
        assert next(changes).type == "ALL"
        rest: list[Change] = []
        reader = threading.Thread(target=lambda: rest.extend(changes), daemon=True)
        reader.start()
        changes.close()
        reader.join(30)
        assert not reader.is_alive()
        assert rest == []
        changes.close()

    def test_events_are_in_order(self, cluster: Cluster, namespace: str) -> None:
        """Oldest first, of one object only."""
        for stamp, name, kind in (("2", "p", "Pod"), ("1", "p", "Pod"), ("3", "q", "Pod"), ("0", "p", "Workflow")):
            event = {
                "metadata": {"generateName": "e-"},
                "involvedObject": {"kind": kind, "name": name, "namespace": namespace},
                "reason": stamp,
                "type": "Warning",
                "lastTimestamp": f"2026-01-01T00:00:0{stamp}Z",
            }
            cluster.create(Kind("", "v1", "events", "Event"), event, namespace)
        assert [event["reason"] for event in cluster.events("p", namespace, kind="Pod")] == ["1", "2"]
        assert [event["reason"] for event in cluster.events("p", namespace)] == ["0", "1", "2"]
        assert cluster.events("nobody", namespace) == []

    def test_questions_are_answered_in_order(self, cluster: Cluster, namespace: str) -> None:
        """About oneself and about an account."""
        account = f"system:serviceaccount:{namespace}:nobody"
        questions = [Question("create", kind, namespace, account=who) for kind in (WORKFLOWS, PODS) for who in ("", account)]
        answers = cluster.ask([*questions, *questions])
        assert len(answers) == len(questions) * 2
        assert all(answer.known for answer in answers)
        assert answers[0].allowed
        assert cluster.ask([]) == []

    def test_what_a_service_and_a_pod_that_are_not_there_say(self, cluster: Cluster, namespace: str) -> None:
        """Not found."""
        with pytest.raises(NotFound, match='services "nobody" not found'):
            cluster.proxy("nobody", 80, "GET", "/", namespace=namespace)
        with pytest.raises(NotFound, match='pods "nobody" not found'):
            list(cluster.logs("nobody", "main", namespace))
        with pytest.raises(NotFound, match='pods "nobody" not found'):
            list(cluster.logs("nobody", "main", namespace, follow=True))

    def test_discovery(self, cluster: Cluster) -> None:
        """Kinds, version and fields."""
        assert cluster.version() >= (1, 20)
        assert cluster.kinds("")["configmaps"] == "v1"
        assert "configmaps/status" not in cluster.kinds("")
        assert cluster.has_field(NO_SUCH_KIND, "spec.x") is None
        assert cluster.has_field(SERVICES, "spec.nothingOfThatName") in {False, None}
        assert cluster.server.startswith("https://")
        assert cluster.context
        assert cluster.namespace


def _seen(changes: Iterator[Change]) -> tuple[str, ...]:
    """Type and names of the next change."""
    change = next(changes)
    own = (str(item["metadata"]["name"]) for item in change.items if item["metadata"]["name"] != "kube-root-ca.crt")
    return (change.type, *own)

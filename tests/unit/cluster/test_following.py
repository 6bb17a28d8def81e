from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from jupyter_mlops.cluster import following, watching
from jupyter_mlops.cluster.times import Seen, event_time
from jupyter_mlops.errors import NotAllowed, NotFound, Unavailable, WrongUsage
from tests.unit.cluster.answering import CUT, Asked, Reply, status


def at(second: float, text: str) -> bytes:
    """A line as kubelet gives it: zeros at the end of a fraction are left out."""
    stamp = f"2026-01-01T00:00:{second:012.9f}".rstrip("0").rstrip(".")
    return f"{stamp}Z {text}\n".encode()


def pod(
    state: str = "running", instance: str = "c1", group: str = "containerStatuses", phase: str = "Running", **more: Any
) -> Reply:
    found = {"name": "main", "containerID": instance, "state": {state: more}}
    return Reply(
        body={"kind": "Pod", "metadata": {"name": "p", "resourceVersion": "5"}, "status": {"phase": phase, group: [found]}}
    )


class Kubelet:
    """Answers for a pod: its document in turn, and its log in turn; the last ones for ever."""

    def __init__(self, pods: list[Reply], logs: list[Any], watched: list[Reply] | None = None) -> None:
        self.pods, self.given, self.watched, self.asked = pods, logs, watched or [], []

    def __call__(self, asked: Asked) -> Reply:
        path = urlsplit(asked.path)
        query = {key: values[0] for key, values in parse_qs(path.query).items()}
        if path.path.endswith("/log"):
            self.asked.append(query)
            found = self.next(self.given)
            return found if isinstance(found, Reply) else Reply(body=iter(found() if callable(found) else found))
        if path.path.endswith("/pods"):
            return self.next(self.watched)
        return self.next(self.pods)

    @staticmethod
    def next(replies: list[Any]) -> Any:
        return replies.pop(0) if len(replies) > 1 else replies[0]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "pause", lambda *_: None)
    monkeypatch.setattr(following, "pause", lambda *_: None)


def texts(lines: Iterator[str]) -> list[str]:
    return [line.partition(" ")[2] for line in lines]


def test_a_log_as_it_is(start: Any) -> None:
    kubelet = Kubelet([pod()], [[at(1, "one"), at(2, ""), at(3, "a\rb c"), at(4, "no end")[:-1]]])
    cluster, server = start(kubelet)
    assert list(cluster.logs("p", "main", tail=10)) == [
        "2026-01-01T00:00:01Z one",
        "2026-01-01T00:00:02Z ",
        "2026-01-01T00:00:03Z a\rb c",
        "2026-01-01T00:00:04Z no end",
    ]
    assert kubelet.asked == [{"container": "main", "timestamps": "true", "tailLines": "10"}]
    assert len(server.asked) == 1, "nothing else is asked for"


def test_the_log_of_the_run_before(start: Any) -> None:
    kubelet = Kubelet([pod()], [[at(1, "crashed")]])
    cluster, _ = start(kubelet)
    assert texts(cluster.logs("p", "main", previous=True)) == ["crashed"]
    assert kubelet.asked[0]["previous"] == "true"


def test_bytes_that_are_no_text_do_not_end_it(start: Any) -> None:
    cluster, _ = start(Kubelet([pod()], [[b"2026-01-01T00:00:01Z \xff\xfe\x00\xe2\x82", b"\xac\n", at(2, "\u2028x\x0b")]]))
    assert texts(cluster.logs("p", "main")) == ["\ufffd\ufffd\x00€", "\u2028x\x0b"]


def test_following_ends_with_the_container(start: Any) -> None:
    kubelet = Kubelet([pod(), pod("terminated")], [[at(1, "one"), at(2, "two")]])
    cluster, _ = start(kubelet)
    assert texts(cluster.logs("p", "main", follow=True)) == ["one", "two"]
    assert kubelet.asked == [{"container": "main", "timestamps": "true", "follow": "true"}]


@pytest.mark.parametrize("group", ["initContainerStatuses", "ephemeralContainerStatuses"])
def test_other_kinds_of_containers(start: Any, group: str) -> None:
    kubelet = Kubelet(
        [pod(group=group), pod(group=group), pod("terminated", group=group)], [[at(1, "one")], [at(1, "one"), at(2, "two")]]
    )
    cluster, _ = start(kubelet)
    assert texts(cluster.logs("p", "main", follow=True)) == ["one", "two"]


@pytest.mark.parametrize("broken", [True, False], ids=["broken", "ended"])
def test_nothing_is_lost_or_doubled_where_a_connection_ends(start: Any, broken: bool) -> None:
    third = at(2.5, "third of the moment")
    same = [at(2.5, "same"), at(2.5, "same"), third]
    kubelet = Kubelet(
        [pod(), pod("terminated")] if broken else [pod(), pod(), pod(), pod("terminated")],
        [
            [at(1, "one"), at(2.25, "before"), *same[:2], *([third[:-5], CUT] if broken else [])],
            [at(2.25, "before"), *same, at(2.500000001, "next"), *([CUT] if broken else [])],
            [at(2.25, "before"), *same, at(2.500000001, "next"), at(12, "last")],
        ],
    )
    cluster, _ = start(kubelet)
    got = texts(cluster.logs("p", "main", follow=True))
    assert got == ["one", "before", "same", "same", "third of the moment", "next", "last"]
    assert [query.get("sinceTime") for query in kubelet.asked] == [None, "2026-01-01T00:00:02.5Z", "2026-01-01T00:00:02.500000001Z"]


def test_tail_counts_for_the_first_connection(start: Any) -> None:
    kubelet = Kubelet([pod(), pod("terminated")], [[at(1, "one"), CUT], [at(1, "one"), at(2, "two")]])
    cluster, _ = start(kubelet)
    assert texts(cluster.logs("p", "main", follow=True, tail=1)) == ["one", "two"]
    assert [query.get("tailLines") for query in kubelet.asked] == ["1", None]


def test_another_run_of_the_container_is_not_followed(start: Any) -> None:
    kubelet = Kubelet([pod(instance="c1"), pod(instance="c2")], [[at(1, "one")]])
    cluster, _ = start(kubelet)
    assert texts(cluster.logs("p", "main", follow=True)) == ["one"]


def test_a_pod_that_is_deleted_ends_its_log(start: Any) -> None:
    gone = status(404, "NotFound", 'pods "p" not found', name="p", kind="pods")
    kubelet = Kubelet([pod(), gone], [[at(1, "one")]])
    cluster, _ = start(kubelet)
    assert texts(cluster.logs("p", "main", follow=True)) == ["one"]


def test_who_may_read_logs_only_follows_to_the_end(start: Any) -> None:
    forbidden = status(403, "Forbidden", 'pods "p" is forbidden: User "u" cannot get resource "pods" in API group ""')
    cluster, _ = start(Kubelet([forbidden], [[at(1, "one")]]))
    assert texts(cluster.logs("p", "main", follow=True)) == ["one"]


WAITING = status(400, "BadRequest", 'container "main" in pod "p" is waiting to start: ContainerCreating')


def test_a_container_that_has_not_started_has_no_log(start: Any) -> None:
    cluster, _ = start(Kubelet([pod("waiting")], [WAITING]))
    with pytest.raises(Unavailable, match="is waiting to start: ContainerCreating") as info:
        list(cluster.logs("p", "main"))
    assert info.value.code == "container-not-started"


def as_list(reply: Reply) -> Reply:
    return Reply(body={"metadata": {"resourceVersion": "9"}, "items": [reply.body]})


def test_following_waits_for_the_start(start: Any) -> None:
    kubelet = Kubelet([pod("waiting"), pod(), pod("terminated")], [WAITING, [at(1, "one")]], [as_list(pod())])
    cluster, _ = start(kubelet)
    assert texts(cluster.logs("p", "main", follow=True)) == ["one"]


@pytest.mark.parametrize(
    "never",
    [Reply(body={"metadata": {"resourceVersion": "9"}, "items": []}), as_list(pod("waiting", phase="Failed"))],
    ids=["deleted", "failed"],
)
def test_following_what_never_starts_ends(start: Any, never: Reply) -> None:
    cluster, _ = start(Kubelet([pod("waiting")], [WAITING], [never]))
    assert list(cluster.logs("p", "main", follow=True)) == []


@pytest.mark.parametrize(
    ("reply", "kind", "code"),
    [
        (status(400, "BadRequest", 'previous terminated container "main" in pod "p" not found'), NotFound, "log-gone"),
        (status(400, "BadRequest", "container main is not valid for pod p"), NotFound, "container-not-found"),
        (status(404, "NotFound", 'pods "p" not found', name="p", kind="pods"), NotFound, "not-found"),
        ([b"unable to retrieve container logs for containerd://abc"], NotFound, "log-gone"),
        (
            status(
                403,
                "Forbidden",
                'pods "p" is forbidden: User "u" cannot get resource "pods/log" in API group "" in the namespace "ml"',
            ),
            NotAllowed,
            "cluster-forbidden",
        ),
        (status(400, "BadRequest", "something else"), WrongUsage, "cluster-refused"),
    ],
)
@pytest.mark.parametrize("follow", [False, True])
def test_there_is_no_log(start: Any, reply: Any, kind: type[Exception], code: str, follow: bool) -> None:
    cluster, _ = start(Kubelet([pod()], [reply]))
    with pytest.raises(kind) as info:
        list(cluster.logs("p", "main", follow=follow))
    assert info.value.code == code


def test_closing_from_another_thread(start: Any) -> None:
    arrived, release = threading.Event(), threading.Event()

    def silent() -> Iterator[bytes]:
        yield at(1, "one")
        release.wait(30)

    lines = start(Kubelet([pod()], [silent]))[0].logs("p", "main", follow=True)
    got: list[str] = []

    def read() -> None:
        for line in lines:
            got.append(line)
            arrived.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    assert arrived.wait(30)
    lines.close()
    reader.join(30)
    assert not reader.is_alive()
    assert texts(iter(got)) == ["one"]
    release.set()


def test_closing_while_it_waits_for_the_start(start: Any) -> None:
    waits, release = threading.Event(), threading.Event()

    def silent() -> Iterator[bytes]:
        waits.set()
        release.wait(30)
        yield b""

    answers: list[Callable[[], Reply]] = [lambda: as_list(pod("waiting")), lambda: Reply(body=silent())]

    def kubelet(asked: Asked) -> Reply:
        if "/log" in asked.path:
            return WAITING
        return (
            (answers.pop(0) if len(answers) > 1 else answers[0])() if asked.path.split("?")[0].endswith("/pods") else pod("waiting")
        )

    lines = start(kubelet)[0].logs("p", "main", follow=True)
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.extend(lines), daemon=True)
    reader.start()
    assert waits.wait(30)
    lines.close()
    reader.join(30)
    assert not reader.is_alive()
    assert got == []
    release.set()


@pytest.mark.parametrize(
    ("given", "again", "fresh"),
    [
        (["01Z a"], ["01Z a", "02Z b"], ["02Z b"]),
        (["01Z a", "01Z b"], ["01Z a", "01Z b", "01Z c"], ["01Z c"]),
        (["01.5Z a"], ["01.25Z x", "01.5Z a", "01.50001Z b"], ["01.50001Z b"]),
        (["09.9Z a"], ["09.9Z a", "10Z b"], ["10Z b"]),
        ([], ["01Z a"], ["01Z a"]),
    ],
)
def test_lines_seen_before_are_known(given: list[str], again: list[str], fresh: list[str]) -> None:
    seen = Seen()
    assert all(seen.new(f"2026-01-01T00:00:{line}") for line in given)
    for _ in range(2):
        seen.again()
        new = [line for line in again if seen.new(f"2026-01-01T00:00:{line}")]
        assert new == fresh
        fresh = []


def test_a_line_without_a_time_is_given() -> None:
    seen = Seen()
    assert seen.new("failed to watch file")
    assert seen.stamp == ""


@pytest.mark.parametrize(
    ("event", "time"),
    [
        ({"lastTimestamp": "b", "firstTimestamp": "a"}, "b"),
        ({"lastTimestamp": None, "series": {"lastObservedTime": "s"}, "eventTime": "e"}, "s"),
        ({"eventTime": "e", "firstTimestamp": None}, "e"),
        ({"metadata": {"creationTimestamp": "c"}}, "c"),
        ({}, ""),
    ],
)
def test_when_an_event_was(event: dict[str, Any], time: str) -> None:
    assert event_time(event) == time

from __future__ import annotations

import json
import math
import threading
import tracemalloc
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from jupyter_mlops.cluster import watching
from jupyter_mlops.cluster.base import PODS
from jupyter_mlops.cluster.watching import Outage
from jupyter_mlops.errors import NotAllowed, NotFound, PlatformError, Unavailable
from tests.unit.cluster.answering import CUT, Asked, Reply, in_turn, status


def listed(version: str, *names: str) -> Reply:
    return Reply(body={"metadata": {"resourceVersion": version}, "items": [{"metadata": {"name": name}} for name in names]})


def event(kind: str, version: int | str, name: str = "p") -> bytes:
    return json.dumps({"type": kind, "object": {"metadata": {"name": name, "resourceVersion": str(version)}}}).encode() + b"\n"


def stream(*chunks: Any) -> Reply:
    return Reply(body=iter(chunks))


def query(asked: Asked) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(urlsplit(asked.path).query).items()}


def seen(change: Any) -> tuple[str, ...]:
    return (change.type, *(item["metadata"]["name"] for item in change.items))


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that watches would make; none is made."""
    made: list[float] = []
    monkeypatch.setattr(watching, "pause", lambda _closed, seconds: made.append(seconds))
    monkeypatch.setattr(watching.random, "uniform", lambda _low, high: high)
    return made


def take(changes: Iterator[Any], number: int) -> list[tuple[str, ...]]:
    return [seen(next(changes)) for _ in range(number)]


def test_it_goes_on_where_a_connection_ended(start: Any) -> None:
    cluster, server = start(
        in_turn(
            listed("10", "a"),
            stream(event("ADDED", 11, "b"), event("BOOKMARK", 15)),
            stream(event("MODIFIED", 16, "b")),
            stream(CUT),
            stream(event("DELETED", 17, "b"), CUT),
            stream(event("ADDED", 18, "c")),
        )
    )
    changes = cluster.watch(PODS, labels="x=y", fields="metadata.name=b")
    assert take(changes, 5) == [("ALL", "a"), ("ADDED", "b"), ("MODIFIED", "b"), ("DELETED", "b"), ("ADDED", "c")]
    changes.close()
    first, *watches = [query(asked) for asked in server.asked]
    assert (first["labelSelector"], first["fieldSelector"]) == ("x=y", "metadata.name=b")
    assert [asked["resourceVersion"] for asked in watches] == ["10", "15", "16", "16", "17"]
    for asked in watches:
        assert (asked["watch"], asked["allowWatchBookmarks"], asked["labelSelector"]) == ("true", "true", "x=y")
        assert watching.LASTS <= int(asked["timeoutSeconds"]) <= watching.LASTS * 1.25


@pytest.mark.parametrize(
    "gone",
    [
        status(410, "Expired", "too old resource version: 10 (50)"),
        stream(json.dumps({"type": "ERROR", "object": {"kind": "Status", "apiVersion": "v1", "code": 410}}).encode() + b"\n"),
    ],
    ids=["answer", "event"],
)
def test_a_version_that_is_gone_is_a_new_beginning(start: Any, gone: Reply) -> None:
    cluster, _ = start(in_turn(listed("10", "a"), gone, listed("60", "b", "c"), stream(event("ADDED", 61, "d"))))
    changes = cluster.watch(PODS)
    assert take(changes, 3) == [("ALL", "a"), ("ALL", "b", "c"), ("ADDED", "d")]
    changes.close()


def test_an_event_in_many_pieces_and_many_in_one(start: Any) -> None:
    long = "ü" * 200_000
    whole = event("ADDED", 11, "b") + event("ADDED", 12, long) + event("ADDED", 13, "d")
    pieces = [whole[i : i + 70_001] for i in range(0, len(whole), 70_001)]
    cluster, _ = start(in_turn(listed("10"), stream(whole[:3], whole[3:7], whole[7:]), stream(*pieces)))
    changes = cluster.watch(PODS)
    assert take(changes, 7) == [("ALL",), *[("ADDED", name) for name in ("b", long, "d")] * 2]
    changes.close()


def test_a_server_that_is_away_is_waited_for(start: Any, no_waiting: list[float]) -> None:
    away = Reply(body=CUT)
    cluster, _ = start(
        in_turn(listed("10"), *[away] * 8, stream(event("ADDED", 11, "b")), *[away] * 4, stream(event("ADDED", 12, "c")))
    )
    changes = cluster.watch(PODS)
    assert take(changes, 3) == [("ALL",), ("ADDED", "b"), ("ADDED", "c")]
    changes.close()
    assert no_waiting == [0.25, 0.5, 0.25], "longer and longer, and from the beginning after it was there"


def test_a_server_that_stays_away_is_told_after_a_minute(
    start: Any, monkeypatch: pytest.MonkeyPatch, no_waiting: list[float]
) -> None:
    now = [0.0]
    monkeypatch.setattr(watching.time, "monotonic", lambda: now[0] + sum(no_waiting))
    cluster, _ = start(in_turn(listed("10"), Reply(body=CUT)))
    changes = cluster.watch(PODS)
    assert next(changes).type == "ALL"
    with pytest.raises(Unavailable) as info:
        next(changes)
    assert info.value.code == "cluster-unreachable"
    assert watching.PATIENCE < sum(no_waiting) < watching.PATIENCE * 1.3
    assert max(no_waiting) == 8.0


@pytest.mark.parametrize(
    ("reply", "kind", "code"),
    [
        (
            status(403, "Forbidden", 'pods is forbidden: User "u" cannot watch resource "pods" in API group ""'),
            NotAllowed,
            "cluster-forbidden",
        ),
        (status(401, "Unauthorized", "Unauthorized"), NotAllowed, "cluster-login"),
        (Reply(404, b"404 page not found"), NotFound, "no-such-kind"),
        (stream(b"<html>login\n"), PlatformError, "not-kubernetes"),
        (stream(b'{"type": "ADDED"}\n'), PlatformError, "not-kubernetes"),
    ],
)
@pytest.mark.parametrize("when", ["list", "watch"])
def test_what_waiting_does_not_help_is_told_at_once(
    start: Any, no_waiting: list[float], reply: Reply, kind: type[Exception], code: str, when: str
) -> None:
    if when == "list" and not isinstance(reply.body, dict | bytes):
        return
    cluster, _ = start(in_turn(*([listed("10")] if when == "watch" else []), reply))
    with pytest.raises(kind) as info:
        list(cluster.watch(PODS))
    assert info.value.code == code
    assert no_waiting == []


def test_a_server_that_starts_forbids_at_first(start: Any) -> None:
    forbidden = status(403, "Forbidden", 'pods is forbidden: User "u" cannot watch resource "pods" in API group ""')
    cluster, _ = start(
        in_turn(
            listed("10"),
            Reply(body=CUT),
            Reply(body=CUT),
            Reply(body=CUT),
            Reply(body=CUT),
            forbidden,
            stream(event("ADDED", 11, "b")),
        )
    )
    changes = cluster.watch(PODS)
    assert take(changes, 2) == [("ALL",), ("ADDED", "b")]
    changes.close()


def test_an_error_event_is_told(start: Any) -> None:
    error = {"type": "ERROR", "object": {"kind": "Status", "apiVersion": "v1", "code": 500, "message": "etcd is gone"}}
    cluster, _ = start(in_turn(listed("10"), stream(json.dumps(error).encode() + b"\n"), stream(event("ADDED", 11, "b"))))
    changes = cluster.watch(PODS)
    assert take(changes, 2) == [("ALL",), ("ADDED", "b")], "as a server that is away"
    changes.close()


def test_it_ends_when_nothing_changes_for_the_time_given(start: Any) -> None:
    release = threading.Event()

    def silent() -> Iterator[bytes]:
        yield event("BOOKMARK", 11)
        release.wait(30)

    cluster, server = start(in_turn(listed("10"), lambda _: Reply(body=silent())))
    assert [change.type for change in cluster.watch(PODS, timeout=0.3)] == ["ALL"]
    assert int(query(server.asked[1])["timeoutSeconds"]) == math.ceil(0.3)
    release.set()


def test_a_connection_on_which_nothing_comes_is_given_up(
    start: Any, monkeypatch: pytest.MonkeyPatch, no_waiting: list[float]
) -> None:
    monkeypatch.setattr(watching, "SILENCE", 0.2)
    release = threading.Event()

    def half_open() -> Iterator[bytes]:
        yield event("ADDED", 11, "b")
        release.wait(30)

    cluster, _ = start(in_turn(listed("10"), lambda _: Reply(body=half_open()), stream(event("ADDED", 12, "c"))))
    changes = cluster.watch(PODS)
    assert take(changes, 3) == [("ALL",), ("ADDED", "b"), ("ADDED", "c")]
    assert no_waiting == []
    changes.close()
    release.set()


def test_closing_from_another_thread_ends_the_waiting(start: Any) -> None:
    arrived, release = threading.Event(), threading.Event()

    def silent() -> Iterator[bytes]:
        yield event("ADDED", 11, "b")
        release.wait(30)

    cluster, _ = start(in_turn(listed("10"), lambda _: Reply(body=silent())))
    changes = cluster.watch(PODS)
    got: list[tuple[str, ...]] = []

    def read() -> None:
        for change in changes:
            got.append(seen(change))
            if change.type == "ADDED":
                arrived.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    assert arrived.wait(30)
    changes.close()
    reader.join(30)
    assert not reader.is_alive()
    assert got == [("ALL",), ("ADDED", "b")]
    assert list(changes) == []
    release.set()


def test_one_that_is_closed_before_it_began_asks_nothing(start: Any) -> None:
    cluster, server = start(in_turn(listed("10")))
    changes = cluster.watch(PODS)
    changes.close()
    assert list(changes) == []
    assert server.asked == []


def test_memory_does_not_grow_with_changes(start: Any) -> None:
    one = event("MODIFIED", 11, "x" * 10_000)

    def many() -> Iterator[bytes]:
        for _ in range(400):
            yield one

    cluster, _ = start(in_turn(listed("10"), lambda _: Reply(body=many()), lambda _: Reply(body=many())))
    changes = cluster.watch(PODS)
    take(changes, 200)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        take(changes, 500)
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert after - before < 500_000
    changes.close()


def test_an_outage_begins_with_a_server_that_is_away() -> None:
    outage, closed = Outage(), threading.Event()
    closed.set()
    forbidden = NotAllowed("no", code="cluster-forbidden")
    login = NotAllowed("no", code="cluster-login")
    absent = NotFound("no", code="namespace-not-found")
    assert not outage.wait(forbidden, closed)
    assert outage.wait(Unavailable("away"), closed)
    assert outage.wait(forbidden, closed)
    assert outage.wait(login, closed)
    assert not outage.wait(absent, closed)
    outage.over()
    assert not outage.wait(forbidden, closed)


def test_a_server_that_is_away_from_the_beginning(start: Any) -> None:
    cluster, _ = start(in_turn(*[Reply(body=CUT)] * 9, listed("10", "a")))
    changes = cluster.watch(PODS)
    assert take(changes, 1) == [("ALL", "a")]
    changes.close()


def test_one_that_never_answered_is_told_when_the_time_is_over(start: Any) -> None:
    cluster, _ = start(lambda _: Reply(body=CUT))
    with pytest.raises(Unavailable) as info:
        list(cluster.watch(PODS, timeout=0.2))
    assert info.value.code == "cluster-unreachable"

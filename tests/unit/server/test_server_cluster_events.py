"""Events of clusters: each change is told once, with its target, soon; in flat memory; and for as long as somebody looks."""

from __future__ import annotations

import asyncio
import json
import time
import tracemalloc
from typing import Any

import pytest

from jupyter_mlops.cluster.base import INFERENCE_SERVICES, PODS, WORKFLOWS
from jupyter_mlops.errors import Unavailable
from jupyter_mlops.server.events.cluster import ClusterWatch, ClusterWatches
from jupyter_mlops.server.events.watcher import CHANGED
from jupyter_mlops.testing.cluster import FakeCluster
from tests.unit.server.test_server_targets import at_cluster, cluster, registry, workflow

__all__ = ["at_cluster", "cluster", "registry"]

SERVICE_LABEL = "serving.kserve.io/inferenceservice"


def wait(condition: Any, what: str) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.005)


@pytest.fixture
def told() -> list[tuple[str, str, str]]:
    return []


@pytest.fixture
def watch(at_cluster: FakeCluster, bench: Any, told: list[tuple[str, str, str]]) -> Any:
    old = workflow("old", "Succeeded")
    at_cluster.put(WORKFLOWS, {**old, "status": {"phase": "Succeeded", "finishedAt": "2026-01-01T00:01:00Z"}})
    found = ClusterWatch(lambda: bench.at("dev"), lambda *news: told.append(news))
    found.start()
    wait(lambda: sum(call.method == "watch" for call in at_cluster.calls) >= 5, "the watches begin")
    yield found
    found.stop()
    for thread in found.threads:
        thread.join(10)


def test_runs_services_and_their_pods_are_told(watch: Any, at_cluster: FakeCluster, told: list[Any]) -> None:
    at_cluster.put(WORKFLOWS, workflow("churn-a", "Pending"))
    wait(lambda: ("run", "churn-a", "Pending") in told, "a run that begins")
    at_cluster.put(WORKFLOWS, workflow("churn-a", "Running"))
    wait(lambda: ("run", "churn-a", "Running") in told, "a run that goes on")
    at_cluster.remove(WORKFLOWS, "churn-a")
    wait(lambda: ("run", "churn-a", "Deleted") in told, "a run that is gone")
    at_cluster.put(INFERENCE_SERVICES, {"kind": "InferenceService", "metadata": {"name": "s"}, "spec": {}})
    wait(lambda: ("service", "ml/s", "Pending") in told, "a service")
    at_cluster.put(PODS, {"metadata": {"name": "s-1", "labels": {SERVICE_LABEL: "s"}}, "status": {"phase": "Pending"}})
    wait(lambda: ("service", "ml/s", "Changed") in told, "a pod of a service")
    at_cluster.remove(INFERENCE_SERVICES, "s")
    wait(lambda: ("service", "ml/s", "Deleted") in told, "a service that is gone")
    assert not [news for news in told if news[1] == "old"], "what there was at the beginning is no news"


def test_a_watch_that_breaks_is_begun_anew(
    at_cluster: FakeCluster, bench: Any, told: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_mlops.server.events.cluster.AGAIN", 0.01)
    at_cluster.fail_next(Unavailable("away", code="cluster-unreachable"), "next", INFERENCE_SERVICES, times=3)
    watch = ClusterWatch(lambda: bench.at("dev"), lambda *news: told.append(news))
    watch.start()
    wait(lambda: sum(c.method == "watch" and c.kind == INFERENCE_SERVICES for c in at_cluster.calls) >= 4, "a new watch")
    number = 0

    def seen() -> bool:
        nonlocal number
        number += 1
        at_cluster.put(INFERENCE_SERVICES, {"kind": "InferenceService", "metadata": {"name": f"s{number}"}, "spec": {}})
        return any(kind == "service" for kind, _, _ in told)

    wait(seen, "news after the break")
    watch.stop()
    for thread in watch.threads:
        thread.join(10)
        assert not thread.is_alive()


@pytest.mark.slow
def test_memory_stays_flat_over_200_runs(watch: Any, at_cluster: FakeCluster, told: list[Any]) -> None:
    """What this product holds after 200 runs is what it held after 40; the cluster in memory itself is not counted."""

    def held() -> int:
        filters = [
            tracemalloc.Filter(inclusive=True, filename_pattern=f"*/jupyter_mlops/{room}/*")
            for room in ("server", "engine", "workflow", "registry", "oci")
        ]
        return sum(stat.size for stat in tracemalloc.take_snapshot().filter_traces(filters).statistics("filename"))

    def play(numbers: range) -> None:
        for number in numbers:
            name = f"run-{number}"
            for phase in ("Pending", "Running", "Running", "Succeeded"):
                at_cluster.put(WORKFLOWS, workflow(name, phase))
            wait(lambda name=name: ("run", name, "Succeeded") in told, f"the end of {name}")  # type: ignore[misc]
            at_cluster.remove(WORKFLOWS, name)
        del told[:]

    tracemalloc.start()
    try:
        play(range(40))
        before = held()
        play(range(40, 200))
        assert held() - before < 160 * 1024, "less than a kilobyte a run"
    finally:
        tracemalloc.stop()


async def test_an_event_with_its_target_reaches_a_browser(call: Any, at_cluster: FakeCluster, app: Any, jp_ws_fetch: Any) -> None:
    socket = await jp_ws_fetch("api", "events", "subscribe")
    assert app.watches.watched == frozenset()
    assert (await call("GET", "/runs", target="dev")).status == 200
    assert app.watches.watched == {"dev"}
    number, seen = 0, None
    while seen is None:
        number += 1
        at_cluster.put(WORKFLOWS, workflow(f"churn-{number}", "Pending"))
        try:
            message = json.loads(await asyncio.wait_for(socket.read_message(), 1))
        except asyncio.TimeoutError:
            assert number < 30
            continue
        if message["schema_id"] == CHANGED and message["kind"] == "run":
            seen = message
    assert (seen["target"], seen["phase"]) == ("dev", "Pending")
    assert 0 < seen["revision"] < 2**53
    await call("PUT", "/targets/dev", {"image": "a"})
    assert app.watches.watched == frozenset(), "with new settings it is another place"
    socket.close()


async def test_a_target_that_nobody_looks_at_is_watched_no_more(at_cluster: FakeCluster, bench: Any) -> None:
    watches = ClusterWatches(lambda *_: None, bench.at, idle=0.05)
    watches.look("dev")
    [watch] = watches._watches.values()
    assert watches.watched == {"dev"}
    end = time.monotonic() + 20
    while watches.watched:
        assert time.monotonic() < end
        await asyncio.sleep(0.01)
    for thread in watch.threads:
        await asyncio.to_thread(thread.join, 20)
        assert not thread.is_alive()
    watches.stop()

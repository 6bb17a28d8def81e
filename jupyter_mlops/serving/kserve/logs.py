"""The logs of a service: every container of every pod, those that run first and those that ended before a restart included.

Lines of the server stand as they are; lines of another container begin with its name in brackets.
"""

from __future__ import annotations

import heapq
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from jupyter_mlops.cluster.base import PODS, Cluster, Document
from jupyter_mlops.errors import MlopsError
from jupyter_mlops.serving.kserve.predictor import CONTAINER
from jupyter_mlops.serving.kserve.scene import SERVICE_LABEL

IDLE = 15.0
"""Seconds after which a watch without news is asked anew, so that nobody listens long after the end."""


class Source(NamedTuple):
    """One run of one container; ``previous`` is the run before the one that goes on."""

    pod: str
    container: str
    start: int
    previous: bool = False


def lines_so_far(cluster: Cluster, namespace: str, pods: Sequence[Document]) -> Iterator[str]:
    """What was said until now, by time."""
    for _, line in _so_far(cluster, namespace, pods):
        yield line


def sources(pod: Document) -> list[Source]:
    """The runs of a pod's containers that have a log, in the order in which they started."""
    status = pod.get("status") or {}
    found: list[Source] = []
    for each in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        name, restarts = str(pod["metadata"]["name"]), int(each.get("restartCount") or 0)
        state = each.get("state") or {}
        if restarts and _ended(each.get("lastState")):
            found.append(Source(name, str(each["name"]), restarts - 1, previous=True))
        if "running" in state or _ended(state):
            found.append(Source(name, str(each["name"]), restarts))
    return found


def follow(cluster: Cluster, name: str, namespace: str, ended: Callable[[], bool]) -> Iterator[str]:
    """What was said, then what is said, until no pod is left and ``ended`` is true."""
    pods = cluster.list(PODS, namespace, labels=f"{SERVICE_LABEL}={name}").items
    read: dict[Source, int] = {}
    for source, line in _so_far(cluster, namespace, pods):
        read[source] = read.get(source, 0) + 1
        yield line
    yield from _Follower(cluster, name, namespace, ended, read).lines()


def _so_far(cluster: Cluster, namespace: str, pods: Sequence[Document]) -> Iterator[tuple[Source, str]]:
    """Lines with where they are from, by time."""
    streams = [_stamped(cluster, namespace, source, len(pods) > 1) for pod in pods for source in sources(pod)]
    for _, source, line in heapq.merge(*streams, key=lambda each: each[0]):
        yield source, line


def _stamped(cluster: Cluster, namespace: str, source: Source, several: bool) -> Iterator[tuple[str, Source, str]]:
    for stamp, line in _read(cluster, namespace, source, several):
        yield stamp, source, line


class _Follower:
    """One thread that watches pods, and one for each container that speaks; this one hands their lines on."""

    def __init__(self, cluster: Cluster, name: str, namespace: str, ended: Callable[[], bool], read: Mapping[Source, int]) -> None:
        self._cluster, self._name, self._namespace, self._ended = cluster, name, namespace, ended
        self._skip = dict(read)
        self._known: set[Source] = {source for source in read if source.previous}
        self._queue: queue.Queue[str | Sequence[Document] | None] = queue.Queue()
        self._stop = threading.Event()

    def lines(self) -> Iterator[str]:
        """Until it has ended."""
        readers = 0
        threading.Thread(target=self._watch, name=f"pods-{self._name}", daemon=True).start()
        pods: Sequence[Document] | None = None
        try:
            while True:
                item = self._queue.get()
                if isinstance(item, str):
                    yield item
                    continue
                if item is None:
                    readers -= 1
                else:
                    pods = item
                    readers += self._start(item)
                if readers == 0 and pods is not None and not pods and self._ended():
                    return
        finally:
            self._stop.set()

    def _start(self, pods: Sequence[Document]) -> int:
        """Read what began to speak; how many readers that are."""
        fresh = [source for pod in pods for source in sources(pod) if source not in self._known]
        self._known |= set(fresh)
        for source in fresh:
            threading.Thread(target=self._tell, args=(source, len(pods) > 1), name=f"log-{source.container}", daemon=True).start()
        return len(fresh)

    def _tell(self, source: Source, several: bool) -> None:
        skip = self._skip.get(source, 0)
        with suppress(MlopsError):
            for number, (_, line) in enumerate(_read(self._cluster, self._namespace, source, several, follow=True)):
                if self._stop.is_set():
                    break
                if number >= skip:
                    self._queue.put(line)
        self._queue.put(None)

    def _watch(self) -> None:
        pods: dict[str, Document] = {}
        with suppress(MlopsError):
            while not self._stop.is_set():
                for change in self._cluster.watch(PODS, self._namespace, labels=f"{SERVICE_LABEL}={self._name}", timeout=IDLE):
                    if change.type == "ALL":
                        pods = {str(pod["metadata"]["name"]): pod for pod in change.items}
                    for pod in () if change.type == "ALL" else change.items:
                        key = str(pod["metadata"]["name"])
                        pods.pop(key, None)
                        if change.type != "DELETED":
                            pods[key] = pod
                    self._queue.put(list(pods.values()))
                    if self._stop.is_set():
                        return


def _read(cluster: Cluster, namespace: str, source: Source, several: bool, *, follow: bool = False) -> Iterator[tuple[str, str]]:
    """Time and line of one run of a container; nothing where its log is gone."""
    name = source.container if source.container != CONTAINER else ""
    label = f"[{source.pod}{'/' + name if name else ''}] " if several else f"[{name}] " if name else ""
    with suppress(MlopsError):
        for text in cluster.logs(source.pod, source.container, namespace, follow=follow, previous=source.previous):
            stamp, _, line = text.partition(" ")
            yield stamp, label + line


def _ended(state: Mapping[str, Any] | None) -> bool:
    """Whether a run of a container has ended in a way that left a log."""
    return bool((state or {}).get("terminated", {}).get("containerID"))

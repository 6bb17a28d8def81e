"""The logs of a service: every container of every pod, those that run first and those that ended before a restart included.

Lines of the server stand as they are; lines of another container begin with its name in brackets.
"""

from __future__ import annotations

import heapq
import itertools
import queue
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from jupyter_mlops.cluster.base import PODS, Change, Cluster, Document
from jupyter_mlops.errors import MlopsError
from jupyter_mlops.serving.kserve.listen import Listeners, ending
from jupyter_mlops.serving.kserve.predictor import CONTAINER
from jupyter_mlops.serving.kserve.scene import SERVICE_LABEL

IDLE = 15.0
"""Seconds without news after which it is looked whether the service has ended."""


class Source(NamedTuple):
    """One run of one container; ``previous`` is the run before the one that goes on."""

    pod: str
    container: str
    start: int
    previous: bool = False


def lines_so_far(cluster: Cluster, name: str, namespace: str) -> Iterator[str]:
    """What was said until now, by time."""
    for _, line in _so_far(cluster, namespace, _living(cluster, name, namespace)):
        yield line


def _living(cluster: Cluster, name: str, namespace: str) -> list[Document]:
    """The pods of a service that are not being ended: of an earlier document too, while they answer."""
    pods = cluster.list(PODS, namespace, labels=f"{SERVICE_LABEL}={name}").items
    return [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]


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
    pods = _living(cluster, name, namespace)
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
        self._pods: dict[str, Document] = {}
        self._queue: queue.SimpleQueue[str | tuple[Document, ...] | None] = queue.SimpleQueue()

    def lines(self) -> Iterator[str]:
        """Until no container speaks, no pod is left and the service has ended."""
        speaking, pods = 0, None
        label = f"{SERVICE_LABEL}={self._name}"
        with ending(Listeners()) as listeners:
            listeners.listen("watch-pods", partial(self._cluster.watch, PODS, self._namespace, labels=label), self._changed)
            while True:
                try:
                    item = self._queue.get(timeout=IDLE)
                except queue.Empty:
                    item = tuple(pods or ())  # nobody may have told that the service was deleted
                if isinstance(item, str):
                    yield item
                    continue
                if item is None:
                    speaking -= 1
                else:
                    pods = item
                    speaking += self._start(item, listeners)
                if speaking == 0 and not pods and pods is not None and self._ended():
                    return

    def _start(self, pods: Sequence[Document], listeners: Listeners) -> int:
        """Read what began to speak; how many readers that are."""
        living = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
        fresh = [source for pod in living for source in sources(pod) if source not in self._known]
        self._known |= set(fresh)
        for source in fresh:
            count = itertools.count()
            skip = self._skip.get(source, 0)
            label = _label(source, several=len(living) > 1)
            begin = partial(
                self._cluster.logs, source.pod, source.container, self._namespace, follow=True, previous=source.previous
            )
            listeners.listen(
                f"log-{source.container}", begin, partial(self._heard, label, count, skip), lambda: self._queue.put(None)
            )
        return len(fresh)

    def _heard(self, label: str, count: Iterator[int], skip: int, text: str) -> None:
        """A line, unless it was read before the following began."""
        if next(count) >= skip:
            self._queue.put(label + text.partition(" ")[2])

    def _changed(self, change: Change) -> None:
        if change.type == "ALL":
            self._pods = {}
        for pod in change.items:
            name = str(pod["metadata"]["name"])
            self._pods.pop(name, None)
            if change.type != "DELETED":
                self._pods[name] = pod
        self._queue.put(tuple(self._pods.values()))


def _read(cluster: Cluster, namespace: str, source: Source, several: bool) -> Iterator[tuple[str, str]]:
    """Time and line of one run of a container; nothing where its log is gone."""
    label = _label(source, several=several)
    with suppress(MlopsError):
        for text in cluster.logs(source.pod, source.container, namespace, previous=source.previous):
            stamp, _, line = text.partition(" ")
            yield stamp, label + line


def _label(source: Source, *, several: bool) -> str:
    """What stands before a line: nothing for the server of the only pod."""
    names = [name for name in (source.pod if several else "", "" if source.container == CONTAINER else source.container) if name]
    return f"[{'/'.join(names)}] " if names else ""


def _ended(state: Mapping[str, Any] | None) -> bool:
    """Whether a run of a container has ended in a way that left a log."""
    return bool((state or {}).get("terminated", {}).get("containerID"))

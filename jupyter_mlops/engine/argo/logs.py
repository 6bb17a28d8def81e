"""The log of a run: from its pods while they are there, else from what its steps pushed into the registry.

Steps come in the order in which they started; where two ran at the same time, the kubelet's timestamps put their lines in
order. A step that could not start because an init container failed shows that container's lines, since its own has none.
"""

from __future__ import annotations

import heapq
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from jupyter_mlops.cluster.base import PODS, WORKFLOWS, Change, Cluster
from jupyter_mlops.engine.argo.lines import log_lines
from jupyter_mlops.engine.argo.nodes import unpack
from jupyter_mlops.engine.argo.pods import (
    MAIN,
    RUN,
    Pod,
    ended,
    failed,
    has_log,
    init_containers,
    node_of_pod,
    pod_name,
    started,
    steps_of_nodes,
)
from jupyter_mlops.engine.argo.stage import FINISHED
from jupyter_mlops.engine.base import LogLine
from jupyter_mlops.engine.branches import group_of
from jupyter_mlops.errors import MlopsError, NotFound

_NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Source:
    """A container's log as a part of a step's."""

    step: str
    pod: Pod
    container: str = MAIN

    @property
    def begun(self) -> float:
        """When it began, in seconds since the epoch."""
        return started(self.pod, self.container) or _NEVER

    def lines(self, cluster: Cluster, namespace: str, *, follow: bool = False) -> Iterator[LogLine]:
        """Its lines; none where the node no longer has them."""
        with suppress(NotFound):
            raw = cluster.logs(pod_name(self.pod), self.container, namespace, follow=follow)
            yield from log_lines(self.step, raw, ours=self.container == MAIN)


def sources(workflow: Mapping[str, Any], pods: Sequence[Pod], step: str | None) -> list[Source]:
    """What there is to read, in the order in which it began."""
    steps = steps_of_nodes(workflow)
    found: list[Source] = []
    for pod in pods:
        name = steps.get(node_of_pod(pod))
        if name is None or step not in {None, name, group_of(name)}:
            continue
        if has_log(pod):
            found.append(Source(name, pod))
        found += [Source(name, pod, init) for init in init_containers(pod) if failed(pod, init)]
        if failed(pod, "wait"):
            found.append(Source(name, pod, "wait"))
    return sorted(found, key=lambda source: (source.begun, pod_name(source.pod), source.container == MAIN))


def read_pods(cluster: Cluster, namespace: str, found: Sequence[Source]) -> Iterator[LogLine]:
    """Lines of all sources; those of steps that ran beside each other in the order of their times."""
    for group in _beside(found):
        if len(group) == 1:
            yield from group[0].lines(cluster, namespace)
        else:
            yield from heapq.merge(*(_stamped(source, cluster, namespace) for source in group), key=lambda line: line.time or 0.0)


def _stamped(source: Source, cluster: Cluster, namespace: str) -> Iterator[LogLine]:
    """Lines whose times never go back, as merging needs them."""
    last = 0.0
    for line in source.lines(cluster, namespace):
        last = max(last, line.time or last)
        yield LogLine(line.step, line.text, last, line.event)


def _beside(found: Sequence[Source]) -> Iterator[list[Source]]:
    """Groups of sources that overlap in time."""
    group: list[Source] = []
    until = 0.0
    for source in found:
        if group and source.begun > until:
            yield group
            group = []
        group.append(source)
        until = max(until if len(group) > 1 else 0.0, ended(source.pod, source.container) or _NEVER)
    if group:
        yield group


class Followed:
    """The log of a run that goes on, until it is over (or the one step is)."""

    def __init__(self, cluster: Cluster, namespace: str, name: str, step: str | None) -> None:
        self._cluster, self._namespace, self._name, self._step = cluster, namespace, name, step
        self._queue: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._streams: list[Any] = []
        self._reading: dict[tuple[str, str], bool] = {}
        self._workflow: Mapping[str, Any] = {}
        self._pods: dict[str, Pod] = {}
        self._gone = False

    def lines(self) -> Iterator[LogLine]:
        """Lines as they come."""
        watch = self._cluster.watch
        try:
            self._pump("workflow", lambda: watch(WORKFLOWS, self._namespace, fields=f"metadata.name={self._name}"))
            self._pump("pods", lambda: watch(PODS, self._namespace, labels=f"{RUN}={self._name}"))
            while not self._over():
                source, news = self._queue.get()
                if isinstance(news, LogLine):
                    yield news
                elif isinstance(news, MlopsError):
                    raise news
                elif isinstance(news, Change):
                    self._take(source, news)
        finally:
            for stream in self._streams:
                close = getattr(stream, "close", None)
                with suppress(ValueError):  # a generator that another thread runs: its thread is a daemon
                    if close is not None:
                        close()

    def _pump(self, source: str, open_stream: Callable[[], Iterator[Any]]) -> None:
        stream = open_stream()
        self._streams.append(stream)

        def run() -> None:
            try:
                for news in stream:
                    self._queue.put((source, news))
            except MlopsError as error:
                self._queue.put((source, error))

        threading.Thread(target=run, name=f"mlops-follow-{source}", daemon=True).start()

    def _take(self, source: str, change: Change) -> None:
        if source == "workflow":
            self._gone = change.type == "DELETED" or not change.items
            if change.items:
                self._workflow, _ = unpack(change.items[0])
        else:
            if change.type == "ALL":
                self._pods.clear()
            for pod in change.items:
                self._pods[pod_name(pod)] = pod
        for found in sources(self._workflow, list(self._pods.values()), self._step):
            key = pod_name(found.pod), found.container
            if key not in self._reading:
                self._reading[key] = True
                self._read(found, key)

    def _read(self, source: Source, key: tuple[str, str]) -> None:
        def run() -> None:
            try:
                for line in source.lines(self._cluster, self._namespace, follow=True):
                    self._queue.put(("line", line))
            except MlopsError:
                pass  # what is missing is in the registry when the run is over
            self._reading[key] = False
            self._queue.put(("end", None))

        threading.Thread(target=run, name=f"mlops-follow-{source.step}", daemon=True).start()

    def _over(self) -> bool:
        if not self._queue.empty() or any(self._reading.values()):
            return False
        if self._gone:
            return True
        status = self._workflow.get("status") or {}
        if status.get("phase") in FINISHED:
            return all(not has_log(pod) or (name, MAIN) in self._reading for name, pod in self._pods.items() if self._wanted(pod))
        return self._step is not None and self._step_over()

    def _wanted(self, pod: Pod) -> bool:
        name = steps_of_nodes(self._workflow).get(node_of_pod(pod)) or ""
        return self._step in {None, name, group_of(name)}

    def _step_over(self) -> bool:
        """Whether the one step that is asked for has ended."""
        from jupyter_mlops.engine.decode import step_nodes

        node = step_nodes(self._workflow).get(str(self._step)) or {}
        return node.get("phase") in {*FINISHED, "Skipped", "Omitted"}

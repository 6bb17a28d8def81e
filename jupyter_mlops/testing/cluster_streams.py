"""Watches and logs of a cluster in memory."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

from jupyter_mlops.cluster.base import PODS, Change, Kind
from jupyter_mlops.cluster.following import container_status
from jupyter_mlops.errors import NotFound, Unavailable
from jupyter_mlops.testing.cluster_rules import fields_match, labels_match
from jupyter_mlops.testing.cluster_store import Step, Store

if TYPE_CHECKING:
    from jupyter_mlops.testing.cluster import FakeCluster

T = TypeVar("T")

_BEGIN = dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc)


class _Waiting(Generic[T]):
    """An iterator that waits for the store, and that any thread may close."""

    def __init__(self, cluster: FakeCluster) -> None:
        self._cluster, self._store = cluster, cluster.store
        self._closed = threading.Event()
        self._items = self._run()

    def __iter__(self) -> Iterator[T]:
        """Itself."""
        return self

    def __next__(self) -> T:
        """The next one; waits for it."""
        return next(self._items)

    def close(self) -> None:
        """End it, from any thread."""
        self._closed.set()
        self._store.wake()

    def _run(self) -> Iterator[T]:
        raise NotImplementedError

    def _wait(self, seen: int, seconds: float | None) -> None:
        """Let the next thing of the script happen, or wait until something does that was not seen."""
        if not self._cluster.act():
            self._store.wait(seen, seconds)


class FakeWatch(_Waiting[Change]):
    """As a real one: an object that comes to match is ADDED, one that no longer matches is DELETED."""

    def __init__(self, cluster: FakeCluster, kind: Kind, namespace: str, labels: str, fields: str, timeout: float | None) -> None:
        self._kind, self._namespace, self._labels, self._fields, self._timeout = kind, namespace, labels, fields, timeout
        super().__init__(cluster)

    def _run(self) -> Iterator[Change]:
        """The list, then what the history says."""
        expired, seen = self._cluster.expired, 0
        last = time.monotonic()
        begin = True
        while not self._closed.is_set():
            ticks = self._store.ticks
            self._cluster.fail("next", self._kind, "")
            if begin or expired != self._cluster.expired:
                with self._store.turn:
                    begin, expired, seen = False, self._cluster.expired, len(self._store.history)
                    items = self._cluster.selected(self._kind, self._namespace, self._labels, self._fields)
                yield Change("ALL", tuple(items))
                last = time.monotonic()
                continue
            if seen < len(self._store.history):
                change = self._change(self._store.history[seen])
                seen += 1
                if change is not None:
                    yield change
                    last = time.monotonic()
                continue
            left = None if self._timeout is None else self._timeout - (time.monotonic() - last)
            if left is not None and (left <= 0 or (self._cluster.behaviour.impatient and not self._cluster.scripted())):
                return
            self._wait(ticks, left)

    def _change(self, step: Step) -> Change | None:
        """What a step of the history is to this watch."""
        group, plural, namespace, _ = step.key
        if (group, plural) != (self._kind.group, self._kind.plural) or self._namespace not in {"", namespace}:
            return None
        before, after = (d if d is not None and self._matches(d) else None for d in (step.before, step.after))
        if after is not None:
            return Change("MODIFIED" if before is not None else "ADDED", (after,))
        last = step.after if step.after is not None else step.before
        return Change("DELETED", (last,)) if before is not None and last is not None else None

    def _matches(self, document: object) -> bool:
        """Whether an object is one of those that are watched."""
        assert isinstance(document, dict)
        return labels_match(self._labels, document) and fields_match(self._kind, self._fields, document)


class Logs:
    """What containers wrote."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lines: dict[tuple[str, str, str, bool], list[str]] = {}
        self._ended: set[tuple[str, str, str]] = set()
        self._clock = 0

    def write(self, namespace: str, pod: str, container: str, lines: Sequence[str], *, previous: bool) -> None:
        """Lines, each a millisecond after the one before."""
        with self._store.turn:
            written = self._lines.setdefault((namespace, pod, container, previous), [])
            for line in lines:
                self._clock += 1
                stamp = _BEGIN + dt.timedelta(milliseconds=self._clock)
                written.append(f"{stamp.strftime('%Y-%m-%dT%H:%M:%S.%f')}000Z {line}")
            self._store.wake()

    def end(self, namespace: str, pod: str, container: str) -> None:
        """Nothing more will be written."""
        with self._store.turn:
            self._ended.add((namespace, pod, container))
            self._store.wake()

    def read(self, namespace: str, pod: str, container: str, *, previous: bool) -> list[str] | None:
        """What was written so far; None if nothing ever was."""
        return self._lines.get((namespace, pod, container, previous))

    def ended(self, namespace: str, pod: str, container: str) -> bool:
        """Whether ``end`` was called."""
        return (namespace, pod, container) in self._ended


class FakeLog(_Waiting[str]):
    """Lines of a container's log."""

    def __init__(
        self, cluster: FakeCluster, pod: str, container: str, namespace: str, *, follow: bool, previous: bool, tail: int
    ) -> None:
        self._pod, self._container, self._namespace = pod, container, namespace
        self._follow, self._previous, self._tail = follow, previous, tail
        super().__init__(cluster)

    def _run(self) -> Iterator[str]:
        """What was written, and where it is followed what will be, until the container ends."""
        given = 0
        while not self._closed.is_set():
            with self._store.turn:
                ticks = self._store.ticks
                ended = self._over()
                written = self._cluster.container_logs.read(self._namespace, self._pod, self._container, previous=self._previous)
                if written is None and not self._follow:
                    self._check_started()
                lines = written or []
            if not given and self._tail:
                given = max(0, len(lines) - self._tail)
            yield from lines[given:]
            given = max(given, len(lines))
            if ended or not self._follow or self._closed.is_set():
                return
            self._wait(ticks, None)

    def _over(self) -> bool:
        """Whether nothing more will be written. Raises NotFound at the start where there is no such pod or container."""
        try:
            pod = self._store.get(PODS, self._namespace, self._pod)
        except NotFound:
            if self._cluster.container_logs.read(self._namespace, self._pod, self._container, previous=self._previous) is None:
                raise
            return True
        spec = pod.get("spec") or {}
        names = {c.get("name") for key in ("containers", "initContainers", "ephemeralContainers") for c in spec.get(key) or []}
        if names and self._container not in names:
            raise NotFound(
                f"container {self._container} is not valid for pod {self._pod}",
                code="container-not-found",
                fix="The pod has no container of that name.",
            )
        state = (container_status(pod, self._container) or {}).get("state") or {}
        finished = "terminated" in state or (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}
        return finished or self._cluster.container_logs.ended(self._namespace, self._pod, self._container)

    def _check_started(self) -> None:
        """Raise what a server says where there is no log."""
        pod = self._store.get(PODS, self._namespace, self._pod)
        if self._previous:
            raise NotFound(
                f'previous terminated container "{self._container}" in pod "{self._pod}" not found',
                code="log-gone",
                fix="The container has not been restarted.",
            )
        waiting = ((container_status(pod, self._container) or {}).get("state") or {}).get("waiting")
        if waiting is not None:
            raise Unavailable(
                f'container "{self._container}" in pod "{self._pod}" is waiting to start: {waiting.get("reason", "")}',
                code="container-not-started",
                fix="Its log begins when it has started.",
            )

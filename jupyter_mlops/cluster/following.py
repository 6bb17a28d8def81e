"""The log of a container as lines, without loss where the connection breaks.

An API server ends a log for many reasons that are not the container's end: kubelet or itself restarted, something between
cut an idle connection, the log was rotated. It cannot be told from the stream, so the pod is asked. Going on from a time gives
the lines of that second again, so those already given are counted.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from jupyter_mlops.cluster.base import PODS, Cluster, Document
from jupyter_mlops.cluster.failures import explain
from jupyter_mlops.cluster.paths import object_path, with_query
from jupyter_mlops.cluster.stream import Stream, lines
from jupyter_mlops.cluster.times import Seen
from jupyter_mlops.cluster.unreachable import no_answer
from jupyter_mlops.cluster.watching import Outage, pause
from jupyter_mlops.cluster.wire import PROBLEMS, READ, Wire
from jupyter_mlops.errors import MlopsError, NotAllowed, NotFound, Unavailable, WrongUsage

if TYPE_CHECKING:
    import urllib3

SILENCE = 600.0
"""Seconds without a line after which a followed log is asked for anew: what stands between may have dropped it unseen."""

_PAUSE = 0.3
_NOT_STARTED = ("is waiting to start", "PodInitializing", "ContainerCreating", "does not have a host assigned")
_ENDED = frozenset({"Succeeded", "Failed"})


class LogStream(Stream[str]):
    """Lines of a log, as an iterator. ``close`` may be called from any thread, also while another one waits."""

    def __init__(
        self, cluster: Cluster, wire: Wire, pod: str, container: str, namespace: str, *, follow: bool, previous: bool, tail: int
    ) -> None:
        """As ``Cluster.logs``."""
        self._cluster, self._wire = cluster, wire
        self._pod, self._container, self._namespace = pod, container, namespace
        self._follow, self._previous, self._tail = follow, previous, tail
        self._seen = Seen()
        super().__init__()

    def _run(self) -> Generator[str, None, None]:
        """All lines, over as many connections as it takes."""
        outage, instance = Outage(), None
        while not self._closed.is_set():
            try:
                instance = self._running() if self._follow and instance is None else instance
                for line in self._connection():
                    outage.over()
                    if self._seen.new(line):
                        yield line
                if self._ended(instance):
                    return
            except _Waiting as error:  # noqa: PERF203 - a network, not a computation
                if not self._follow:
                    raise error.problem from None
                if not self._wait_for_start():
                    return
                instance = None
            except NotFound:
                if self._seen.stamp or self._closed.is_set():
                    return  # the pod was deleted while it was followed: its log ends
                raise
            except Unavailable as error:
                if not self._closed.is_set() and not outage.wait(error, self._closed):
                    raise

    def _ended(self, instance: str | None) -> bool:
        """Whether a stream that came to its end is all there will be."""
        if not self._follow or self._previous or not instance or self._running() != instance:
            return True
        pause(self._closed, _PAUSE)  # kubelet tells the end of a container a moment after its log's
        return False

    def _connection(self) -> Iterator[str]:
        """The lines of one connection."""
        self._seen.again()
        query: dict[str, str | int] = {"container": self._container, "timestamps": "true"}
        query |= {"follow": "true"} if self._follow else {}
        query |= {"previous": "true"} if self._previous else {}
        if self._seen.stamp:
            query["sinceTime"] = self._seen.stamp
        elif self._tail:
            query["tailLines"] = self._tail
        path = with_query(object_path(PODS, self._namespace, self._pod, "log"), query)
        answer = self._wire.open("GET", path, timeout=SILENCE if self._follow else READ)
        try:
            with self._reading(answer):
                if answer.status >= 400:  # noqa: PLR2004 - all errors are above
                    raise self._problem(answer)
                for line in lines(answer, rest=True):
                    text = line.decode("utf-8", "replace")
                    if text.startswith("unable to retrieve container logs for "):
                        raise NotFound(text, code="log-gone", fix="The container was removed from its node, and its log with it.")
                    yield text
        except PROBLEMS as error:
            if not self._closed.is_set():
                raise no_answer(error, self._wire.server) from error

    def _problem(self, answer: urllib3.BaseHTTPResponse) -> Exception:
        """Why there is no log: not started yet, never there, or what the server says."""
        asked = self._wire.asked("pods/log")
        error = explain(answer.status, answer.data, answer.headers, asked)
        text = error.message
        if (
            "is waiting to start" in text
            or "PodInitializing" in text
            or "ContainerCreating" in text
            or "does not have a host assigned" in text
        ):
            return _Waiting(Unavailable(text, code="container-not-started", fix="Its log begins when it has started."))
        if "previous terminated container" in text:
            return NotFound(text, code="log-gone", fix="The container has not been restarted.")
        if isinstance(error, WrongUsage) and "is not valid for pod" in text:
            return NotFound(text, code="container-not-found", fix="The pod has no container of that name.")
        return error

    def _wait_for_start(self) -> bool:
        """Wait until the container has started or never will; False for the latter."""
        changes: Any = self._cluster.watch(PODS, self._namespace, fields=f"metadata.name={self._pod}")
        with self._waits_for(changes.close), closing(changes):
            for change in changes:
                pod = change.items[0] if change.items and change.type != "DELETED" else None
                if pod is None:
                    return False
                state = (container_status(pod, self._container) or {}).get("state") or {}
                if "running" in state or "terminated" in state:
                    return True
                if (pod.get("status") or {}).get("phase") in _ENDED:
                    return False
        return False

    def _running(self) -> str:
        """Which instance of the container runs now; '' if none does, or if we may not look."""
        try:
            pod = self._cluster.get(PODS, self._pod, self._namespace)
        except NotAllowed:
            return ""
        status = container_status(pod, self._container) or {}
        running = (status.get("state") or {}).get("running")
        return "" if running is None else str(status.get("containerID") or "running")


def container_status(pod: Document, container: str) -> Mapping[str, Any] | None:
    """Status of a container, an init container or an ephemeral one."""
    status = pod.get("status") or {}
    for group in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"):
        for found in status.get(group) or []:
            if found.get("name") == container:
                return dict(found)
    return None


class _Waiting(Exception):
    """The container has not started."""

    def __init__(self, problem: MlopsError) -> None:
        super().__init__(str(problem))
        self.problem = problem

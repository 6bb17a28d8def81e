"""Watches over runs: Workflows, their pods, warnings about them and the logs of running steps, brought together.

Nothing here polls. Each source has a thread that waits for its connection and puts what comes into one queue; who iterates
gets the names of the runs that something changed about, all that came at once in one go. Only runs that go on are kept in
memory.
"""

from __future__ import annotations

import queue
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from jupyter_mlops.cluster.base import EVENTS, PODS, WORKFLOWS, Change, Cluster
from jupyter_mlops.engine.argo.pods import RUN, Pod, ended, has_log, pod_name, run_of_pod
from jupyter_mlops.engine.argo.telling import Following, Tellings
from jupyter_mlops.engine.argo.view import Scene, told_of_pods
from jupyter_mlops.errors import MlopsError, NotAllowed, NotFound

MANAGED = "app.kubernetes.io/managed-by=jupyter-mlops"
FINISHED = frozenset({"Succeeded", "Failed", "Error"})
WARNINGS = 20
"""Warnings kept about one object, and ``OBJECTS`` the number of objects."""

OBJECTS = 500
MOST_FOLLOWED = 24
"""Logs followed at once; further steps show their progress when their report comes."""

TICK = 10.0
"""Seconds of silence after which runs that go on are looked at again without asking anybody: some causes (a controller that is
not there) show themselves by nothing happening."""

News = tuple[str, Any]


class Stage:
    """What happens to one run (``name``), or to all runs of ours in a namespace."""

    def __init__(self, cluster: Cluster, namespace: str, tellings: Tellings, name: str = "") -> None:
        self._cluster, self._namespace, self._tellings, self._name = cluster, namespace, tellings, name
        self.workflows: dict[str, Mapping[str, Any]] = {}
        self._pods: dict[str, dict[str, Pod]] = {}
        self._events: OrderedDict[str, deque[Mapping[str, Any]]] = OrderedDict()
        self._followed: dict[str, Following] = {}
        self._queue: queue.SimpleQueue[News] = queue.SimpleQueue()
        self._streams: list[Any] = []
        self._closed = threading.Event()
        self._listed = False

    def __enter__(self) -> Stage:  # noqa: PYI034 - Self is of Python 3.11
        """Begin to watch."""
        fields = f"metadata.name={self._name}" if self._name else ""
        ours = "" if self._name else MANAGED
        of_run = f"{RUN}={self._name}" if self._name else RUN
        self._pump("workflows", lambda: self._cluster.watch(WORKFLOWS, self._namespace, fields=fields, labels=ours))
        self._pump("pods", lambda: self._cluster.watch(PODS, self._namespace, labels=of_run))
        self._pump("events", lambda: self._cluster.watch(EVENTS, self._namespace, fields="type!=Normal"))
        return self

    def __exit__(self, *_: object) -> None:
        """End all connections."""
        self.close()

    def close(self) -> None:
        """End it, also while another thread waits for news."""
        self._closed.set()
        for stream in [*self._streams, *self._followed.values()]:
            with suppress(ValueError):  # a generator that another thread runs: its thread is a daemon
                stream.close()
        self._queue.put(("closed", None))

    def nudge(self, run: str) -> None:
        """Something else about a run has come."""
        self._queue.put(("nudge", run))

    def __iter__(self) -> Iterator[set[str]]:
        """Names of the runs that changed; a run that is gone has no Workflow any more."""
        while not self._closed.is_set():
            try:
                changed = self._take(*self._queue.get(timeout=TICK))
            except queue.Empty:
                changed = {name for name, one in self.workflows.items() if (one.get("status") or {}).get("phase") not in FINISHED}
            with suppress(queue.Empty):
                while True:
                    changed |= self._take(*self._queue.get_nowait())
            if changed and not self._closed.is_set():
                yield changed

    def scene(self, run: str) -> Scene:
        """What is known of a run that goes on."""
        pods = tuple(self._pods.get(run, {}).values())
        names = [run, *map(pod_name, pods)]
        events = tuple(event for name in names for event in self._events.get(name, ()))
        return Scene(self.workflows[run], pods, events, told_of_pods(pods, self._tellings.known()))

    def drop(self, run: str) -> None:
        """Forget a run that is over, but for its being there."""
        self.workflows.pop(run, None)
        for name in self._pods.pop(run, {}):
            self._events.pop(name, None)
            if (following := self._followed.pop(name, None)) is not None:
                following.close()
        self._events.pop(run, None)

    # -- what comes --------------------------------------------------------------------------------------------------------

    def _pump(self, source: str, open_stream: Callable[[], Iterator[Change]]) -> None:
        try:
            stream = open_stream()
        except MlopsError as error:
            self._queue.put((source, error))
            return
        self._streams.append(stream)

        def run() -> None:
            try:
                for change in stream:
                    self._queue.put((source, change))
                    if self._closed.is_set():
                        return
            except MlopsError as error:
                self._queue.put((source, error))

        threading.Thread(target=run, name=f"mlops-watch-{source}", daemon=True).start()

    def _take(self, source: str, news: Any) -> set[str]:
        if isinstance(news, MlopsError):
            if source == "events" or (source == "pods" and isinstance(news, NotAllowed | NotFound)):
                return set()  # a run can be shown without, though not why it waits
            raise news
        if source == "nudge":
            return {news} & self.workflows.keys()
        take = {"workflows": self._workflow, "pods": self._pod, "events": self._event}.get(source)
        return take(news) if take else set()

    def _workflow(self, change: Change) -> set[str]:
        found = {str(item["metadata"]["name"]): item for item in change.items}
        if change.type == "ALL":
            self._listed = True
            gone = self.workflows.keys() - found.keys()
            for name in gone:
                self.drop(name)
            self.workflows.update(found)
            if self._name and not found:
                return {self._name}
            return set(found) | gone
        if change.type == "DELETED":
            for name in found:
                self.drop(name)
        else:
            self.workflows.update(found)
        return set(found)

    def _pod(self, change: Change) -> set[str]:
        changed: set[str] = set()
        if change.type == "ALL":
            changed = set(self._pods)
            self._pods.clear()
        for pod in change.items:
            run = run_of_pod(pod)
            if change.type == "DELETED":
                self._pods.get(run, {}).pop(pod_name(pod), None)
            elif not self._over(run):
                self._pods.setdefault(run, {})[pod_name(pod)] = pod
                self._follow(run, pod)
            changed.add(run)
        return changed & self.workflows.keys()

    def _over(self, run: str) -> bool:
        """Whether pods of this run are of no interest: it was watched to its end, or is none of ours."""
        return self._listed and not self._name and run not in self.workflows

    def _follow(self, run: str, pod: Pod) -> None:
        name = pod_name(pod)
        if name in self._followed or not has_log(pod) or ended(pod) is not None or len(self._followed) >= MOST_FOLLOWED:
            if ended(pod) is not None:
                self._followed.pop(name, None)
            return
        self._followed[name] = self._tellings.follow(pod, lambda: self.nudge(run))

    def _event(self, change: Change) -> set[str]:
        changed: set[str] = set()
        for event in change.items:
            about = str((event.get("involvedObject") or {}).get("name") or "")
            self._events.setdefault(about, deque(maxlen=WARNINGS)).append(event)
            self._events.move_to_end(about)
            changed |= {about} | {run for run, pods in self._pods.items() if about in pods}
        while len(self._events) > OBJECTS:
            self._events.popitem(last=False)
        return changed & self.workflows.keys()  # a run is no news, and not gone, before its Workflow has come

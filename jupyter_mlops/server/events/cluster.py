"""Notices what changes on a cluster and says it as soon as the cluster does.

One watch of a namespace's runs and two of its services, for a target that somebody looks at. They belong to threads, since
the cluster's client waits; what they hear is handed to the server's loop. A watch that breaks is begun anew, later each time,
and is begun at all only while the target is in use: nobody's laptop watches a cluster overnight for a closed tab.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from jupyter_mlops.engine.base import DONE
from jupyter_mlops.errors import MlopsError, NotAllowed, NotFound, WrongUsage
from jupyter_mlops.server.events.watcher import CHANGED, Emit, Kind

if TYPE_CHECKING:
    from jupyter_mlops.cluster.base import Change
    from jupyter_mlops.engine.base import Run
    from jupyter_mlops.flow import Workbench

IDLE = 180.0
"""Seconds after the last question about a target until it is watched no more; open panels ask more often than that."""

AGAIN, LATER, MUCH_LATER = 1.0, 30.0, 300.0
"""Seconds until a watch that broke is begun anew: at first, at most, and where the cluster does not have or allow it."""

SKEW = 60.0
"""Seconds by which a cluster's clock may be behind: a run that ended longer ago than that is no news when a watch begins."""

Tell = Callable[[Kind, str, str], None]
log = logging.getLogger(__name__)


class ClusterWatch:
    """The threads that watch one target."""

    def __init__(self, bench: Callable[[], Workbench], tell: Tell) -> None:
        """``bench`` may ask the cluster; ``tell`` is called in threads, with kind, name and phase of what changed."""
        self._bench, self._tell = bench, tell
        self._over = threading.Event()
        self._ends: dict[str, Callable[[], None]] = {}
        self._lock = threading.Lock()
        self.threads = [
            threading.Thread(target=self._always, args=(name, watch), name=f"mlops-watch-{name}", daemon=True)
            for name, watch in (("runs", self._runs), ("services", self._services), ("servers", self._servers))
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        """End; nothing is told any more. Threads that wait for the network end when it answers."""
        self._over.set()
        with self._lock:
            ends = list(self._ends.values())
        for end in ends:
            end()

    def _always(self, name: str, watch: Callable[[str], None]) -> None:
        """Watch, and begin anew whenever that ends."""
        pause = AGAIN
        while not self._over.is_set():
            begun = time.monotonic()
            try:
                watch(name)
                pause = AGAIN
            except (NotAllowed, NotFound, WrongUsage) as error:
                log.debug("%s cannot be watched: %s", name, error)
                pause = MUCH_LATER
            except MlopsError as error:
                log.debug("The watch of %s broke: %s", name, error)
                pause = AGAIN if time.monotonic() - begun > MUCH_LATER else min(pause * 2, LATER)
            except Exception:  # a watch that dies of one odd document would leave every panel blind
                log.exception("The watch of %s failed", name)
                pause = LATER
            self._over.wait(pause)

    def _until_over(self, name: str, end: Callable[[], None]) -> None:
        """How a watch is ended from outside; at once where all are over already."""
        with self._lock:
            self._ends[name] = end
        if self._over.is_set():
            end()

    def _runs(self, name: str) -> None:
        """Runs with their progress: the engine puts Workflows, pods, events and logs together."""
        from jupyter_mlops.engine.argo.engine import ArgoEngine
        from jupyter_mlops.engine.argo.watching import changes, gone

        engine = self._bench().engine
        if not isinstance(engine, ArgoEngine):
            raise WrongUsage("not a cluster", code="not-a-cluster")
        ended, begun = threading.Event(), time.time()
        self._until_over(name, ended.set)
        known: set[str] = set()
        try:
            for run in changes(engine, ended):
                if gone(run):
                    known.discard(run.name)
                    self._say("run", run.name, "Deleted")
                elif run.name in known or run.phase not in DONE or (run.finished or begun) > begun - SKEW:
                    known.add(run.name)
                    self._run(run, known)
        finally:
            ended.set()

    def _run(self, run: Run, known: set[str]) -> None:
        """News of a run, and of the models that it has registered by its end."""
        self._say("run", run.name, run.phase)
        if run.phase in DONE:
            known.discard(run.name)
            for model in run.models:
                self._say("model", str(model["name"]), "Changed")

    def _services(self, name: str) -> None:
        """Services, as KServe says that they are."""
        from jupyter_mlops.cluster.base import INFERENCE_SERVICES
        from jupyter_mlops.serving.decode import service_of

        bench = self._bench()
        self._follow(
            name,
            bench.cluster.watch(INFERENCE_SERVICES, bench.namespace),
            lambda document: (str(document["metadata"]["name"]), service_of(document).phase),
            bench.namespace,
        )

    def _servers(self, name: str) -> None:
        """Pods of services: they tell why one does not start, before KServe does."""
        from jupyter_mlops.cluster.base import PODS
        from jupyter_mlops.serving.kserve.scene import SERVICE_LABEL

        bench = self._bench()
        self._follow(
            name,
            bench.cluster.watch(PODS, bench.namespace, labels=SERVICE_LABEL),
            lambda document: (str(document["metadata"]["labels"][SERVICE_LABEL]), "Changed"),
            bench.namespace,
        )

    def _follow(self, name: str, stream: Iterable[Change], about: Callable[[Any], tuple[str, str]], namespace: str) -> None:
        """Tell what a watch says, but for what there was when it began."""

        def end() -> None:
            with suppress(ValueError):  # a plain generator that is waited in: its thread is a daemon
                getattr(stream, "close", lambda: None)()

        self._until_over(name, end)
        first = True
        try:
            for change in stream:
                if self._over.is_set():
                    return
                for document in () if first else change.items:
                    service, phase = about(document)
                    gone = change.type == "DELETED" and phase != "Changed"
                    self._say("service", f"{namespace}/{service}", "Deleted" if gone else phase)
                first = False
        finally:
            end()

    def _say(self, kind: Kind, name: str, phase: str) -> None:
        if not self._over.is_set():
            self._tell(kind, name, phase)


class ClusterWatches:
    """The targets that somebody looks at. Used on the server's loop."""

    def __init__(self, emit: Emit, bench: Callable[[str], Workbench], idle: float = IDLE) -> None:
        """``emit`` is told on the loop; ``bench`` is called in threads; ``idle`` in seconds."""
        self._emit, self._bench, self._idle = emit, bench, idle
        self._watches: dict[str, ClusterWatch] = {}
        self._used: dict[str, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._last = 0

    @property
    def watched(self) -> frozenset[str]:
        """Names of the targets that are watched now."""
        return frozenset(self._watches)

    def look(self, name: str) -> None:
        """Somebody asked about a target: watch it for a while."""
        loop = asyncio.get_running_loop()
        self._used[name] = time.monotonic()
        if name not in self._watches:

            def tell(kind: Kind, thing: str, phase: str) -> None:
                with suppress(RuntimeError):  # the loop is closed: the server stops
                    loop.call_soon_threadsafe(self._told, name, kind, thing, phase)

            self._watches[name] = ClusterWatch(lambda: self._bench(name), tell)
            self._watches[name].start()
        if self._timer is None:
            self._timer = loop.call_later(self._idle, self._rest)

    def drop(self, name: str) -> None:
        """Watch a target no more: its settings were changed, or nobody looks."""
        self._used.pop(name, None)
        if (watch := self._watches.pop(name, None)) is not None:
            watch.stop()

    def stop(self) -> None:
        """End all."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for name in list(self._watches):
            self.drop(name)

    def _rest(self) -> None:
        """Leave alone what nobody has asked about for a while."""
        self._timer = None
        now = time.monotonic()
        for name in [name for name, used in self._used.items() if now - used >= self._idle]:
            self.drop(name)
        if self._used:
            left = min(self._used.values()) + self._idle - now
            self._timer = asyncio.get_running_loop().call_later(max(left, 0.01), self._rest)

    def _told(self, target: str, kind: Kind, name: str, phase: str) -> None:
        """On the loop. Revisions of a cluster's things are times, since its own need not be numbers."""
        if target in self._watches:
            self._last = max(self._last + 1, time.time_ns() // 1_000_000)
            self._emit(CHANGED, {"kind": kind, "name": name, "phase": phase, "revision": self._last, "target": target})

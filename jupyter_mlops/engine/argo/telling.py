"""What running steps tell: the structured lines of their logs, followed while somebody watches, else read when asked for.

One value a pod, whoever reads it: a watch and a question of the same server see the same. It can be lost at any time, since
the log is still there.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from jupyter_mlops.cluster.base import Cluster
from jupyter_mlops.engine.argo.lines import own_lines
from jupyter_mlops.engine.argo.pods import MAIN, Pod, ended, has_log, pod_name
from jupyter_mlops.engine.logs import event_of
from jupyter_mlops.engine.told import Told
from jupyter_mlops.errors import MlopsError

FRESH = 1.0
"""Seconds for which what was read of a log counts as now."""

TAIL = 20_000
"""Lines of a log that are read when asked for: a step's report has what was told before."""

KEPT = 500
"""Pods whose words are kept in memory; each is a few kB."""


@dataclass(slots=True)
class _Entry:
    """What one pod told. ``read`` is on the monotonic clock."""

    told: Told = field(default_factory=Told)
    read: float = 0.0
    followed: int = 0
    final: bool = False


class Tellings:
    """What the pods of a namespace told."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster, self._namespace = cluster, namespace
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._lock = threading.Lock()

    def known(self) -> dict[str, Told]:
        """By uid of the pod."""
        with self._lock:
            return {uid: entry.told for uid, entry in self._entries.items()}

    def final(self, pod: Pod) -> bool:
        """Whether nothing more can come."""
        return self._entry(pod).final

    def read(self, pod: Pod) -> None:
        """Read a pod's log unless what is known is fresh. A log that cannot be read tells nothing."""
        entry = self._entry(pod)
        if not has_log(pod) or entry.final or (entry.followed and not ended(pod)):
            return
        over = ended(pod) is not None
        if not over and time.monotonic() - entry.read < FRESH:
            return
        told = Told()
        with suppress(MlopsError):
            for line in own_lines(self._cluster.logs(pod_name(pod), MAIN, self._namespace, tail=TAIL)):
                if event := event_of(line[1]):
                    told.take(event)
            entry.told, entry.read, entry.final = told, time.monotonic(), over

    def follow(self, pod: Pod, news: Callable[[], None]) -> Following:
        """Take over each structured line as it comes, in a thread; ``news`` is called after each."""
        return Following(self._cluster, self._namespace, pod, self._entry(pod), news)

    def _entry(self, pod: Pod) -> _Entry:
        uid = str((pod.get("metadata") or {}).get("uid") or pod_name(pod))
        with self._lock:
            entry = self._entries.setdefault(uid, _Entry())
            self._entries.move_to_end(uid)
            while len(self._entries) > KEPT:
                self._entries.popitem(last=False)
            return entry


class Following:
    """One log that is followed."""

    def __init__(self, cluster: Cluster, namespace: str, pod: Pod, entry: _Entry, news: Callable[[], None]) -> None:
        self._lines: Iterator[str] = cluster.logs(pod_name(pod), MAIN, namespace, follow=True)
        self._entry, self._news = entry, news
        entry.followed += 1
        self._thread = threading.Thread(target=self._run, name=f"mlops-log-{pod_name(pod)}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it; from any thread."""
        close = getattr(self._lines, "close", None)
        if close is not None:
            with suppress(ValueError):  # a generator that runs in another thread; its thread is a daemon
                close()

    def _run(self) -> None:
        told = Told()
        try:
            for _, text in own_lines(self._lines):
                event = event_of(text)
                if event:
                    told.take(event)
                    self._entry.told = told
                    self._news()
            self._entry.told = told
        except MlopsError:
            pass  # its pod is gone, or the server was away for too long: the report has the rest
        finally:
            self._entry.followed -= 1
            self._news()

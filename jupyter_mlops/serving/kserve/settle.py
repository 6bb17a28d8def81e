"""Each state of a service until it settles, told by watches of the InferenceService and of its pods.

Two threads listen; whatever they hear makes the caller's thread look once more. KServe's manager does not watch pods, so that
its own object alone would tell of a crash minutes late, or never.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from jupyter_mlops.cluster.base import DEPLOYMENTS, INFERENCE_SERVICES, PODS, Cluster, Kind
from jupyter_mlops.errors import MlopsError
from jupyter_mlops.serving.base import Service
from jupyter_mlops.serving.kserve.scene import SERVICE_LABEL

IDLE = 15.0
"""Seconds without news after which a watch is asked anew, and the service looked at again: events are not watched."""

QUIET = 0.1
"""Seconds in which what comes together is one piece of news."""


def states(cluster: Cluster, name: str, namespace: str, look: Callable[[], Service], timeout: float) -> Iterator[Service]:
    """The service whenever something about it changed, first as it is now; ends after ``timeout`` seconds.

    Args:
        cluster: where.
        name: of the service.
        namespace: of the service.
        look: reads the service.
        timeout: seconds.

    Raises:
        MlopsError: what ``look`` raises.
    """
    news: queue.SimpleQueue[None] = queue.SimpleQueue()
    stop = threading.Event()
    label = f"{SERVICE_LABEL}={name}"
    listened: tuple[tuple[Kind, str, str], ...] = (
        (INFERENCE_SERVICES, "", f"metadata.name={name}"),
        (PODS, label, ""),
        (DEPLOYMENTS, label, ""),
    )
    for kind, labels, fields in listened:
        listener = threading.Thread(
            target=_listen, args=(cluster, kind, namespace, labels, fields, news, stop), name=f"watch-{kind.plural}", daemon=True
        )
        listener.start()
    until = time.monotonic() + timeout
    try:
        while True:
            yield look()
            left = until - time.monotonic()
            if left <= 0:
                return
            with suppress(queue.Empty):
                news.get(timeout=min(left, IDLE))
                stop.wait(min(left, QUIET))
                while not news.empty():
                    news.get_nowait()
    finally:
        stop.set()


def _listen(
    cluster: Cluster, kind: Kind, namespace: str, labels: str, fields: str, news: queue.SimpleQueue[None], stop: threading.Event
) -> None:
    """Put a word into the queue for each change; what may not be watched is looked at when something else changes."""
    with suppress(MlopsError):
        while not stop.is_set():
            for _ in cluster.watch(kind, namespace, labels=labels, fields=fields, timeout=IDLE):
                news.put(None)
                if stop.is_set():
                    return

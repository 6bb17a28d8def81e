"""Each state of a service until it settles, told by watches of the InferenceService and of its pods.

Threads listen; whatever they hear makes the caller's thread look once more. KServe's manager does not watch pods, so that
its own object alone would tell of a crash minutes late, or never.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

from jupyter_mlops.cluster.base import DEPLOYMENTS, INFERENCE_SERVICES, PODS, Cluster, Kind
from jupyter_mlops.errors import Unavailable
from jupyter_mlops.serving.base import Service
from jupyter_mlops.serving.kserve.listen import Listeners, ending
from jupyter_mlops.serving.kserve.scene import SERVICE_LABEL

IDLE = 15.0
"""Seconds without news after which the service is looked at again: events are not watched."""

QUIET = 0.1
"""Seconds in which what comes together is one piece of news."""


AWAY = 1.0
"""Seconds between two looks while the API server does not answer."""


def states(cluster: Cluster, name: str, namespace: str, look: Callable[[], Service], timeout: float) -> Iterator[Service]:
    """The service whenever something about it changed, first as it is now; ends after ``timeout`` seconds.

    Args:
        cluster: where.
        name: of the service.
        namespace: of the service.
        look: reads the service.
        timeout: seconds.

    Raises:
        MlopsError: what ``look`` raises; Unavailable only at the end of the time.
    """
    news: queue.SimpleQueue[None] = queue.SimpleQueue()
    label = f"{SERVICE_LABEL}={name}"
    watched: tuple[tuple[Kind, str, str], ...] = (
        (INFERENCE_SERVICES, "", f"metadata.name={name}"),
        (PODS, label, ""),
        (DEPLOYMENTS, label, ""),
    )
    until = time.monotonic() + timeout
    with ending(Listeners()) as listeners:
        for kind, labels, fields in watched:
            begin = partial(cluster.watch, kind, namespace, labels=labels, fields=fields)
            listeners.listen(f"watch-{kind.plural}", begin, lambda _: news.put(None))
        while True:
            try:
                yield look()
            except Unavailable:  # a server that is restarted is away for seconds, and the service goes on meanwhile
                if time.monotonic() + AWAY > until:
                    raise
                time.sleep(AWAY)
                continue
            left = until - time.monotonic()
            if left <= 0:
                return
            with suppress(queue.Empty):
                news.get(timeout=min(left, IDLE))
                time.sleep(min(left, QUIET))
                while not news.empty():
                    news.get_nowait()

"""What a person at a notebook would have seen: every state of some objects, and what was said of each at that moment.

One thread asks for the documents again and again, as an engine does, and keeps each answer that differs from the one before. A
test then holds what it wants of all of them: not only that a cause is found in the end, but from which state on.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jupyter_mlops.cluster.base import EVENTS, PODS, Cluster, Document, Kind
from jupyter_mlops.diagnose.cause import Cause
from jupyter_mlops.errors import MlopsError

PAUSE = 0.25
"""Seconds between two looks at all namespaces."""


@dataclass(frozen=True)
class State:
    """An object, its pods and its events at one moment, and the causes that they tell."""

    document: Document
    pods: Sequence[Document]
    events: Sequence[Document]
    causes: Mapping[str, Cause]

    @property
    def text(self) -> str:
        """All that the cluster says of it, as one text; Argo's events run ahead of the status that they are about."""
        told = [event.get("message") for event in self.events if event["involvedObject"].get("kind") != "Workflow"]
        parts = [self.document.get("status"), [pod.get("status") for pod in self.pods], told]
        return json.dumps(parts, ensure_ascii=False)


@dataclass
class Watcher:
    """Looks at objects of one kind in some namespaces until it is told to stop."""

    cluster: Cluster
    kind: Kind
    label: str
    diagnose: Callable[[Document, Sequence[Document], Sequence[Document]], Mapping[str, Cause]]
    namespaces: list[str] = field(default_factory=list)
    states: dict[str, list[State]] = field(default_factory=dict)
    _ended: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Look until the end; an API server that is away for a moment is asked again."""
        while not self._ended.wait(PAUSE):
            for namespace in list(self.namespaces):
                with contextlib.suppress(MlopsError):
                    self.look(namespace)

    def look(self, namespace: str) -> None:
        """One look: events before what they are about, so that none is about a pod that was not seen."""
        events = self.cluster.list(EVENTS, namespace).items
        documents = self.cluster.list(self.kind, namespace).items
        pods = self.cluster.list(PODS, namespace).items
        for document in documents:
            name = document["metadata"]["name"]
            own = [pod for pod in pods if pod["metadata"].get("labels", {}).get(self.label) == name]
            about = {name, *(pod["metadata"]["name"] for pod in own)}
            told = [event for event in events if any(event["involvedObject"].get("name", "").startswith(one) for one in about)]
            state = State(document, own, told, self.diagnose(document, own, told))
            known = self.states.setdefault(f"{namespace}/{name}", [])
            if not known or known[-1].text != state.text:
                known.append(state)

    def of(self, key: str) -> list[State]:
        """All states of an object so far."""
        return list(self.states.get(key, ()))

    def until(self, key: str, shown: str, seconds: float = 120.0) -> Iterator[State]:
        """The states from the first one on in which the cluster says ``shown`` (a pattern)."""
        pattern, end = re.compile(shown), time.monotonic() + seconds
        while not any(pattern.search(state.text) for state in self.of(key)):
            last = self.of(key)[-1].text[-1500:] if self.of(key) else "never seen"
            assert time.monotonic() < end, f"{key}: the cluster has not said {shown!r} after {seconds:.0f} s, but {last}"
            time.sleep(0.05)
        states = self.of(key)
        first = next(i for i, state in enumerate(states) if pattern.search(state.text))
        return iter(states[first:])

    def before(self, key: str, shown: str) -> list[State]:
        """The states before the cluster said it."""
        found = self.of(key)
        return found[: next((i for i, state in enumerate(found) if re.search(shown, state.text)), len(found))]

    def stop(self) -> None:
        """End the thread's loop."""
        self._ended.set()


def watching(watcher: Watcher) -> Iterator[Watcher]:
    """The watcher while its thread runs."""
    thread = threading.Thread(target=watcher.run, name="watcher", daemon=True)
    thread.start()
    try:
        yield watcher
    finally:
        watcher.stop()
        thread.join(30)


def container(image: str, code: str = "", **fields: Any) -> dict[str, Any]:
    """A container that runs Python code, small enough that many fit on one machine."""
    resources = {"requests": {"cpu": "5m", "memory": "16Mi"}}
    command = {"command": ["python3", "-c", code]} if code else {}
    return {"name": "", "image": image, **command, "resources": resources, **fields}

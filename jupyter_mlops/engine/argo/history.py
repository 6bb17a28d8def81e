"""Runs whose Workflow is gone (its time was over, or somebody deleted it with kubectl), from their records in the registry."""

from __future__ import annotations

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jupyter_mlops.engine.runrecord import run_of_record
from jupyter_mlops.errors import MlopsError, NotFound, Unavailable
from jupyter_mlops.registry.runs import RunRecords

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jupyter_mlops.engine.base import Run
    from jupyter_mlops.oci.store import Store

FRESH = 10.0
"""Seconds for which the names of recorded runs are not asked for again."""

AWAY = 30.0
"""Seconds for which a registry that did not answer is not asked again."""

KEPT = 2000
"""Recorded runs kept in memory, a kB or two each."""

THREADS = 6
NAMESPACE = "namespace"
"""Field of a record: the namespace that the run was in, since one registry may serve several."""


class History:
    """The recorded runs of one namespace."""

    def __init__(self, store: Store, target: str, namespace: str) -> None:
        self._store, self._target, self._namespace = store, target, namespace
        self._runs: OrderedDict[str, Run | None] = OrderedDict()
        self._names: dict[str, tuple[float, list[str]]] = {}
        self._lock = threading.Lock()
        self._away_until = 0.0

    def page(self, pipeline: str | None, known: Collection[str], limit: int, before: float | None) -> Sequence[Run]:
        """Newest first, without those that are ``known`` from their Workflows; none while the registry does not answer."""
        if time.monotonic() < self._away_until:
            return []
        try:
            places = [(where, name) for where in self._pipelines(pipeline) for name in self._recorded(where) if name not in known]
            unread = [place for place in places if place[1] not in self._runs]
            if unread:
                with ThreadPoolExecutor(THREADS) as pool:
                    list(pool.map(lambda place: self._read(*place), unread))
        except (MlopsError, OSError) as error:
            if isinstance(error, Unavailable | OSError):
                self._away_until = time.monotonic() + AWAY
            return []
        found = [run for _, name in places if (run := self._runs.get(name)) and (before is None or run.created < before)]
        return sorted(found, key=lambda run: -run.created)[:limit]

    def hangs(self) -> Sequence[Run]:
        """Nothing, since the registry takes too long; it is left alone for a while."""
        self._away_until = time.monotonic() + AWAY
        return []

    def get(self, name: str) -> Run:
        """A recorded run with its Workflow. Raises NotFound."""
        missing = NotFound(f"there is no run {name!r} on {self._target}", code="run-not-found", fix="See `jupyter mlops runs`.")
        try:
            for pipeline in self._guesses(name):
                run = self._read(pipeline, name)
                if run is not None:
                    with self._records().open(pipeline, name, "workflow.json") as stream:
                        return replace(run, workflow=json.loads(stream.read()))
        except (MlopsError, OSError, ValueError) as error:
            raise missing from error
        raise missing

    def open(self, pipeline: str, name: str, title: str) -> Any:
        """One file of a record. Raises NotFound."""
        return self._records().open(pipeline, name, title)

    def forget(self, name: str) -> None:
        """Drop what is known of a run."""
        with self._lock:
            self._runs.pop(name, None)
            self._names.clear()

    def _records(self) -> RunRecords:
        return RunRecords(self._store)

    def _pipelines(self, pipeline: str | None) -> Sequence[str]:
        return [pipeline] if pipeline is not None else self._records().pipelines()

    def _recorded(self, pipeline: str) -> list[str]:
        """Names of a pipeline's recorded runs."""
        asked, names = self._names.get(pipeline, (-FRESH, []))
        if time.monotonic() - asked > FRESH:
            names = self._records().runs(pipeline)
            self._names[pipeline] = (time.monotonic(), names)
        return names

    def _guesses(self, name: str) -> Iterator[str]:
        """Pipelines that a run may be of, the likeliest first: a run is named for its pipeline."""
        likely = name.rpartition("-")[0]
        if likely:
            yield likely
        for pipeline in self._pipelines(None):
            if pipeline != likely and name in self._recorded(pipeline):
                yield pipeline

    def _read(self, pipeline: str, name: str) -> Run | None:
        """A recorded run of this namespace; None if there is none."""
        if name in self._runs:
            return self._runs[name]
        try:
            record = self._records().get(pipeline, name)
        except NotFound:
            return None
        run: Run | None = None
        if record.get(NAMESPACE) == self._namespace:
            try:
                run = replace(run_of_record(record), target=self._target, executed=None)
            except (KeyError, TypeError, ValueError):
                run = None
        with self._lock:
            self._runs[name] = run
            while len(self._runs) > KEPT:
                self._runs.popitem(last=False)
        return run

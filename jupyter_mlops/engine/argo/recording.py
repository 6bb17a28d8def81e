"""Records a finished run in the registry, once, where it outlives its pods and its Workflow.

Whoever sees that a run is over does it: a server, a terminal, two of them at the same time. The record is the same whoever
writes it, and the annotation ``recorded`` (its digest) on the Workflow says that it is there; results that the status has no
field for are put beside it, so that a list needs the Workflow alone.
"""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from jupyter_mlops.cluster.base import WORKFLOWS, Cluster
from jupyter_mlops.engine.argo.history import NAMESPACE
from jupyter_mlops.engine.base import LogLine, Run
from jupyter_mlops.engine.decode import FAILURE, METRICS, MODELS, PROGRESS
from jupyter_mlops.engine.runrecord import run_record
from jupyter_mlops.errors import Conflict, MlopsError, NotFound
from jupyter_mlops.oci.names import LABEL
from jupyter_mlops.registry.runs import RunRecords

if TYPE_CHECKING:
    from jupyter_mlops.oci.store import Store

RECORDED = LABEL + "recorded"
"""Annotation: digest of the run's record."""

LARGEST = 32 << 10
"""Bytes of one annotation at most; what is larger is only in the record."""

ATTEMPTS = 5

Complete = Callable[[str], Run]
"""The run with all that can be known of it."""


class Recorder:
    """Records runs of one namespace in the background."""

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        store: Store,
        complete: Complete,
        logs: Callable[[Run], Iterable[LogLine]],
        executed: Callable[[Run], str | None],
    ) -> None:
        self._cluster, self._namespace, self._store = cluster, namespace, store
        self._complete, self._logs, self._executed = complete, logs, executed
        self._pool: ThreadPoolExecutor | None = None
        self._under_way: dict[str, Future[bool]] = {}
        self._lock = threading.Lock()

    def soon(self, name: str) -> None:
        """Record a run unless that is under way."""
        with self._lock:
            if name in self._under_way:
                return
            if self._pool is None:
                self._pool = ThreadPoolExecutor(1, thread_name_prefix="mlops-record")
            with suppress(RuntimeError):  # the interpreter ends: whoever looks next records it
                self._under_way[name] = future = self._pool.submit(self.record, name)
                future.add_done_callback(lambda _: self._done(name))

    def finish(self, name: str) -> None:
        """Wait until nothing is being recorded of a run."""
        with self._lock:
            future = self._under_way.get(name)
        if future is not None:
            with suppress(Exception):
                future.result()

    def record(self, name: str) -> bool:
        """Record a run; whether it is recorded now. What cannot be done now is done by whoever looks next."""
        try:
            run = self._complete(name)
            metadata = run.workflow.get("metadata") or {}
            if RECORDED in (metadata.get("annotations") or {}):
                return True
            digest = self._put(run)
            self._annotate(run, str(metadata.get("uid") or ""), digest)
        except (MlopsError, OSError):
            return False
        return True

    def _done(self, name: str) -> None:
        with self._lock:
            self._under_way.pop(name, None)

    def _put(self, run: Run) -> str:
        record = {**run_record(run), NAMESPACE: self._namespace, "executed": None, "notebook": None}
        workflow = json.dumps(run.workflow, ensure_ascii=False, separators=(",", ":")).encode()
        files: dict[str, Path | bytes] = {"workflow.json": workflow}
        if executed := self._executed(run):
            files["executed.ipynb"] = Path(executed).read_bytes()
        with tempfile.TemporaryDirectory(prefix="jupyter-mlops-") as folder:
            files |= self._write_logs(run, Path(folder))
            return RunRecords(self._store).put(run.pipeline, run.name, record, files)

    def _write_logs(self, run: Run, folder: Path) -> dict[str, Path | bytes]:
        """One file a step; a log that breaks off is recorded as far as it came."""
        files: dict[str, TextIO] = {}
        with ExitStack() as stack, suppress(MlopsError):
            for line in self._logs(run):
                if line.step not in files:
                    path = folder / f"{line.step}.log"
                    files[line.step] = stack.enter_context(path.open("w", encoding="utf-8", errors="replace"))
                files[line.step].write(line.text + "\n")
        return {f"{step}.log": folder / f"{step}.log" for step in files}

    def _annotate(self, run: Run, uid: str, digest: str) -> None:
        """Say in the Workflow that it is recorded. One that was deleted meanwhile takes its record with it."""
        notes = {RECORDED: digest, **results(run)}
        for _ in range(ATTEMPTS):
            current = self._current(run.name, uid)
            if current is None:
                RunRecords(self._store).delete(run.pipeline, run.name)
                return
            if RECORDED in (current.get("annotations") or {}):
                return
            patch = {"metadata": {"resourceVersion": current.get("resourceVersion"), "annotations": notes}}
            with suppress(Conflict, NotFound):
                self._cluster.patch(WORKFLOWS, run.name, patch, self._namespace)
                return

    def _current(self, name: str, uid: str) -> Mapping[str, Any] | None:
        """Metadata of the Workflow; None where it was deleted."""
        with suppress(NotFound):
            metadata: Mapping[str, Any] = self._cluster.get(WORKFLOWS, name, self._namespace).get("metadata") or {}
            if metadata.get("uid") == uid and not metadata.get("deletionTimestamp"):
                return metadata
        return None


def results(run: Run) -> dict[str, str]:
    """What the status has no field for, as annotations."""
    progress = {step.name: f"{step.progress[0]}/{step.progress[1]}" for step in run.steps if step.progress}
    found: dict[str, Any] = {MODELS: list(run.models), METRICS: dict(run.metrics), PROGRESS: progress}
    if run.failure is not None:
        found[FAILURE] = asdict(run.failure)
    texts = {key: json.dumps(value, ensure_ascii=False, separators=(",", ":")) for key, value in found.items()}
    return {key: text for key, text in texts.items() if len(text.encode()) <= LARGEST}

"""The step report: what ran, how long, what came out, so far. Pushed while the step runs and always at its end.

Also written beside the step's output as ``report.json`` and ``outputs.json``: an engine on the same machine reads these.
"""

from __future__ import annotations

import math
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import MlopsError
from jupyter_mlops.oci.artifact import push_artifact
from jupyter_mlops.oci.canonical import canonical
from jupyter_mlops.oci.names import REPORT, REPORT_CONFIG, REPORT_OUTPUTS
from jupyter_mlops.oci.store import Descriptor, Store
from jupyter_mlops.runner.failure import Failure
from jupyter_mlops.runner.outputs import Outputs
from jupyter_mlops.runner.progress import Log, now

EVERY = 2.0
"""Seconds between two pushes while the step runs; the files beside the output are written after each cell."""

OFTEN, SELDOM = 60.0, 600.0
"""Seconds between two pushes of a growing log while one cell runs: at first, and in the end."""

SHARE = 50
"""A push of the log is followed by a pause of so many times what it took, so that it costs 2 % at most."""

LOG_TYPE, LOG_TITLE = "text/plain", {"org.opencontainers.image.title": "log"}


@dataclass
class Report:
    """A step's report as it grows."""

    step: str
    tag: str
    out: Path
    repository: str
    outputs: Outputs
    log: Log
    store: Store | None = None
    started: str = field(default_factory=now)
    finished: str | None = None
    phase: str = "running"
    cells: list[dict[str, Any]] = field(default_factory=list)
    counts: dict[int, int] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    models: list[dict[str, Any]] = field(default_factory=list)
    datasets: list[dict[str, Any]] = field(default_factory=list)
    used: list[dict[str, str]] = field(default_factory=list)
    """Versions that it loaded, in order: what the run's models and datasets were made of."""

    known: dict[str, int] = field(default_factory=dict)
    """Digest of what it published → how many of ``used`` it had loaded by then."""

    artifacts: list[dict[str, str]] = field(default_factory=list)
    """Files and figures that it kept with the run."""

    failure: Failure | None = None
    warnings: list[str] = field(default_factory=list)
    """What later steps will not find, by name."""

    key: dict[str, str] = field(default_factory=dict)
    """What the step depended on, for a run that resumes this one (``reuse.py``)."""

    state: str = ""
    """Digest of the state that was reached; '' while it has not been."""

    control: dict[str, Any] = field(default_factory=dict)
    """What it found out for the flow: ``go`` or ``items`` of the next step, ``bound`` and ``defined`` of a branch."""

    account: dict[str, Any] = field(default_factory=dict)
    """What it was really delivered and really changed (``session/account.py``); empty while it has not ended."""

    cached: bool = False
    """Nothing was run: all of it was taken over from an earlier run."""

    _pushed: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _said: tuple[dict[str, Any], bytes] | None = None
    """Report and outputs as they were last saved: the thread that pushes the log may not look at what changes."""

    _ended: threading.Event = field(default_factory=threading.Event)
    _news: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _pushed_log: list[Descriptor] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The report without the outputs; JSON has no number for a metric that is not finite."""
        metrics = {name: value for name, value in self.metrics.items() if math.isfinite(value)}
        return {
            "version": 1, "step": self.step, "phase": self.phase, "started": self.started, "finished": self.finished,
            "cells": self.cells, "metrics": metrics, "models": self.models, "datasets": self.datasets,
            "failure": self.failure.to_json() if self.failure else None, "warnings": self.warnings,
            "key": self.key, "state": self.state, "cached": self.cached,
            **({"used": self.used, "known": self.known} if self.used else {}),
            **({"artifacts": self.artifacts} if self.artifacts else {}),
            **({"control": self.control} if self.control else {}), **({"account": self.account} if self.account else {}),
        }  # fmt: skip

    def outputs_json(self) -> dict[str, Any]:
        """Outputs by cell, as strings of its index, and ``updates`` of displays by id."""
        cells: dict[str, Any] = {
            str(cell): {"execution_count": self.counts.get(cell), "outputs": outputs}
            for cell, outputs in sorted(self.outputs.cells.items())
        }
        return {**cells, "updates": self.outputs.updates} if self.outputs.updates else cells

    def save(self, *, final: bool = False) -> None:
        """Write the files, and push if it is time. Raises MlopsError and OSError only when ``final``."""
        said, outputs = self.to_json(), canonical(self.outputs_json())
        report = canonical(said)
        self._said = said, outputs
        if final:
            self._ended.set()
            self._write(report, outputs)
            self._push(said, outputs, final=True, with_log=True)
            return
        with suppress(MlopsError, OSError):  # a report that does not arrive now arrives with the next cell
            self._write(report, outputs)
            if self._thread is not None:
                self._news.set()
            elif time.monotonic() - self._pushed >= EVERY:
                self._push(said, outputs)

    def push_beside(self) -> None:
        """From now on a thread pushes: a slow registry delays no cell, and the log of a cell that runs for hours arrives."""
        self._said = self.to_json(), canonical(self.outputs_json())
        self._thread = threading.Thread(target=self._push_now_and_then, name="mlops-report", daemon=True)
        self._thread.start()

    def _push_now_and_then(self) -> None:
        log_due, pause, seen = time.monotonic() + OFTEN, OFTEN, self.log.size
        while not self._ended.wait(EVERY):
            began = time.monotonic()
            with_log = began >= log_due and self.log.size != seen
            if not (with_log or self._news.is_set()) or self._said is None:
                continue
            self._news.clear()
            size = self.log.size
            with suppress(MlopsError, OSError):
                self._push(*self._said, with_log=with_log)
            if with_log:
                seen, pause = size, max(min(pause * 1.5, SELDOM), SHARE * (time.monotonic() - began))
                log_due = time.monotonic() + pause

    def _write(self, report: bytes, outputs: bytes) -> None:
        self.out.mkdir(parents=True, exist_ok=True)
        for name, data in (("outputs.json", outputs), ("report.json", report)):
            fresh = self.out / f".{name}"
            fresh.write_bytes(data)
            fresh.replace(self.out / name)

    def _push(self, said: dict[str, Any], outputs: bytes, *, final: bool = False, with_log: bool = False) -> None:
        """Push report and outputs; the log as it is now, or as it was pushed before. Nothing comes after the final report."""
        store, repository = self.store, self.repository
        if store is None:
            return
        with self._lock:
            if with_log:
                blob = store.put_blob(repository, self.log.content(), LOG_TYPE)
                self._pushed_log = [replace(blob, annotations=LOG_TITLE)]
            layers = [store.put_blob(repository, outputs, REPORT_OUTPUTS), *self._pushed_log]
            if self._ended.is_set() and not final:
                return
            manifest = push_artifact(store, repository, REPORT, said, layers, config_type=REPORT_CONFIG, tags=[self.tag])
            self._pushed = time.monotonic()
            self.log.event("report", digest=manifest.descriptor.digest)

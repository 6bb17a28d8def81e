"""The step report: what ran, how long, what came out, so far. Pushed while the step runs and always at its end.

Also written beside the step's output as ``report.json`` and ``outputs.json``: an engine on the same machine reads these.
"""

from __future__ import annotations

import math
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import MlopsError
from jupyter_mlops.oci.artifact import push_artifact
from jupyter_mlops.oci.canonical import canonical
from jupyter_mlops.oci.names import REPORT, REPORT_CONFIG, REPORT_OUTPUTS
from jupyter_mlops.oci.store import Store
from jupyter_mlops.runner.failure import Failure
from jupyter_mlops.runner.outputs import Outputs
from jupyter_mlops.runner.progress import Log, now

EVERY = 2.0
"""Seconds between two pushes while the step runs; the files beside the output are written after each cell."""


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
    failure: Failure | None = None
    warnings: list[str] = field(default_factory=list)
    """What later steps will not find, by name."""

    key: dict[str, str] = field(default_factory=dict)
    """What the step depended on, for a run that resumes this one (``reuse.py``)."""

    state: str = ""
    """Digest of the state that was reached; '' while it has not been."""

    cached: bool = False
    """Nothing was run: all of it was taken over from an earlier run."""

    _pushed: float = field(default_factory=time.monotonic)

    def to_json(self) -> dict[str, Any]:
        """The report without the outputs; JSON has no number for a metric that is not finite."""
        metrics = {name: value for name, value in self.metrics.items() if math.isfinite(value)}
        return {
            "version": 1, "step": self.step, "phase": self.phase, "started": self.started, "finished": self.finished,
            "cells": self.cells, "metrics": metrics, "models": self.models, "datasets": self.datasets,
            "failure": self.failure.to_json() if self.failure else None, "warnings": self.warnings,
            "key": self.key, "state": self.state, "cached": self.cached,
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
        report, outputs = canonical(self.to_json()), canonical(self.outputs_json())
        if final:
            self._write(report, outputs)
            self._push(outputs)
            return
        with suppress(MlopsError, OSError):  # a report that does not arrive now arrives with the next cell
            self._write(report, outputs)
            if time.monotonic() - self._pushed >= EVERY:
                self._push(outputs)

    def _write(self, report: bytes, outputs: bytes) -> None:
        self.out.mkdir(parents=True, exist_ok=True)
        for name, data in (("outputs.json", outputs), ("report.json", report)):
            fresh = self.out / f".{name}"
            fresh.write_bytes(data)
            fresh.replace(self.out / name)

    def _push(self, outputs: bytes) -> None:
        if self.store is None:
            return
        layer = self.store.put_blob(self.repository, outputs, REPORT_OUTPUTS)
        manifest = push_artifact(
            self.store, self.repository, REPORT, self.to_json(), [layer], config_type=REPORT_CONFIG, tags=[self.tag]
        )
        self._pushed = time.monotonic()
        self.log.event("report", digest=manifest.descriptor.digest)

"""What a step tells about itself while it runs: the structured lines of its log, and its report.

Progress, metrics and models are kept as they come, so that a run that is killed still shows what it reached; when a step
ends, its report has the last word.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True, kw_only=True)
class Told:
    """What one attempt of a step has told so far."""

    progress: tuple[int, int] | None = None
    running_cell: int | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    models: list[dict[str, str]] = field(default_factory=list)
    reported: bool = False
    """Whether outputs have come that the executed notebook does not show yet."""

    report: str = ""
    """Digest of the last report that was pushed."""

    def take(self, event: Mapping[str, Any]) -> None:
        """Take over one structured line."""
        kind = event.get("event")
        if kind == "cell":
            self._cell(event)
        elif kind == "metric":
            self._metric(event.get("name"), event.get("value"))
        elif kind == "model":
            self._model(event)
        elif kind == "report":
            self.reported = True
            self.report = str(event.get("digest") or "")

    def take_report(self, report: Mapping[str, Any]) -> None:
        """Take over the metrics and models of a report."""
        metrics, models = report.get("metrics"), report.get("models")
        for name, value in metrics.items() if isinstance(metrics, Mapping) else ():
            self._metric(name, value)
        for model in models if isinstance(models, list) else ():
            self._model(model)

    def _cell(self, event: Mapping[str, Any]) -> None:
        k, n, cell = event.get("k"), event.get("n"), event.get("cell")
        started = event.get("phase") == "started"
        if isinstance(k, int) and isinstance(n, int) and 0 < k <= n:
            self.progress = (k - 1 if started or event.get("phase") == "failed" else k, n)
        self.running_cell = cell if started and isinstance(cell, int) else None
        self.reported = self.reported or not started

    def _metric(self, name: Any, value: Any) -> None:
        if isinstance(name, str) and isinstance(value, int | float) and math.isfinite(value):
            self.metrics[name] = float(value)

    def _model(self, found: Any) -> None:
        if isinstance(found, Mapping) and isinstance(found.get("name"), str):
            model = {key: str(found.get(key) or "") for key in ("name", "tag", "digest")}
            if model not in self.models:
                self.models.append(model)

"""What a running step tells: the structured lines of its log, and the report that lies beside its output.

Progress, metrics and models are kept as they come, so that a run that is killed still shows what it reached; when a step
ends, its report has the last word.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_mlops.engine.logs import Tail, event_of


@dataclass(slots=True)
class Observed:
    """What one attempt of a step has told so far."""

    tail: Tail
    progress: tuple[int, int] | None = None
    running_cell: int | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    models: list[dict[str, str]] = field(default_factory=list)
    reported: bool = False
    """Whether outputs have come that the executed notebook does not show yet."""

    def look(self, *, final: bool = False) -> None:
        """Read what has been written since the last look."""
        for line in self.tail.lines(final=final):
            if event := event_of(line):
                self._take(event)

    def finish(self, folders: tuple[Path, ...]) -> None:
        """Read the rest, and the step's report if it wrote one."""
        self.look(final=True)
        report = next((found for folder in folders if (found := read_json(folder / "report.json"))), {})
        for name, value in (report.get("metrics") or {}).items():
            self._metric(name, value)
        for model in report.get("models") or ():
            self._model(model)
        self.reported = True

    def _take(self, event: Mapping[str, Any]) -> None:
        kind = event["event"]
        if kind == "cell":
            self._cell(event)
        elif kind == "metric":
            self._metric(event.get("name"), event.get("value"))
        elif kind == "model":
            self._model(event)
        elif kind == "report":
            self.reported = True

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


def read_json(path: Path) -> dict[str, Any]:
    """An object from a file that another process replaces; empty where there is none, or none yet."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}

"""What a running step tells: the structured lines of its log, and the report that lies beside its output."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_mlops.engine.logs import Tail, event_of
from jupyter_mlops.engine.told import Told


@dataclass(slots=True)
class Observed(Told):
    """What one attempt of a step has told so far."""

    tail: Tail

    def look(self, *, final: bool = False) -> None:
        """Read what has been written since the last look."""
        for line in self.tail.lines(final=final):
            if event := event_of(line):
                self.take(event)

    def finish(self, folders: tuple[Path, ...]) -> None:
        """Read the rest, and the step's report if it wrote one."""
        self.look(final=True)
        self.take_report(next((found for folder in folders if (found := read_json(folder / "report.json"))), {}))
        self.reported = True


def read_outputs(wanted: Mapping[str, tuple[Path, str | None]]) -> tuple[dict[str, str], tuple[Path, str] | None]:
    """Output parameters, and the first that has neither file nor default. One newline at the end goes, as in Argo."""
    found: dict[str, str] = {}
    for name, (path, default) in wanted.items():
        value = _read_output(path, default)
        if value is None:
            return found, (path, name)
        found[name] = value
    return found, None


def _read_output(path: Path, default: str | None) -> str | None:
    try:
        return path.read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError):
        return default


def read_json(path: Path) -> dict[str, Any]:
    """An object from a file that another process replaces; empty where there is none, or none yet."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}

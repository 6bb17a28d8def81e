"""How long each cell took when it was last run, as front ends record it in the cell's metadata.

Times are hints for where to cut and nothing else: a notebook that was never run converts just as well.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from jupyter_mlops.notebook.document import Cell

BEGINS = ("iopub.execute_input", "iopub.status.busy")
ENDS = ("shell.execute_reply", "iopub.status.idle")
"""Keys of ``metadata.execution``, which JupyterLab writes with its setting *record timing* and nbclient always; best first."""


def recorded_seconds(cell: Cell) -> float | None:
    """Seconds of the cell's last run; None where nobody wrote them or they make no sense."""
    found = _between(cell.metadata.get("execution"), BEGINS, ENDS)
    if found is None:
        found = _between(cell.metadata.get("ExecuteTime"), ("start_time",), ("end_time",))
    if found is None:
        papermill = cell.metadata.get("papermill")
        found = papermill.get("duration") if isinstance(papermill, Mapping) else None
    if isinstance(found, bool) or not isinstance(found, (int, float)) or not math.isfinite(found) or found < 0:
        return None
    return float(found)


def _between(times: Any, begins: tuple[str, ...], ends: tuple[str, ...]) -> float | None:
    """Seconds between the first of each that is there."""
    if not isinstance(times, Mapping):
        return None
    begin = next((moment for key in begins if (moment := _moment(times.get(key)))), None)
    end = next((moment for key in ends if (moment := _moment(times.get(key)))), None)
    if begin is None or end is None or (begin.tzinfo is None) != (end.tzinfo is None):
        return None
    return (end - begin).total_seconds()


def _moment(text: Any) -> datetime | None:
    """An ISO 8601 time; Python 3.10 does not read its ``Z`` nor fractions of any length."""
    if not isinstance(text, str):
        return None
    head, dot, tail = text.strip().replace("Z", "+00:00").partition(".")
    if dot:
        digits = len(tail) - len(tail.lstrip("0123456789"))
        head += "." + (tail[:digits] + "000000")[:6] + tail[digits:]
    try:
        return datetime.fromisoformat(head)
    except ValueError:
        return None

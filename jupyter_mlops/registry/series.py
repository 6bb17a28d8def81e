"""Metrics over time: every value that ``log_metrics`` recorded in a run, taken from the logs of its steps when it is recorded.

A step writes each value into its log at once, so that a panel can follow it, and a log is there on every engine; the run's
record keeps them as JSON lines of their own, beside the last values, which are the run's metrics.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TITLE = "metrics.jsonl"
MEDIA_TYPE = "application/x-ndjson"

_MARK = b"@mlops "
"""How a structured line of a log begins, see docs/formats.md."""


@dataclass(frozen=True, slots=True)
class Point:
    """One value: ``step`` is the epoch or iteration, ``time`` RFC 3339, ``task`` the step of the pipeline."""

    name: str
    value: float | str
    task: str
    step: int | None = None
    time: str = ""

    def to_json(self) -> dict[str, Any]:
        """A line; ``value`` is a text for what JSON has no number for (``nan``, ``inf``)."""
        said: dict[str, Any] = {"name": self.name, "value": self.value, "task": self.task}
        return said | ({} if self.step is None else {"step": self.step}) | ({"time": self.time} if self.time else {})


def series_of(files: Mapping[str, Path | bytes]) -> bytes:
    """The lines of all values in the logs (``<step>.log``) of a run, step by step in the order of time; b'' without any."""
    logs = sorted((title, content) for title, content in files.items() if title.endswith(".log"))
    points = (point for title, content in logs for point in _points(Path(title).stem, content))
    return b"".join(json.dumps(point.to_json(), ensure_ascii=False, separators=(",", ":")).encode() + b"\n" for point in points)


def read_series(lines: bytes) -> Sequence[Point]:
    """The points of such lines; a line that is none is left out."""
    found = (_point(line, task="") for line in lines.splitlines())
    return [point for point in found if point is not None]


def point_of(said: Mapping[str, Any], *, task: str) -> Point | None:
    """The value that an event of a log, or a line of the series, tells of; None where it is none."""
    name, value, step = said.get("name"), said.get("value"), said.get("step")
    if not isinstance(name, str) or not isinstance(value, int | float | str) or isinstance(value, bool):
        return None
    whole = step if isinstance(step, int) and not isinstance(step, bool) else None
    return Point(name, value, task or str(said.get("task") or ""), whole, str(said.get("time") or ""))


def _points(task: str, content: Path | bytes) -> Iterator[Point]:
    if isinstance(content, bytes):
        yield from _metrics(task, iter(content.splitlines()))
        return
    with content.open("rb") as file:
        yield from _metrics(task, file)


def _metrics(task: str, lines: Iterator[bytes]) -> Iterator[Point]:
    for line in lines:
        if line.startswith(_MARK) and (point := _point(line.removeprefix(_MARK), task=task, event="metric")) is not None:
            yield point


def _point(line: bytes, *, task: str, event: str = "") -> Point | None:
    """A value that a line tells of, or None."""
    try:
        said = json.loads(line)
    except ValueError:
        return None
    if not isinstance(said, dict) or (event and said.get("event") != event):
        return None
    return point_of(said, task=task)

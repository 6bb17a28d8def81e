"""Times as Kubernetes writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def event_time(event: Mapping[str, Any]) -> str:
    """When an event was last seen; texts of RFC 3339 in UTC sort as times do.

    Three fields, since the older and the newer API of events fill different ones.
    """
    series = event.get("series") or {}
    metadata = event.get("metadata") or {}
    for stamp in (
        event.get("lastTimestamp"),
        series.get("lastObservedTime"),
        event.get("eventTime"),
        event.get("firstTimestamp"),
        metadata.get("creationTimestamp"),
    ):
        if stamp:
            return str(stamp)
    return ""


class Seen:
    """Which lines of a log were given: up to a time, and how many with exactly that time."""

    def __init__(self) -> None:
        """None yet."""
        self.stamp = ""
        self._given = 0
        self._again = 0

    def again(self) -> None:
        """A new connection gives the lines of the last second again."""
        self._again = 0

    def new(self, line: str) -> bool:
        """Whether this line, which begins with its timestamp, was not given yet."""
        stamp = line.partition(" ")[0]
        if not _is_time(stamp):
            return True
        now, last = _sortable(stamp), _sortable(self.stamp)
        if now != last:
            if now < last:
                return False
            self.stamp, self._given, self._again = stamp, 1, 1
            return True
        self._again += 1
        fresh = self._again > self._given
        self._given = max(self._given, self._again)
        return fresh


def _is_time(text: str) -> bool:
    """Whether this is kubelet's timestamp: ``2026-01-01T00:00:00.123456789Z``."""
    return len(text) >= 20 and text[:4].isdigit() and text[4] == "-" and text[10] == "T"  # noqa: PLR2004 - without fraction


def _sortable(stamp: str) -> str:
    """A form of the timestamp that sorts as time does: kubelet leaves out zeros at the end of a fraction."""
    whole, _, fraction = stamp.removesuffix("Z").partition(".")
    return f"{whole}.{fraction:0<9}"

"""Times in annotations: RFC 3339 in UTC, as OCI wants them."""

from __future__ import annotations

from datetime import datetime, timezone


def now() -> str:
    """This moment, to the millisecond."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds(text: str) -> float:
    """Seconds since the epoch; 0 for what is no time, which other tools may have written."""
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return 0.0

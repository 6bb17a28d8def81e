"""Times as documents write them (RFC 3339) and as values hold them (seconds since the epoch)."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any

_RFC3339 = re.compile(r"^(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)$")


def moment(text: Any) -> float | None:
    """Seconds since the epoch of an RFC 3339 time; None if it is not one.

    Python before 3.11 reads neither ``Z`` nor a fraction of any length itself.
    """
    match = _RFC3339.match(text) if isinstance(text, str) else None
    if match is None:
        return None
    zone = "+00:00" if match.group(3) in "Zz" else match.group(3)
    try:
        return datetime.fromisoformat(match.group(1).upper() + zone).timestamp() + float(match.group(2) or 0)
    except ValueError:
        return None


def rfc3339(seconds: float) -> str:
    """A time as Kubernetes writes it, in UTC, with microseconds: two runs of one second keep their order."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")

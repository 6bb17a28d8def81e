"""Kubernetes quantities and Go durations, as a Workflow writes them."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

_SUFFIX = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
    "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}
_QUANTITY = re.compile(r"^([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([a-zA-Z]*)$")
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]*)?)(ns|us|µs|ms|s|m|h|d)")
_KIBI = 1024
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def quantity(text: str | float) -> float | None:
    """A quantity (``500m``, ``2Gi``, ``1e3``, ``2``) as a number; None if it is not one."""
    match = _QUANTITY.match(str(text).strip())
    if match is None or match.group(2) not in _SUFFIX:
        return None
    try:
        return float(Decimal(match.group(1)) * _SUFFIX[match.group(2)])
    except InvalidOperation:
        return None


def seconds(text: str | float) -> float | None:
    """A duration (``90``, ``"90"``, ``1h30m``, ``2.5s``) in seconds; None if it is not one. ``d`` is Argo's own unit."""
    plain = str(text).strip()
    try:
        number = float(plain)
    except ValueError:
        parts = _DURATION.findall(plain)
        if not parts or "".join(number + unit for number, unit in parts) != plain:
            return None
        return sum(float(number) * _SECONDS[unit] for number, unit in parts)
    return number if number >= 0 and number != float("inf") else None


def size_text(count: float) -> str:
    """Bytes as people read them: ``1.5 GiB``."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < _KIBI or unit == "GiB":
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= _KIBI
    return f"{count:.1f} GiB"

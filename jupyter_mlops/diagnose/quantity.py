"""Amounts as Kubernetes writes them: ``512Mi``, ``1.5``, ``500m``, ``2e3``."""

from __future__ import annotations

import math
import re
from typing import Any

_FORM = re.compile(r"([+-]?[0-9]{1,20}(?:\.[0-9]{0,9})?)(?:([eE][+-]?[0-9]{1,2})|(m|k|[MGTPE]|[KMGTPE]i))?")
_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
_FACTORS = {"m": 1e-3, "": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18, **_BINARY}


def amount(quantity: Any) -> float | None:
    """The number that a quantity stands for (bytes, cores, devices); None if it is not one."""
    if isinstance(quantity, bool):
        return None
    match = _FORM.fullmatch(str(quantity)) if isinstance(quantity, str | int | float) else None
    return float(match[1] + (match[2] or "")) * _FACTORS[match[3] or ""] if match else None


def bytes_text(size: float) -> str:
    """Bytes as a quantity in the largest unit that keeps it whole, else rounded up to MiB."""
    whole = math.ceil(size)
    for unit in ("Ti", "Gi", "Mi"):
        if whole and whole % _BINARY[unit] == 0:
            return f"{whole // _BINARY[unit]}{unit}"
    return f"{max(1, math.ceil(size / _BINARY['Mi']))}Mi"


def larger(quantity: Any) -> str:
    """Twice the memory, at least 256Mi, in whole steps of 256Mi: what to try after it ran out; '' if it is no quantity."""
    had = amount(quantity)
    step = 256 * _BINARY["Mi"]
    return bytes_text(max(1, math.ceil(2 * had / step)) * step) if had is not None and 0 <= had < 2**62 else ""

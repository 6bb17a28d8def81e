"""What a model gave, as JSON: V1's ``predictions``, and numbers that JSON has no word for."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def predictions(result: Any) -> list[Any]:
    """One entry per row: arrays become lists, a DataFrame or a dict of arrays records."""
    if hasattr(result, "to_dict") and hasattr(result, "columns"):
        return [plain(record) for record in result.to_dict(orient="records")]
    if hasattr(result, "toarray"):
        result = result.toarray()
    if hasattr(result, "tolist"):
        listed = result.tolist()
        return [plain(item) for item in listed] if isinstance(listed, list) else [plain(listed)]
    if isinstance(result, Mapping):
        columns = {str(name): predictions(values) for name, values in result.items()}
        if len({len(values) for values in columns.values()}) == 1:
            return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        return [columns]
    if isinstance(result, list | tuple):
        return [plain(item) for item in result]
    return [plain(result)]


def plain(value: Any) -> Any:
    """A value as JSON's own types; what has none becomes its text."""
    if value is None or type(value) in {str, bool, int, float}:
        return value
    if hasattr(value, "tolist"):  # before the next line: numpy's float64 is a float too, and not JSON's
        return plain(value.tolist())
    if isinstance(value, str | int | float):
        return next(kind(value) for kind in (str, int, float) if isinstance(value, kind))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def text(value: Any) -> str:
    """A value as one BYTES element: text as it is, anything else as JSON."""
    value = plain(value)
    return value if isinstance(value, str) else json.dumps(finite(value), ensure_ascii=False)


def dumps(value: Any) -> bytes:
    """JSON in UTF-8. NaN and infinities, which JSON lacks, become null."""
    try:
        return json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except ValueError:
        return json.dumps(finite(value), allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()


def finite(value: Any) -> Any:
    """The same value with null where a number is not finite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    return [finite(item) for item in value] if isinstance(value, list) else value

"""Rows to send to a service, from whatever a notebook holds them in: a table, an array, a list.

JSON has no NumPy numbers, no dates and no NaN; each is written as the model server reads it back (null for missing, ISO 8601
for times), or refused by name.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

from jupyter_mlops.errors import WrongUsage

MISSING = frozenset({"NAType", "NaTType"})
"""Types of pandas' missing values: known by name, since pandas need not be there, and before all else: NaT calls itself a date."""


def rows_of(value: Any) -> list[Any]:
    """JSON rows of a pandas or polars table, a series, an array, a mapping (one row) or a sequence of rows.

    Raises:
        WrongUsage: Nothing with rows, or a value in it that JSON cannot say.
    """
    if hasattr(value, "to_dicts"):  # polars
        found: Any = value.to_dicts()
    elif hasattr(value, "columns") and hasattr(value, "to_dict"):  # pandas: a row is named by its columns
        found = value.to_dict(orient="records")
    elif isinstance(value, Mapping):
        found = [value]
    elif hasattr(value, "tolist"):  # NumPy, torch, pandas series
        found = value.tolist()
    else:
        found = value
    if not isinstance(found, Sequence) or isinstance(found, str | bytes):
        raise WrongUsage(
            f"--data is a {type(value).__name__}, not rows", fix="Give a table, an array or a list of rows, e.g. X_test.head()"
        )
    return [_plain(row) for row in found]


def _plain(value: Any) -> Any:
    """The value as JSON has it."""
    if type(value).__name__ in MISSING:
        return None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if hasattr(value, "tolist") and hasattr(value, "dtype"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    try:
        json.dumps(value)
    except (TypeError, ValueError) as error:
        raise WrongUsage(
            f"--data holds a {type(value).__name__}, which JSON cannot say", fix="Convert that column before sending it."
        ) from error
    return value

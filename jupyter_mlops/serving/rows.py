"""What people give as data, as rows: JSON, CSV, protocol bodies, a DataFrame, an array, one record.

Pure: it decides what was given, and leaves to the model server whether it fits the model.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from jupyter_mlops.errors import WrongUsage

WHOLE = re.compile(r"[+-]?(0|[1-9]\d*)")
DECIMAL = re.compile(r"[+-]?(0|[1-9]\d*)?(\.\d*)?([eE][+-]?\d+)?")
WORDS: dict[str, Any] = {"": None, "true": True, "false": False, "nan": None, "null": None, "none": None}

FIX = 'Give rows as JSON ([[1, 2], …] or [{"age": 42, …}, …]) or CSV with a header line.'


def parse_data(text: str, texts: frozenset[str] = frozenset()) -> Any:
    """Rows, or a V1 or V2 body, from text that is JSON, JSON lines, or CSV with a header.

    Args:
        text: what a person gave.
        texts: columns that hold text: CSV cannot say so, and ``01234`` or ``7`` must stay what it is there.

    Raises:
        WrongUsage: it is neither; the message names line and column.
    """
    text = text.removeprefix("\ufeff").strip()
    if not text:
        raise WrongUsage("the data is empty", fix=FIX)
    if text[0] in "[{":
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            if (lines := _json_lines(text)) is not None:
                return lines
            raise WrongUsage(f"the data is not JSON: {error.msg} at line {error.lineno}, column {error.colno}", fix=FIX) from error
    return _csv(text, texts)


def _json_lines(text: str) -> list[Any] | None:
    try:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    except json.JSONDecodeError:
        return None


def _csv(text: str, texts: frozenset[str]) -> list[dict[str, Any]]:
    try:
        header, *rows = list(csv.reader(io.StringIO(text), strict=True))
    except csv.Error as error:
        raise WrongUsage(f"the data is not CSV: {error}", fix=FIX) from error
    names = [name.strip() for name in header]
    if len(set(names)) < len(names) or not all(names):
        raise WrongUsage(f"the header of the CSV is {', '.join(names)}: every column needs a name of its own", fix=FIX)
    if not rows:
        raise WrongUsage("the CSV has a header and no rows", fix=FIX)
    records = []
    for number, row in enumerate(rows, start=2):
        if not row:
            continue
        if len(row) != len(names):
            raise WrongUsage(f"line {number} of the CSV has {len(row)} values, the header has {len(names)}", fix=FIX)
        records.append({name: value if name in texts else _value(value) for name, value in zip(names, row, strict=True)})
    return records


def _value(text: str) -> Any:
    """A number where the text is one in its usual form (``007`` is not), true, false, nothing, or text."""
    plain = text.strip()
    if plain.lower() in WORDS:
        return WORDS[plain.lower()]
    if WHOLE.fullmatch(plain):
        return int(plain)
    if any(sign.isdigit() for sign in plain) and DECIMAL.fullmatch(plain):
        return float(plain)
    return text


def is_infer_body(data: Any) -> bool:
    """Whether it is a V2 body: ``inputs`` is a list of tensors."""
    inputs = data.get("inputs") if isinstance(data, Mapping) else None
    return isinstance(inputs, list) and bool(inputs) and all(isinstance(item, Mapping) and "datatype" in item for item in inputs)


def instances_of(data: Any, *, single_row: bool) -> list[Any]:
    """The rows of whatever was given.

    Args:
        data: rows, one record, a V1 body, a DataFrame, a Series or an array.
        single_row: the model takes rows, so that a list of plain values is one of them and not many.

    Raises:
        WrongUsage: it is none of these.
    """
    if isinstance(data, Mapping) and ("instances" in data or isinstance(data.get("inputs"), list)):
        data = data["instances"] if "instances" in data else data["inputs"]
    if hasattr(data, "to_dict") and hasattr(data, "columns"):
        data = data.to_dict(orient="records")
    elif hasattr(data, "tolist"):
        data = data.tolist()
    if isinstance(data, Mapping):
        columns = list(data.values())
        if (
            columns
            and all(isinstance(values, list | tuple) for values in columns)
            and len({len(values) for values in columns}) == 1
        ):
            data = [dict(zip(data, row, strict=True)) for row in zip(*columns, strict=True)]
        else:
            data = [data]
    if isinstance(data, str | bytes) or not isinstance(data, Sequence):
        raise WrongUsage(f"{type(data).__name__} is not data for a model", fix=FIX)
    rows = [json_value(row) for row in data]
    if single_row and rows and not any(isinstance(row, list | dict) for row in rows):
        return [rows]
    return rows


def json_value(value: Any) -> Any:
    """A value in JSON's types; what is missing (NaN, NaT, None) becomes null, what has no form its text."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, Mapping):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [json_value(item) for item in value]
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    return None if text in {"NaT", "<NA>"} else text

"""What a model takes and gives, recorded from the data it is registered with.

Only from data that is given on purpose: rows of a training set are nobody's to publish by accident.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

from jupyter_mlops.errors import WrongUsage

SAMPLE = 3
"""Rows kept as the sample that Test and ``predict`` use when nothing else is given."""

ANY: dict[str, Any] = {"kind": "any", "inputs": [], "outputs": []}

_DATATYPES = {
    "b1": "BOOL", "i1": "INT8", "i2": "INT16", "i4": "INT32", "i8": "INT64", "u1": "UINT8", "u2": "UINT16", "u4": "UINT32",
    "u8": "UINT64", "f2": "FP32", "f4": "FP32", "f8": "FP64",
}  # fmt: skip
"""numpy's code of a type → V2's name ("Tensor Data Types" of the Open Inference Protocol); all else is BYTES."""


def describe(data: Any, predict: Callable[[Any], Any] | None) -> tuple[dict[str, Any], list[Any]]:
    """The signature of a model for this kind of data, and a few rows of it.

    Args:
        data: a pandas frame or series, an array, or a list of rows.
        predict: called once with the sample rows, for the outputs; a model that fails on them is not fit for the data.

    Raises:
        WrongUsage: code ``invalid-sample``: the data has no rows, or the model does not take it.
    """
    if data is None:
        return dict(ANY), []
    if hasattr(data, "iloc") and hasattr(data, "columns"):
        signature, rows, sample = _of_frame(data)
    elif hasattr(data, "iloc"):
        signature, rows, sample = _of_series(data)
    elif hasattr(data, "dtype") and hasattr(data, "shape"):
        signature, rows, sample = _of_array(data)
    elif isinstance(data, (list, tuple)) and data:
        rows = list(data[:SAMPLE])
        signature, sample = dict(ANY), [plain(row) for row in rows]
    else:
        raise WrongUsage(
            f"data is a {type(data).__name__} and gives no sample rows",
            code="invalid-sample",
            fix="Give a few rows of what the model was trained on: a frame, an array or a list.",
        )
    return {**signature, "outputs": _outputs(predict, rows)}, sample


def plain(value: Any) -> Any:
    """A value as JSON: numbers, texts, lists; not-a-number becomes null, what JSON cannot say its text."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    text = str(value)
    return None if text in {"NaT", "<NA>"} else text


def _of_series(data: Any) -> tuple[dict[str, Any], Any, list[Any]]:
    """Rows that are one value each, such as the texts that a text classifier takes: no table of one column."""
    _check_rows(len(data))
    rows = data.head(SAMPLE)
    inputs = [{"name": str(data.name or "input-0"), "datatype": datatype_of(data.dtype), "shape": [-1]}]
    return {"kind": "tensor", "inputs": inputs, "shape": [-1]}, rows, [plain(value) for value in rows]


def _of_frame(frame: Any) -> tuple[dict[str, Any], Any, list[Any]]:
    _check_rows(len(frame))
    head = frame.head(SAMPLE)
    inputs = [{"name": str(name), "datatype": datatype_of(frame.iloc[:, place].dtype)} for place, name in enumerate(frame.columns)]
    names = [str(name) for name in head.columns]
    sample = [dict(zip(names, map(plain, row), strict=True)) for row in head.itertuples(index=False, name=None)]
    return {"kind": "columns", "inputs": inputs, "shape": [-1, len(inputs)]}, head, sample


def _of_array(data: Any) -> tuple[dict[str, Any], Any, list[Any]]:
    if not data.shape:
        _check_rows(0)
    _check_rows(data.shape[0])
    shape = [-1, *(int(size) for size in data.shape[1:])]
    rows = data[:SAMPLE]
    inputs = [{"name": "input-0", "datatype": datatype_of(data.dtype), "shape": shape}]
    return {"kind": "tensor", "inputs": inputs, "shape": shape}, rows, plain(rows)


def datatype_of(dtype: Any) -> str:
    """V2's name for a numpy or pandas type."""
    numpy_type = getattr(dtype, "numpy_dtype", dtype)  # a masked type of pandas, such as Int64
    code = str(getattr(numpy_type, "str", ""))[1:]
    return _DATATYPES.get(code, "BYTES")


def _check_rows(rows: int) -> None:
    if rows == 0:
        raise WrongUsage("data has no rows", code="invalid-sample", fix="Give a few rows of what the model was trained on.")


def _outputs(predict: Callable[[Any], Any] | None, rows: Any) -> list[dict[str, Any]]:
    if predict is None:
        return []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = predict(rows)
    except Exception as error:
        raise WrongUsage(
            f"the model does not take the rows given as data: {type(error).__name__}: {error}",
            code="invalid-sample",
            fix="Give rows in the form in which the model was trained, before or after preprocessing as the model expects.",
        ) from error
    dtype, shape = getattr(found, "dtype", None), getattr(found, "shape", None)
    if dtype is None or shape is None:
        return [{"name": "predict", "datatype": _of_python(found), "shape": [-1]}]
    return [{"name": "predict", "datatype": datatype_of(dtype), "shape": [-1, *(int(size) for size in shape[1:])]}]


def _of_python(found: Any) -> str:
    """Datatype of the first of a list of results."""
    first = found[0] if isinstance(found, (list, tuple)) and found else found
    if isinstance(first, bool):
        return "BOOL"
    if isinstance(first, int):
        return "INT64"
    return "FP64" if isinstance(first, float) else "BYTES"

"""From JSON to what the model takes, or a 400 that names row, column and what is expected there.

The usual request is rows of numbers: it goes through numpy in one call. Only when that does not fit are the values looked
at one by one, to say which of them is wrong.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from typing import Any

from jupyter_mlops.errors import PredictionRejected
from jupyter_mlops.serving.server.datatypes import NUMPY, datatype_of, range_of, word
from jupyter_mlops.serving.server.signature import Signature, Tensor

SHOWN = 40
"""Characters of a wrong value that are repeated in a message."""

LISTED = 30
"""Names listed in a message at most."""


def from_instances(signature: Signature, instances: Any) -> Any:
    """Rows (lists, records or plain values) → DataFrame, array or list. Raises PredictionRejected."""
    if not isinstance(instances, list):
        raise PredictionRejected(f"instances is {name_of(instances)}; send a list of rows")
    if not instances:
        raise PredictionRejected("instances is empty; send at least one row")
    if signature.kind == "columns":
        return _table(signature, instances)
    if signature.kind == "tensor":
        return _array(signature, instances)
    return instances


def from_columns(signature: Signature, columns: Mapping[str, Sequence[Any]]) -> Any:
    """Named lists of values, one per column → what the model takes. Raises PredictionRejected."""
    _check_names(signature, columns, "inputs")
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise PredictionRejected("inputs differ in length: " + ", ".join(f"{name} has {size}" for name, size in lengths.items()))
    if not all(lengths.values()):
        raise PredictionRejected("inputs are empty; send at least one row")
    return _frame({tensor.name: _column(signature, tensor, columns[tensor.name]) for tensor in signature.inputs})


# -- tables ----------------------------------------------------------------------------------------------------------------


def _table(signature: Signature, instances: list[Any]) -> Any:
    if isinstance(instances[0], Mapping):
        for row, record in enumerate(instances):
            if not isinstance(record, Mapping):
                raise PredictionRejected(f"instances[{row}] is {name_of(record)}, the rows before it are records; send one kind")
            if len(record) != len(signature.columns) or not all(name in record for name in signature.columns):
                _check_names(signature, record, f"instances[{row}]")
        rows = [[record[name] for name in signature.columns] for record in instances]
    else:
        rows = instances
    if signature.numeric and (matrix := _matrix(rows, len(signature.columns))) is not None:
        return _numeric_frame(signature, matrix)
    _check_rows(signature, rows)
    return _frame({t.name: _column(signature, t, [row[i] for row in rows]) for i, t in enumerate(signature.inputs)})


def _matrix(rows: list[Any], width: int) -> Any:
    """Rows of numbers as one array; None when they are not, or not all as long."""
    import numpy as np

    try:
        matrix = np.array(rows)
    except (ValueError, OverflowError):  # ragged, or an integer that fits no type
        return None
    return matrix if matrix.shape == (len(rows), width) and matrix.dtype.kind in "fiu" else None


def _numeric_frame(signature: Signature, matrix: Any) -> Any:
    """One block where all columns share a type (which pandas does not copy), else a block each."""
    if signature.uniform in {"FP32", "FP64"}:
        matrix = matrix.astype(NUMPY[signature.uniform], copy=False)
        import pandas as pd

        return pd.DataFrame(matrix, columns=list(signature.columns), copy=False)
    columns = {}
    for index, tensor in enumerate(signature.inputs):
        columns[tensor.name] = _column(signature, tensor, matrix[:, index].tolist())
    return _frame(columns)


def _check_rows(signature: Signature, rows: list[Any]) -> None:
    width = len(signature.columns)
    for row, values in enumerate(rows):
        if not isinstance(values, list):
            raise PredictionRejected(f"instances[{row}] is {name_of(values)}; {_expected(signature)}")
        if len(values) != width:
            raise PredictionRejected(f"instances[{row}] has {_count(len(values), 'value')}; {_expected(signature)}")


def _check_names(signature: Signature, given: Mapping[str, Any], where: str) -> None:
    """Missing and unexpected columns, all of them, with the name that was probably meant."""
    missing = [name for name in signature.columns if name not in given]
    unexpected = [str(name) for name in given if name not in signature.columns]
    if not missing and not unexpected:
        return
    said = []
    if missing:
        said.append(f"missing {_plural('column', missing)} {_names(missing)}")
    if unexpected:
        said.append(f"unexpected {_plural('column', unexpected)} {_names(unexpected)}")
    meant = [(name, close[0]) for name in unexpected if (close := difflib.get_close_matches(name, missing, 1))]
    hint = "".join(f"; did you mean '{right}' instead of '{wrong}'?" for wrong, right in meant[:3])
    raise PredictionRejected(f"{where}: {', '.join(said)}{hint}" + ("" if hint else f"; {_expected(signature)}"))


def _expected(signature: Signature) -> str:
    names = list(signature.columns)
    shown = ", ".join(names[:LISTED]) + (", …" if len(names) > LISTED else "")
    return f"expected {_count(len(names), 'column')}: {shown}"


def _column(signature: Signature, tensor: Tensor, values: Sequence[Any]) -> Any:
    """One column in its recorded type; a whole-number column with missing or broken values becomes FP64, as in pandas."""
    import numpy as np

    kinds: set[Any] = {type(value) for value in values}
    if not tensor.datatype:
        return _untyped(values)
    if tensor.datatype == "BYTES":
        allowed: set[Any] = {str, type(None), bool} | (kinds if tensor.name in signature.mixed else set())
        if not kinds <= allowed:
            _refuse(tensor, values, allowed)
        column = np.empty(len(values), dtype=object)
        column[:] = values
        return column
    allowed = {bool, int, float, type(None)} if tensor.datatype != "BOOL" else {bool, int, type(None)}
    if not kinds <= allowed:
        _refuse(tensor, values, allowed)
    if type(None) in kinds:
        return np.array([math.nan if value is None else value for value in values], dtype="f8")
    if tensor.datatype == "BOOL":
        return np.array(values, dtype=bool)
    if tensor.datatype in {"FP32", "FP64"}:
        return np.array(values, dtype=NUMPY[tensor.datatype])
    if float in kinds and not all(math.isfinite(value) and value == int(value) for value in values):
        return np.array(values, dtype="f8")
    bounds = range_of(tensor.datatype) or (0, 0)
    for row, value in enumerate(values):
        if not bounds[0] <= value <= bounds[1]:
            raise PredictionRejected(f"instances[{row}].{tensor.name} is {value}, outside {tensor.datatype}")
    return np.array([int(value) for value in values], dtype=NUMPY[tensor.datatype])


def _untyped(values: Sequence[Any]) -> Any:
    """A column whose type was not recorded: numbers if all are, else as it is."""
    import numpy as np

    datatype = datatype_of(values)
    if datatype == "FP64":
        values = [math.nan if value is None else value for value in values]
    column = np.empty(len(values), dtype=NUMPY[datatype or "BYTES"])
    column[:] = values
    return column


def _refuse(tensor: Tensor, values: Sequence[Any], allowed: set[Any]) -> None:
    row, value = next((row, value) for row, value in enumerate(values) if type(value) not in allowed)
    raise PredictionRejected(
        f"instances[{row}].{tensor.name} is {shown(value)}; expected {word(tensor.datatype)} ({tensor.datatype})",
    )


def _frame(columns: Mapping[str, Any]) -> Any:
    import pandas as pd

    return pd.DataFrame(columns, copy=False)


# -- one array -------------------------------------------------------------------------------------------------------------


def _array(signature: Signature, instances: list[Any]) -> Any:
    import numpy as np

    datatype = signature.inputs[0].datatype if signature.inputs else ""
    try:
        array = np.array(instances)
    except (ValueError, OverflowError) as error:
        raise PredictionRejected(f"instances differ in length: {_ragged(instances)}; {_expected_shape(signature)}") from error
    if datatype not in {"BYTES", ""} and array.dtype.kind not in "fiub":
        array = _numbers(instances, datatype)
    check_shape(signature, array.shape, "instances")
    return cast(array, datatype)


def cast(array: Any, datatype: str) -> Any:
    """The array in the recorded type; whole numbers only if that loses nothing, else FP64, as training would have had it."""
    import numpy as np

    if not datatype:
        return array
    if range_of(datatype) and array.dtype.kind == "f" and not np.array_equal(array, np.trunc(array)):
        return array.astype("f8", copy=False)
    bounds = range_of(datatype)
    if bounds and array.dtype.kind in "fiu" and array.size and not (bounds[0] <= array.min() and array.max() <= bounds[1]):
        raise PredictionRejected(f"a value lies outside {datatype}, which is {bounds[0]} to {bounds[1]}")
    return array.astype(NUMPY[datatype], copy=False)


def check_shape(signature: Signature, shape: Sequence[int], where: str) -> None:
    """The shape fits the recorded one. Raises PredictionRejected."""
    wanted = signature.shape
    if wanted and (len(shape) != len(wanted) or any(want not in {-1, got} for got, want in zip(shape, wanted, strict=True))):
        raise PredictionRejected(f"{where} has shape {list(shape)}; {_expected_shape(signature)}")


def _expected_shape(signature: Signature) -> str:
    return f"expected {list(signature.shape)}, -1 being any number of rows" if signature.shape else "send rows of the same length"


def _numbers(instances: list[Any], datatype: str) -> Any:
    """Numbers with nulls as NaN; anything else is named."""
    import numpy as np

    for path, value in _leaves(instances, "instances"):
        if type(value) not in {bool, int, float, type(None)}:
            raise PredictionRejected(f"{path} is {shown(value)}; expected {word(datatype)} ({datatype})")
    try:
        return np.array(instances, dtype="f8")
    except (ValueError, OverflowError) as error:
        raise PredictionRejected(f"instances differ in length: {_ragged(instances)}") from error


def _leaves(value: Any, path: str) -> Any:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{path}[{index}]")
    else:
        yield path, value


def _ragged(instances: list[Any]) -> str:
    def size(row: Any) -> str:
        return _count(len(row), "value") if isinstance(row, list) else name_of(row)

    first = size(instances[0])
    other = next(((index, size(row)) for index, row in enumerate(instances) if size(row) != first), None)
    return "its rows are nested unevenly" if other is None else f"instances[0] has {first}, instances[{other[0]}] {other[1]}"


# -- words -----------------------------------------------------------------------------------------------------------------


def shown(value: Any) -> str:
    """A value as JSON writes it, cut."""
    import json

    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


def name_of(value: Any) -> str:
    """What JSON calls this value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list):
        return "a list"
    return "text" if isinstance(value, str) else "a number"


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")


def _plural(noun: str, items: Sequence[Any]) -> str:
    return noun if len(items) == 1 else noun + "s"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

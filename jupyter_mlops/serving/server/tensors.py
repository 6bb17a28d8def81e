"""V2's tensors: checked and turned into what the model takes, and back.

The specification's data is flat and row-major; nested lists are taken too, as other servers do. Several inputs are the
columns of a table by their names; one input is the rows, whatever it is called.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from jupyter_mlops.errors import PredictionRejected
from jupyter_mlops.serving.server.datatypes import ALLOWED, NUMPY, OF_NUMPY, range_of, word
from jupyter_mlops.serving.server.inputs import cast, check_shape, from_columns, from_instances, name_of, shown
from jupyter_mlops.serving.server.signature import Signature

FIELDS = ("name", "shape", "datatype", "data")


def from_tensors(signature: Signature, inputs: Any) -> Any:
    """The ``inputs`` of an infer request → what the model takes. Raises PredictionRejected."""
    if not isinstance(inputs, list) or not inputs:
        raise PredictionRejected('inputs is missing or empty; send {"inputs": [{"name", "shape", "datatype", "data"}]}')
    arrays: dict[str, Any] = {}
    for index, given in enumerate(inputs):
        name, array = tensor(given, f"inputs[{index}]")
        if name in arrays:
            raise PredictionRejected(f"inputs[{index}].name '{name}' stands twice")
        arrays[name] = array
    if signature.kind == "tensor":
        return _single(signature, arrays)
    named = len(arrays) > 1 or (len(signature.columns) == 1 and next(iter(arrays)) in signature.columns)
    if named and signature.kind == "columns":
        return from_columns(signature, {name: _flat(name, array) for name, array in arrays.items()})
    if named:
        columns = {name: array.tolist() for name, array in arrays.items()}
        lengths = {len(values) for values in columns.values()}
        if len(lengths) > 1:
            raise PredictionRejected("inputs differ in their first dimension")
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    (name, array), *_ = arrays.items()
    if signature.kind == "columns" and array.ndim == 1 and name in signature.columns:
        return from_columns(signature, {name: array.tolist()})  # one column of several: the message names the others
    return from_instances(signature, array.tolist())


def _single(signature: Signature, arrays: Mapping[str, Any]) -> Any:
    if len(arrays) != 1:
        raise PredictionRejected(f"inputs has {len(arrays)} tensors ({', '.join(arrays)}); this model takes one")
    (name, array), *_ = arrays.items()
    datatype = signature.inputs[0].datatype if signature.inputs else "FP64"
    if (array.dtype.kind == "O") != (datatype == "BYTES"):
        raise PredictionRejected(f"input '{name}' holds {'text' if array.dtype.kind == 'O' else 'numbers'}; expected {datatype}")
    check_shape(signature, array.shape, f"input '{name}'")
    if array.shape[0] == 0:
        raise PredictionRejected(f"input '{name}' is empty; send at least one row")
    return cast(array, datatype)


def _flat(name: str, array: Any) -> Any:
    if array.shape not in {array.shape[:1], (array.shape[0], 1)}:
        raise PredictionRejected(f"input '{name}' has shape {list(array.shape)}; a column has shape [rows] or [rows, 1]")
    return array.reshape(-1).tolist()


def tensor(given: Any, where: str) -> tuple[str, Any]:
    """Name and array of one input. Raises PredictionRejected with the field that is wrong."""
    if not isinstance(given, Mapping):
        raise PredictionRejected(f"{where} is {name_of(given)}; send {{name, shape, datatype, data}}")
    for key in FIELDS:
        if key not in given:
            raise PredictionRejected(f"{where}.{key} is missing")
    name, shape, datatype, data = (given[key] for key in FIELDS)
    if not isinstance(name, str):
        raise PredictionRejected(f"{where}.name is {name_of(name)}; expected text")
    if datatype not in NUMPY:
        raise PredictionRejected(f"{where}.datatype {shown(datatype)} is not known; one of {ALLOWED}")
    if not isinstance(shape, list) or not shape or not all(type(size) is int and size >= 0 for size in shape):
        raise PredictionRejected(f"{where}.shape is {shown(shape)}; expected a list of whole numbers like [1, 4]")
    if not isinstance(data, list):
        raise PredictionRejected(f"{where}.data is {name_of(data)}; expected a list")
    values = data if not any(isinstance(item, list) for item in data) else list(_flatten(data))
    if len(values) != math.prod(shape):
        raise PredictionRejected(f"{where}.data has {len(values)} values but shape {shape} needs {math.prod(shape)}")
    return name, _typed(values, datatype, f"{where}.data").reshape(shape)


def _flatten(data: list[Any]) -> Any:
    for item in data:
        if isinstance(item, list):
            yield from _flatten(item)
        else:
            yield item


def _typed(values: list[Any], datatype: str, where: str) -> Any:
    import numpy as np

    kinds = set(map(type, values))
    if datatype == "BYTES":
        allowed: set[type] = {str}
    elif datatype == "BOOL":
        allowed = {bool, int}
    elif datatype in {"FP32", "FP64"}:
        allowed = {int, float, type(None)}
    else:
        allowed = {int}
    if not kinds <= allowed:
        index, value = next((index, value) for index, value in enumerate(values) if type(value) not in allowed)
        raise PredictionRejected(f"{where}[{index}] is {shown(value)}; expected {word(datatype)} ({datatype})")
    bounds = (0, 1) if datatype == "BOOL" else range_of(datatype)
    if bounds and values and not (bounds[0] <= min(values) and max(values) <= bounds[1]):
        index, value = next((index, value) for index, value in enumerate(values) if not bounds[0] <= value <= bounds[1])
        raise PredictionRejected(f"{where}[{index}] is {value}, outside {datatype}")
    if type(None) in kinds:
        values = [math.nan if value is None else value for value in values]
    array = np.empty(len(values), dtype=NUMPY[datatype])
    array[:] = values
    return array


# -- back ------------------------------------------------------------------------------------------------------------------


def to_tensors(signature: Signature, result: Any) -> list[dict[str, Any]]:
    """What the model gave as V2 outputs, under the recorded names."""
    import numpy as np

    names = [output.name for output in signature.outputs]
    if hasattr(result, "columns") and hasattr(result, "to_numpy"):
        return [_output(str(name), result[name].to_numpy()) for name in result.columns]
    if isinstance(result, Mapping):
        return [_output(str(name), np.asarray(values)) for name, values in result.items()]
    if isinstance(result, tuple) and len(result) == len(names) > 1:
        return [_output(name, np.asarray(values)) for name, values in zip(names, result, strict=True)]
    if hasattr(result, "toarray"):
        result = result.toarray()
    try:
        array = np.atleast_1d(np.asarray(result))
    except ValueError:  # ragged
        array = np.empty(len(result), dtype=object)
        array[:] = result
    return [_output(names[0] if names else "predict", array)]


def _output(name: str, array: Any) -> dict[str, Any]:
    from jupyter_mlops.serving.server.outputs import text

    datatype = OF_NUMPY.get(array.dtype.str[1:])
    flat = array.reshape(-1)
    data = [text(value) for value in flat.tolist()] if datatype is None else flat.tolist()
    return {"name": name, "shape": list(array.shape), "datatype": datatype or "BYTES", "data": data}

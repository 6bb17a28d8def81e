"""V2's tensors: checked and turned into what the model takes, and back.

The specification's data is flat and row-major; nested lists are taken too, as other servers do. Several inputs are the
columns of a table by their names; one input is the rows, whatever it is called. Numpy is used only where the model does: a
plain function may live in an interpreter that has nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jupyter_mlops.errors import PredictionRejected
from jupyter_mlops.serving.server.datatypes import ALLOWED, NUMPY, OF_NUMPY, datatype_of, range_of, word
from jupyter_mlops.serving.server.inputs import cast, check_shape, from_columns, from_instances, name_of, shown
from jupyter_mlops.serving.server.nesting import flatten, leaves, nest
from jupyter_mlops.serving.server.outputs import plain, text
from jupyter_mlops.serving.server.signature import Signature

TAKEN: dict[str, set[Any]] = {
    "BYTES": {str},
    "BOOL": {bool, int},
    "FP32": {int, float, type(None)},
    "FP64": {int, float, type(None)},
}
"""JSON's types that a datatype takes; whole numbers take whole numbers."""

FIELDS = ("name", "shape", "datatype", "data")


@dataclass(frozen=True)
class Given:
    """One checked input: flat values in JSON's types."""

    name: str
    shape: tuple[int, ...]
    datatype: str
    values: list[Any]

    @property
    def is_column(self) -> bool:
        """One value a row."""
        return self.shape in {self.shape[:1], (self.shape[0], 1)}

    @property
    def rows(self) -> list[Any]:
        """Nested by its shape."""
        return nest(self.values, self.shape)


def from_tensors(signature: Signature, inputs: Any) -> Any:
    """The ``inputs`` of an infer request → what the model takes. Raises PredictionRejected."""
    if not isinstance(inputs, list) or not inputs:
        raise PredictionRejected('inputs is missing or empty; send {"inputs": [{"name", "shape", "datatype", "data"}]}')
    found: dict[str, Given] = {}
    for index, item in enumerate(inputs):
        given = tensor(item, f"inputs[{index}]")
        if given.name in found:
            raise PredictionRejected(f"inputs[{index}].name '{given.name}' stands twice")
        found[given.name] = given
    if signature.kind == "tensor":
        return _array(signature, found)
    only = next(iter(found.values()))
    if signature.kind == "columns" and (len(found) > 1 or (only.name in signature.columns and only.is_column)):
        return from_columns(signature, {name: _column(given) for name, given in found.items()})
    if len(found) > 1:
        return _records(found)
    return from_instances(signature, only.rows)


def _array(signature: Signature, found: Mapping[str, Given]) -> Any:
    import numpy as np

    if len(found) != 1:
        raise PredictionRejected(f"inputs has {len(found)} tensors ({', '.join(found)}); this model takes one")
    given = next(iter(found.values()))
    datatype = signature.inputs[0].datatype if signature.inputs else ""
    if datatype and (given.datatype == "BYTES") != (datatype == "BYTES"):
        raise PredictionRejected(f"input '{given.name}' holds {given.datatype}; expected {datatype}")
    check_shape(signature, given.shape, f"input '{given.name}'")
    if given.shape[0] == 0:
        raise PredictionRejected(f"input '{given.name}' is empty; send at least one row")
    array = np.empty(len(given.values), dtype=NUMPY[given.datatype])
    array[:] = given.values
    return cast(array.reshape(given.shape), datatype)


def _column(given: Given) -> list[Any]:
    if not given.is_column:
        raise PredictionRejected(f"input '{given.name}' has shape {list(given.shape)}; a column has shape [rows] or [rows, 1]")
    return given.values


def _records(found: Mapping[str, Given]) -> list[dict[str, Any]]:
    if len({given.shape[0] for given in found.values()}) > 1:
        sizes = ", ".join(f"{name} has {given.shape[0]}" for name, given in found.items())
        raise PredictionRejected(f"inputs differ in length: {sizes}")
    return [dict(zip(found, row, strict=True)) for row in zip(*(given.rows for given in found.values()), strict=True)]


def tensor(given: Any, where: str) -> Given:
    """One input, checked. Raises PredictionRejected with the field that is wrong."""
    if not isinstance(given, Mapping):
        raise PredictionRejected(f"{where} is {name_of(given)}; send {{name, shape, datatype, data}}")
    for key in FIELDS:
        if key not in given:
            raise PredictionRejected(f"{where}.{key} is missing")
    name, shape, datatype, data = (given[key] for key in FIELDS)
    if not isinstance(name, str):
        raise PredictionRejected(f"{where}.name is {name_of(name)}; expected text")
    if not isinstance(datatype, str) or datatype not in NUMPY:
        raise PredictionRejected(f"{where}.datatype {shown(datatype)} is not known; one of {ALLOWED}")
    if not isinstance(shape, list) or not shape or not all(type(size) is int and size >= 0 for size in shape):
        raise PredictionRejected(f"{where}.shape is {shown(shape)}; expected a list of whole numbers like [1, 4]")
    if not isinstance(data, list):
        raise PredictionRejected(f"{where}.data is {name_of(data)}; expected a list")
    values = data if not any(isinstance(item, list) for item in data) else list(leaves(data))
    if len(values) != math.prod(shape):
        raise PredictionRejected(f"{where}.data has {len(values)} values but shape {shape} needs {math.prod(shape)}")
    return Given(name, tuple(shape), datatype, _typed(values, datatype, f"{where}.data"))


def _typed(values: list[Any], datatype: str, where: str) -> list[Any]:
    kinds: set[Any] = {type(value) for value in values}
    floating = datatype in {"FP32", "FP64"}
    allowed = TAKEN.get(datatype, {int})
    if not kinds <= allowed:
        index, value = next((index, value) for index, value in enumerate(values) if type(value) not in allowed)
        raise PredictionRejected(f"{where}[{index}] is {shown(value)}; expected {word(datatype)} ({datatype})")
    bounds = (0, 1) if datatype == "BOOL" else range_of(datatype)
    if bounds and values and not (bounds[0] <= min(values) and max(values) <= bounds[1]):
        index, value = next((index, value) for index, value in enumerate(values) if not bounds[0] <= value <= bounds[1])
        raise PredictionRejected(f"{where}[{index}] is {value}, outside {datatype}")
    if datatype == "BOOL" and int in kinds:
        return [bool(value) for value in values]
    if floating and kinds != {float}:
        return [_number(value, index, datatype, where) for index, value in enumerate(values)]
    return values


def _number(value: float | None, index: int, datatype: str, where: str) -> float:
    """A missing number is NaN, as in a table."""
    try:
        return math.nan if value is None else float(value)
    except OverflowError as error:
        raise PredictionRejected(f"{where}[{index}] is too large for {datatype}") from error


# -- back ------------------------------------------------------------------------------------------------------------------


def to_tensors(signature: Signature, result: Any) -> list[dict[str, Any]]:
    """What the model gave as V2 outputs, under the recorded names."""
    names = [output.name for output in signature.outputs]
    if hasattr(result, "columns") and hasattr(result, "to_numpy"):
        return [_output(str(name), result[name]) for name in result.columns]
    if isinstance(result, Mapping):
        return [_output(str(name), values) for name, values in result.items()]
    if isinstance(result, tuple) and len(result) == len(names) > 1:
        return [_output(name, values) for name, values in zip(names, result, strict=True)]
    return [_output(names[0] if names else "predict", result)]


def _output(name: str, values: Any) -> dict[str, Any]:
    """An array by its own type, anything else by what its values are; what is no plain tensor is text, JSON a row."""
    if hasattr(values, "toarray"):
        values = values.toarray()
    known = OF_NUMPY.get(getattr(getattr(values, "dtype", None), "str", "")[1:])
    listed = plain(values)
    flat = flatten(listed if isinstance(listed, list) else [listed])
    datatype = known or (datatype_of(flat[1]) if flat else None)
    if flat is None or datatype is None:
        rows = listed if isinstance(listed, list) else [listed]
        return {"name": name, "shape": [len(rows)], "datatype": "BYTES", "data": [text(row) for row in rows]}
    shape, data = flat
    return {"name": name, "shape": list(getattr(values, "shape", ())) or shape, "datatype": datatype, "data": data}

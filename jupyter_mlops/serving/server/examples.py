"""Requests that work, made from the sample that was recorded with the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyter_mlops.serving.server.datatypes import datatype_of
from jupyter_mlops.serving.server.nesting import flatten
from jupyter_mlops.serving.server.signature import Signature

ROWS = 2
"""Rows in an example: enough to show that there can be several."""

ZERO = {"BYTES": "text", "BOOL": True, "FP32": 0.5, "FP64": 0.5}


def rows(signature: Signature) -> list[Any]:
    """Recorded rows, else rows that at least have the right form."""
    if signature.sample:
        return list(signature.sample[:ROWS])
    if signature.kind == "columns":
        return [{tensor.name: ZERO.get(tensor.datatype, 1) for tensor in signature.inputs}]
    row: Any = ZERO.get(signature.inputs[0].datatype, 1) if signature.inputs else 0.5
    for size in reversed(signature.shape[1:] or ((1,) if signature.kind == "tensor" else ())):
        row = [row] * max(size, 1)
    return [row]


def v1(signature: Signature) -> dict[str, Any]:
    """The body of a V1 predict call."""
    return {"instances": rows(signature)}


def v2(signature: Signature) -> dict[str, Any] | None:
    """The body of a V2 infer call; None where the rows cannot be written as tensors."""
    given = rows(signature)
    if signature.kind == "columns":
        records = [row if isinstance(row, Mapping) else dict(zip(signature.columns, row, strict=False)) for row in given]
        inputs = []
        for tensor in signature.inputs:
            values = [record.get(tensor.name) for record in records]
            datatype = "FP64" if None in values and tensor.datatype != "BYTES" else tensor.datatype or datatype_of(values)
            inputs.append({"name": tensor.name, "shape": [len(values)], "datatype": datatype, "data": values})
        return {"inputs": inputs}
    flat = flatten(given)
    if flat is None:
        return None
    shape, values = flat
    single = signature.inputs[0].datatype if signature.inputs else datatype_of(values)
    name = signature.inputs[0].name if signature.inputs else "input"
    return None if single is None else {"inputs": [{"name": name, "shape": shape, "datatype": single, "data": values}]}

"""Signatures as MLflow writes them and as our cards do, both ways: columns and tensors, their types by name.

MLflow: https://mlflow.org/docs/latest/ml/model/signatures/. Ours are the tensor types of the Open Inference Protocol (V2).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

COLUMNS = {
    "boolean": "BOOL", "integer": "INT32", "long": "INT64", "float": "FP32", "double": "FP64", "string": "BYTES", "binary": "BYTES",
    "datetime": "BYTES",
}  # fmt: skip
"""MLflow's types of columns → V2's; objects, lists, maps and ``any`` are BYTES."""

OURS = {
    "BOOL": "boolean", "INT8": "integer", "INT16": "integer", "INT32": "integer", "UINT8": "integer", "UINT16": "integer",
    "UINT32": "long", "INT64": "long", "UINT64": "long", "FP16": "float", "FP32": "float", "FP64": "double", "BYTES": "string",
}  # fmt: skip
"""V2's types → the smallest of MLflow's that holds all their values (of UINT64 not the uppermost half)."""

TENSORS = {
    "bool": "BOOL", "int8": "INT8", "int16": "INT16", "int32": "INT32", "int64": "INT64", "uint8": "UINT8", "uint16": "UINT16",
    "uint32": "UINT32", "uint64": "UINT64", "float16": "FP32", "float32": "FP32", "float64": "FP64",
}  # fmt: skip
"""numpy's names → V2's; all else is BYTES. A half has no place in V2's JSON, and is handed over as FP32."""

NUMPY = {ours: numpy for numpy, ours in TENSORS.items() if numpy != "float16"}


def from_mlflow(said: Mapping[str, Any]) -> dict[str, Any]:
    """The ``signature`` of our card from that of an ``MLmodel``; what cannot be read is of any kind."""
    inputs, outputs = _entries(said.get("inputs")), _entries(said.get("outputs"))
    found: dict[str, Any] = {"kind": "any", "inputs": [], "outputs": [_ours(one, f"output-{n}") for n, one in enumerate(outputs)]}
    if not inputs:
        return found
    found["inputs"] = [_ours(one, f"input-{number}") for number, one in enumerate(inputs)]
    if any(one.get("type") == "tensor" for one in inputs):
        return {**found, "kind": "tensor", "shape": found["inputs"][0]["shape"]}
    if all(one.get("name") for one in inputs):
        return {**found, "kind": "columns", "shape": [-1, len(inputs)]}
    return (
        {**found, "kind": "tensor", "shape": [-1, len(inputs)]} if len(inputs) > 1 else {**found, "kind": "tensor", "shape": [-1]}
    )


def to_mlflow(signature: Mapping[str, Any]) -> dict[str, Any] | None:
    """What an ``MLmodel`` says of our signature; None where it would say nothing."""
    columns = signature.get("kind") == "columns"
    inputs = [_column(one) if columns else _tensor(one) for one in signature.get("inputs") or ()]
    outputs = [_tensor(one) if one.get("shape") else _column(one) for one in signature.get("outputs") or ()]
    if not inputs:
        return None
    return {"inputs": json.dumps(inputs), "outputs": json.dumps(outputs) if outputs else None, "params": None}


def _entries(text: object) -> Sequence[Mapping[str, Any]]:
    """The list that a text of JSON holds, or nothing."""
    try:
        found = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return []
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _ours(one: Mapping[str, Any], unnamed: str) -> dict[str, Any]:
    name, kind = str(one.get("name") or unnamed), one.get("type")
    if kind != "tensor":
        return {"name": name, "datatype": COLUMNS.get(str(kind), "BYTES"), **({} if one.get("name") else {"shape": [-1]})}
    spec = one.get("tensor-spec")
    spec = spec if isinstance(spec, dict) else {}
    shape = spec.get("shape")
    sizes = [size if isinstance(size, int) else -1 for size in shape] if isinstance(shape, list) and shape else [-1]
    return {"name": name, "datatype": TENSORS.get(str(spec.get("dtype")), "BYTES"), "shape": sizes}


def _column(one: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": OURS.get(str(one.get("datatype")), "string"), "name": str(one.get("name")), "required": True}


def _tensor(one: Mapping[str, Any]) -> dict[str, Any]:
    dtype = NUMPY.get(str(one.get("datatype")), "object")
    return {"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": list(one.get("shape") or [-1])}}

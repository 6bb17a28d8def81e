"""The datatypes of the Open Inference Protocol (V2) and what they are in numpy.

Source: "Tensor Data Types" of the protocol's specification. FP16 is left out: JSON carries it no better than FP32, and no
recorded signature has it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

NUMPY: dict[str, str] = {
    "BOOL": "?",
    "UINT8": "u1",
    "UINT16": "u2",
    "UINT32": "u4",
    "UINT64": "u8",
    "INT8": "i1",
    "INT16": "i2",
    "INT32": "i4",
    "INT64": "i8",
    "FP32": "f4",
    "FP64": "f8",
    "BYTES": "O",
}
"""Datatype → numpy's code; BYTES is text, an object for numpy."""

OF_NUMPY: dict[str, str] = {code: name for name, code in NUMPY.items() if name not in {"BOOL", "BYTES"}} | {
    "b1": "BOOL",
    "f2": "FP32",
}
"""``array.dtype.str[1:]`` → datatype; whatever is not here is sent as BYTES."""

ALLOWED = ", ".join(NUMPY)


def word(datatype: str) -> str:
    """What a person calls a value of this type."""
    if datatype.startswith(("INT", "UINT")):
        return "a whole number"
    return {"BOOL": "true or false", "BYTES": "text"}.get(datatype, "a number")


def range_of(datatype: str) -> tuple[int, int] | None:
    """Smallest and largest value of an integer type; None for the others."""
    if datatype.startswith("UINT"):
        return 0, 2 ** int(datatype[4:]) - 1
    if datatype.startswith("INT"):
        return -(2 ** (int(datatype[3:]) - 1)), 2 ** (int(datatype[3:]) - 1) - 1
    return None


def datatype_of(values: Iterable[Any]) -> str | None:
    """The datatype that holds all these JSON values; None where none does. A null among numbers is a number that is missing."""
    kinds: set[Any] = set()
    bounds = (-(2**63), 2**63 - 1)
    for value in values:
        kinds.add(type(value))
        if type(value) is int and not bounds[0] <= value <= bounds[1]:
            return None
    for allowed, datatype in (({bool}, "BOOL"), ({int}, "INT64"), ({int, float, type(None)}, "FP64"), ({str}, "BYTES")):
        if kinds and kinds <= allowed and kinds != {type(None)}:
            return datatype
    return None

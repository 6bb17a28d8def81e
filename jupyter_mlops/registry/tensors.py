"""What a safetensors file says of itself: the names, types and shapes of its tensors, without reading one of them.

A file is eight bytes (the length of the header, little endian), the header (a JSON object), and the tensors one behind the
other: https://huggingface.co/docs/safetensors. Everything that it claims is checked against what it is in before it is shown.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any, Protocol

from jupyter_mlops.errors import Corrupt

LIMIT = 16 << 20
"""Bytes of a header at most, some 150,000 tensors; the format itself allows 100 MB, which nobody needs."""

LENGTH = 8
"""Bytes before the header, which tell its length."""

BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "I64": 64, "U64": 64, "F64": 64, "C64": 64,
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip
"""Bits of one number of a type; of a type that came later the bytes are taken as they are said."""


class Readable(Protocol):
    """What a header is read from."""

    def read(self, size: int, /) -> bytes | None:
        """The next bytes."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor: ``dtype`` as the format names it (``F32``), ``shape`` outermost first."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int

    @property
    def count(self) -> int:
        """Numbers in it."""
        return prod(self.shape)


@dataclass(frozen=True, slots=True)
class Header:
    """A file's tensors by their place in it, and its own metadata (``{"format": "pt"}``)."""

    tensors: tuple[Tensor, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def parameters(self) -> int:
        """Numbers in all tensors: what people call the size of a model."""
        return sum(tensor.count for tensor in self.tensors)

    @property
    def dtypes(self) -> Mapping[str, int]:
        """Type → numbers of it, the most frequent first."""
        found: Counter[str] = Counter()
        for tensor in self.tensors:
            found[tensor.dtype] += tensor.count
        return dict(found.most_common())

    def to_json(self) -> dict[str, Any]:
        """As ``--json`` shows it."""
        tensors = [{"name": one.name, "dtype": one.dtype, "shape": list(one.shape), "bytes": one.bytes} for one in self.tensors]
        return {"parameters": self.parameters, "dtypes": dict(self.dtypes), "metadata": dict(self.metadata), "tensors": tensors}


def read_header(file: Readable, size: int, where: str) -> Header:
    """The header of a safetensors file; of the file no more than that is read.

    Args:
        file: stands at its first byte.
        size: bytes of the file.
        where: names it, for errors.

    Raises:
        Corrupt: code ``bad-tensors``: it is no such file, or claims what cannot be.
    """
    if size < LENGTH:
        raise _bad(where, f"it has {size} bytes")
    length = int.from_bytes(file.read(LENGTH) or b"", "little")
    if length > size - LENGTH:
        raise _bad(where, f"its header would have {length} bytes, and the file has {size}")
    if length > LIMIT:
        raise _bad(where, f"its header has {length} bytes, more than {LIMIT}")
    data = file.read(length) or b""
    if len(data) < length:
        raise _bad(where, f"it ends after {len(data)} of the {length} bytes of its header")
    return parse(data, size - LENGTH - length, where)


def parse(data: bytes, room: int, where: str) -> Header:
    """A header from its JSON; ``room``: bytes that the tensors have. Raises Corrupt, code ``bad-tensors``."""
    try:
        said = json.loads(data, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise _bad(where, f"its header is not JSON: {str(error)[:200]}") from error
    if not isinstance(said, dict):
        raise _bad(where, "its header is not an object")
    metadata = said.pop("__metadata__", None) or {}
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise _bad(where, "its metadata is not text by name")
    placed = sorted((_tensor(name, one, where) for name, one in said.items()), key=lambda one: (one[0], one[1].bytes))
    end = 0
    for begin, tensor in placed:
        if begin != end:
            raise _bad(where, f"its tensor {tensor.name[:100]!r} begins at byte {begin}, and what is before ends at {end}")
        end += tensor.bytes
    if end != room:
        raise _bad(where, f"its tensors end at byte {end} of {room}")
    return Header(tuple(tensor for _, tensor in placed), metadata)


def _tensor(name: str, said: object, where: str) -> tuple[int, Tensor]:
    """Where a tensor begins, and what it is."""
    one: dict[str, Any] = said if isinstance(said, dict) else {}
    dtype, shape, offsets = one.get("dtype"), _counts(one.get("shape")), _counts(one.get("data_offsets"))
    if not isinstance(dtype, str) or shape is None or offsets is None or len(offsets) != 2 or offsets[0] > offsets[1]:  # noqa: PLR2004 - begin and end
        raise _bad(where, f"its tensor {name[:100]!r} has no type, shape and place")
    tensor = Tensor(name, dtype, shape, offsets[1] - offsets[0])
    if dtype in BITS and tensor.count * BITS[dtype] != tensor.bytes * 8:
        raise _bad(where, f"its tensor {name[:100]!r} of {dtype} {list(shape)} has {tensor.bytes} bytes")
    return offsets[0], tensor


def _counts(value: Any) -> tuple[int, ...] | None:
    """A list of whole numbers from 0 on, or None: it is something else."""
    whole = isinstance(value, list) and all(isinstance(one, int) and not isinstance(one, bool) and one >= 0 for one in value)
    return tuple(value) if whole else None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names are all different: two tensors of one name would be shown as one."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands in it twice")
    return found


def _bad(where: str, why: str) -> Corrupt:
    return Corrupt(f"{where} is no safetensors file: {why}", code="bad-tensors", fix="Write it again with safetensors.")

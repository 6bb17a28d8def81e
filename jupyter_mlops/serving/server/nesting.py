"""Between nested lists, which people write, and V2's flat row-major data with a shape. Without numpy: not every model needs it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any


def nest(values: Sequence[Any], shape: Sequence[int]) -> list[Any]:
    """Flat row-major values as nested lists of a shape whose product is their number."""
    if len(shape) <= 1:
        return list(values)
    size = math.prod(shape[1:])
    return [nest(values[index * size : (index + 1) * size], shape[1:]) for index in range(shape[0])]


def flatten(value: Any) -> tuple[list[int], list[Any]] | None:
    """Shape and flat values of nested lists; None where they are nested unevenly."""
    if not isinstance(value, list):
        return [], [value]
    parts = [flatten(item) for item in value]
    first = parts[0] if parts else ([], [])
    if first is None or any(part is None or part[0] != first[0] for part in parts):
        return None
    return [len(value), *first[0]], [item for part in parts if part is not None for item in part[1]]


def leaves(data: list[Any]) -> Iterator[Any]:
    """The values of lists in lists, evenly nested or not."""
    for item in data:
        if isinstance(item, list):
            yield from leaves(item)
        else:
            yield item

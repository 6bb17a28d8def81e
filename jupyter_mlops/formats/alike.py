"""Whether a model that was read back is the one that was written: part by part, without its own idea of equality."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any

_PLAIN = (type(None), bool, int, str, bytes, complex, type, types.FunctionType, types.BuiltinFunctionType, types.ModuleType)


def alike(one: Any, other: Any) -> bool:
    """Whether both are of one class at each place, with the same numbers, bit for bit.

    Raises whatever the objects raise when they are asked for their state.
    """
    return _Comparison().same(one, other)


class _Comparison:
    """Pairs that are being compared already are taken for alike: an object may hold itself."""

    def __init__(self) -> None:
        self.begun: dict[tuple[int, int], tuple[Any, Any]] = {}

    def same(self, one: Any, other: Any) -> bool:
        if one is other:
            return True
        if type(one) is not type(other):
            return False
        if isinstance(one, _PLAIN):
            return bool(one == other)
        if isinstance(one, float):
            return bool(one.hex() == other.hex())
        pair = (id(one), id(other))
        if pair in self.begun:
            return True
        self.begun[pair] = (one, other)  # kept alive, so that no other object gets their ids
        return self._same_parts(one, other)

    def _same_parts(self, one: Any, other: Any) -> bool:
        if isinstance(one, Mapping):
            return self._sequences(list(one.items()), list(other.items())) and self._rest(one, other)
        if isinstance(one, (list, tuple)):
            return self._sequences(one, other)
        if isinstance(one, (set, frozenset)):
            return bool(one == other)
        if hasattr(one, "dtype") and hasattr(one, "tobytes"):
            return self._arrays(one, other)
        return self._rest(one, other)

    def _sequences(self, one: Any, other: Any) -> bool:
        return len(one) == len(other) and all(self.same(a, b) for a, b in zip(one, other, strict=True))

    def _arrays(self, one: Any, other: Any) -> bool:
        if one.dtype != other.dtype or getattr(one, "shape", None) != getattr(other, "shape", None):
            return False
        if one.dtype.names:  # between their fields lies what happened to be in memory
            return all(self.same(one[name], other[name]) for name in one.dtype.names)
        if one.dtype.hasobject:
            return self.same(one.tolist(), other.tolist())
        return bool(one.tobytes() == other.tobytes())

    def _rest(self, one: Any, other: Any) -> bool:
        """As pickling sees them: how they are made, and their state."""
        if isinstance(one, dict):
            return self.same(getattr(one, "__dict__", None), getattr(other, "__dict__", None))
        if type(one).__module__.startswith("numpy.random") and hasattr(one, "state"):
            return self.same(one.state, other.state)  # what it gives next; what it was once seeded with is left
        made, remade = one.__reduce_ex__(4), other.__reduce_ex__(4)
        if isinstance(made, str):
            return bool(made == remade)
        (how, given, *state), (rehow, regiven, *restate) = made[:5], remade[:5]
        return self.same((how, given), (rehow, regiven)) and self._sequences(
            [_attributes(part) for part in state], [_attributes(part) for part in restate]
        )


def _attributes(part: Any) -> Any:
    """A part of a state: attributes have no order that anything could depend on; iterators are read."""
    if type(part) is dict and all(type(name) is str for name in part):
        return dict(sorted(part.items()))
    return list(part) if hasattr(part, "__next__") else part

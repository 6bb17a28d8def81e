"""numpy arrays: large ones out of band, views as views, layout and ownership kept.

Three things of an array are more than its numbers. *Who else sees its memory*: a view is stored as its base and a place in
it, so that a change still shows on both sides. *Its layout*: sums in another order give other last digits. *Ownership*:
numpy's own pickles arrive as views of a buffer, which cannot be resized and whose ``base`` is not None; here the array is
made first and the bytes are read into it.
"""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

from jupyter_mlops.session import buffers

if TYPE_CHECKING:
    from jupyter_mlops.session.pickler import Pickler

LARGE = 1 << 16
"""Bytes from which a buffer is a part of its own; below, a blob costs more than it saves."""


class OutOfBand:
    """Stands in a pickle for bytes that become a part of their own."""

    __slots__ = ("view",)

    def __init__(self, view: memoryview) -> None:
        self.view = view


def base_of(array: Any) -> Any:
    """The array that owns the memory of this one: itself, or the last array along ``base``."""
    found, current = array, getattr(array, "base", None)
    while current is not None and not isinstance(current, (bytes, bytearray, memoryview)):
        if isinstance(current, type(array)) or type(current).__name__ == "ndarray":
            found = current
        current = getattr(current, "base", None)
    return found


def reduce_array(pickler: Pickler, array: Any) -> Any:
    """A plain array, or NotImplemented for what numpy does as well (objects, odd layouts)."""
    base = base_of(array)
    if base is not array and type(base) is type(array) and id(base) not in pickler.detached:
        view = _reduce_view(pickler, array, base)
        if view is not None:
            return view
    if array.dtype.hasobject:
        return NotImplemented
    shared = buffers.reduce_over_buffer(array)
    if shared is not None:
        return shared
    order = sorted(range(array.ndim), key=lambda axis: (-abs(array.strides[axis]), axis))
    dense = array.transpose(order)
    if not dense.flags.c_contiguous:
        order, dense = list(range(array.ndim)), array.copy(order="C")
    kept = None if order == sorted(order) else tuple(order)
    return restore_array, (array.dtype, dense.shape, kept, _content(dense), array.flags.writeable)


def reduce_dtype(dtype: Any) -> Any:
    """One of numpy's own types: it is the same object in every process, where a pickle of numpy's makes another that is equal.

    ``np.asarray(array, float)`` gives the array itself for the one, and a view of it for the other.
    """
    import numpy as np

    return (np.dtype, (dtype.str,)) if np.dtype(dtype.str) is dtype else NotImplemented


def _content(dense: Any) -> OutOfBand | bytes:
    """The bytes of a C-contiguous array, of its own memory if there are many."""
    if dense.nbytes < LARGE:
        return bytes(dense.tobytes())
    flat: Any = dense.reshape(-1).view("u1")
    return OutOfBand(memoryview(flat))


def restore_array(dtype: Any, shape: tuple[int, ...], order: tuple[int, ...] | None, content: Any, writeable: bool) -> Any:
    """An array that owns its memory; ``order`` is the permutation of axes by which it is C-contiguous."""
    import numpy as np

    array = dense = np.empty(shape, dtype)
    if order is not None:
        array = np.empty_like(dense.transpose([order.index(axis) for axis in range(len(shape))]))  # keeps the order of axes
        dense = array.transpose(order)
    if dense.nbytes:
        flat: Any = dense.reshape(-1).view("u1")
        target = memoryview(flat)
        if isinstance(content, bytes):
            target[:] = content
        else:
            content.readinto(target)
    if not writeable:
        array.flags.writeable = False
    return array


def _reduce_view(pickler: Pickler, array: Any, base: Any) -> Any:
    """A view as (base, place), or None where the base's memory is not one block."""
    if not (base.flags.c_contiguous or base.flags.f_contiguous) or array.size == 0:
        return None
    if base.dtype.hasobject != array.dtype.hasobject or (array.dtype.hasobject and base.dtype != array.dtype):
        return None
    pickler.viewed.setdefault(id(base), (base, set()))[1].add(id(array))
    offset = array.__array_interface__["data"][0] - base.__array_interface__["data"][0]
    return restore_view, (base, array.dtype, array.shape, array.strides, offset, array.flags.writeable)


def restore_view(base: Any, dtype: Any, shape: tuple[int, ...], strides: tuple[int, ...], offset: int, writeable: bool) -> Any:
    """A view of an array at a place in its memory."""
    import numpy as np

    flat = base.reshape(-1, order="A")
    if dtype.hasobject:
        array = np.lib.stride_tricks.as_strided(flat[offset // dtype.itemsize :], shape, strides)
    else:
        array = np.ndarray(shape, dtype, flat.view("u1"), offset, strides)
    if not writeable and array.flags.writeable:
        array.flags.writeable = False
    return array


def reduce_subclass(array: Any) -> Any:
    """An array of a class that adds attributes: its numbers as a plain array, then the class, then the attributes.

    NotImplemented for classes that pickle in a way of their own (masked arrays, quantities): they know better.
    """
    import numpy as np

    kind: Any = type(array)
    plain: Any = np.ndarray
    if kind.__reduce__ is not plain.__reduce__ or kind.__setstate__ is not plain.__setstate__ or isinstance(array, np.memmap):
        return NotImplemented
    return restore_subclass, (array.view(plain), kind), dict(getattr(array, "__dict__", None) or {}), None, None, set_attributes


def restore_subclass(numbers: Any, kind: type) -> Any:
    """The same numbers, seen through a class."""
    return numbers.view(kind)


def set_attributes(array: Any, attributes: dict[str, Any]) -> None:
    """Give an array back what was set on it."""
    array.__dict__.update(attributes)


def wasteful(pickler: Pickler) -> set[int]:
    """Bases that only one view shows, and little of: storing the view's own numbers loses nothing but the rest."""
    found = set()
    for identity, (base, views) in pickler.viewed.items():
        if len(views) == 1 and pickler.references[identity] == 1 and base.nbytes > LARGE:
            shown = next((v for v in pickler.arrays if id(v) in views), None)
            if shown is not None and math.prod(shown.shape) * shown.itemsize * 2 < base.nbytes:
                found.add(identity)
    return found


def ndarray() -> type | None:
    """Numpy's array type, if numpy is loaded."""
    numpy = sys.modules.get("numpy")
    return getattr(numpy, "ndarray", None)


def dtype() -> type | None:
    """Numpy's type of types, if numpy is loaded."""
    numpy = sys.modules.get("numpy")
    return getattr(numpy, "dtype", None)

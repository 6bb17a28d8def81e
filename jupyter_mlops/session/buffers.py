"""Memory that is shared through the buffer protocol: a memoryview, and an array over a bytearray, keep the object they show.

Both are stored as that object and a place in it. What no such place can be told for is refused by name.
"""

from __future__ import annotations

import array as std_array
import math
import struct
from typing import Any


def reduce_memoryview(_: Any, view: memoryview) -> Any:
    """A view of an object, or of a part of one that lies in one piece.

    Raises:
        TypeError: the part is not one piece, or a place in memory that is read only cannot be asked for.
    """
    owner = view.obj
    if owner is None or not view.c_contiguous:
        raise TypeError("a memoryview of scattered parts of an object has a place in the memory of one process only")
    if type(owner) is bytes:  # it cannot change: nobody sees whether it is the same
        return restore_memoryview, (bytes(view), 0, view.format, view.shape, view.readonly)
    start = 0
    if view.nbytes != memoryview(owner).nbytes:
        start = _address(view) - _address(memoryview(owner))
    return restore_memoryview, (owner, start, view.format, view.shape, view.readonly)


def _address(view: memoryview) -> int:
    """Where the memory of a view begins."""
    import ctypes

    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(view.cast("B")))
    except (TypeError, ValueError) as error:
        raise TypeError("a read-only memoryview of a part of an object has a place in the memory of one process only") from error


def restore_memoryview(owner: Any, start: int, form: str, shape: tuple[int, ...], readonly: bool) -> memoryview:
    """A view of the object as it arrived."""
    view = memoryview(owner)
    if (start, view.format, view.shape) != (0, form, shape):
        flat = view.cast("B")[start : start + math.prod(shape) * struct.calcsize(form)]
        view = flat.cast(form, shape) if len(shape) != 1 else flat.cast(form) if form != "B" else flat  # type: ignore[call-overload]
    return view.toreadonly() if readonly else view


def reduce_over_buffer(array: Any) -> Any:
    """A numpy array over the memory of a bytearray or ``array.array``, or None for any other."""
    owner = array.base.obj if isinstance(array.base, memoryview) else array.base
    if not isinstance(owner, (bytearray, std_array.array)) or array.size == 0:
        return None
    import numpy as np

    flat: Any = np.frombuffer(owner, "u1")
    offset = array.__array_interface__["data"][0] - flat.__array_interface__["data"][0]
    return restore_over_buffer, (owner, array.dtype, array.shape, array.strides, offset, array.flags.writeable)


def restore_over_buffer(
    owner: Any, dtype: Any, shape: tuple[int, ...], strides: tuple[int, ...], offset: int, writeable: bool
) -> Any:
    """An array over the object as it arrived."""
    import numpy as np

    array: Any = np.ndarray(shape, dtype, owner, offset, strides)
    if not writeable:
        array.flags.writeable = False
    return array

"""Memory that is shared through the buffer protocol: a memoryview, and an array over a bytearray, keep the object they show.

Both are stored as that object and a place in it. What no such place can be told for is refused by name.
"""

from __future__ import annotations

import array as std_array
from typing import Any


def reduce_memoryview(_: Any, view: memoryview) -> Any:
    """A view of a whole object. Raises TypeError for one of a part, whose place Python does not tell."""
    owner = view.obj
    if owner is not None and view.c_contiguous and view.nbytes == memoryview(owner).nbytes:
        return restore_memoryview, (owner, view.format, view.shape, view.readonly)
    raise TypeError("a memoryview of a part of an object has a place in the memory of one process only")


def restore_memoryview(owner: Any, form: str, shape: tuple[int, ...], readonly: bool) -> memoryview:
    """A view of the object as it arrived."""
    view = memoryview(owner)
    if (view.format, view.shape) != (form, shape):
        view = view.cast("B").cast(form, shape) if len(shape) != 1 or form != "B" else view.cast("B")  # type: ignore[call-overload]
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

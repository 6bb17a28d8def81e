"""pandas blocks and indexes, with the record of who shares their memory.

Copy-on-write rests on that record: a frame made as a lazy copy writes into its own memory only after the record said that
nobody else looks at it. Arrays keep their sharing here (see ``arrays``), so the record has to travel too, else a write to
the copy would show in the original.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from typing import Any

Reducer = Callable[[Any], Any]


def reducers() -> tuple[tuple[type, Reducer], ...]:
    """(class, rule) for the pandas that is loaded; nothing without pandas."""
    internals = sys.modules.get("pandas._libs.internals")
    index = getattr(sys.modules.get("pandas"), "Index", None)
    block, record = getattr(internals, "Block", None), getattr(internals, "BlockValuesRefs", None)
    if index is None or block is None or record is None:
        return ()
    inside = sys.modules["pandas.core.internals.managers"].SingleBlockManager
    series = sys.modules["pandas"].Series
    columns = ((series, reduce_column),) if hasattr(series, "_maybe_update_cacher") else ()
    return ((block, reduce_block), (record, reduce_record), (index, reduce_index), (inside, reduce_series), *columns)


def reduce_series(manager: Any) -> Any:
    """The inside of a Series: by its block, where pandas' own pickle would take the values alone."""
    return type(manager), (manager.blocks[0], manager.axes[0])


def reduce_column(series: Any) -> Any:
    """A Series of pandas before 3.0, and the frame that has handed it out as its column; NotImplemented where there is none.

    Such a frame hands out the same object again when it is asked again, and hears of what is done to it in place. Only the column
    knows of the frame here: what a frame handed out and nobody has kept is made anew, so that reading a column changes nothing.
    """
    cacher: Any = getattr(series, "_cacher", None)
    item, frame = (None, None) if cacher is None else (cacher[0], cacher[1]())
    if frame is None or getattr(frame, "_item_cache", {}).get(item) is not series:
        return NotImplemented
    reduced: Any = series.__reduce_ex__(4)
    make, arguments, state = reduced[:3]
    return make, arguments, (state, item, frame), None, None, set_column


def set_column(series: Any, given: tuple[Any, Any, Any]) -> None:
    """Fill a Series, and make it the column that its frame hands out."""
    state, item, frame = given
    series.__setstate__(state)
    series._cacher = (item, weakref.ref(frame))  # noqa: SLF001
    frame._item_cache[item] = series  # noqa: SLF001


def reduce_block(block: Any) -> Any:
    """A block of columns and its record."""
    return restore_block, (block.values, block.mgr_locs.indexer, block.ndim, block.refs)


def restore_block(values: Any, placement: Any, ndim: int, record: Any) -> Any:
    """A block that takes its place in the record."""
    from pandas._libs.internals import BlockPlacement
    from pandas.core.internals.blocks import new_block

    return new_block(values, BlockPlacement(placement), ndim=ndim, refs=record)


def reduce_record(_: Any) -> Any:
    """A record arrives empty; each block and index writes itself into it."""
    return new_record, ()


def new_record() -> Any:
    """A record of nobody."""
    from pandas._libs.internals import BlockValuesRefs

    return BlockValuesRefs()


def reduce_index(index: Any) -> Any:
    """An index as pandas pickles it, and its record if it has one."""
    make, arguments, *_ = index.__reduce__()
    # A range index makes its record when it is first asked, and keeps it where cached properties are kept: it is not asked here.
    cached = _made_late(index)
    record = index._cache.get("_references") if cached else getattr(index, "_references", None)  # noqa: SLF001
    if record is None:
        return make, arguments
    return make, arguments, record, None, None, set_record


def set_record(index: Any, record: Any) -> None:
    """Write an index into its record."""
    if _made_late(index):
        index._cache["_references"] = record  # noqa: SLF001
    else:
        index._references = record  # noqa: SLF001
    record.add_index_reference(index)


def _made_late(index: Any) -> bool:
    """Whether the record is a cached property of the index's class, which cannot be set."""
    return hasattr(getattr(type(index), "_references", None), "__get__")

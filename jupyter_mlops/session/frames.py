"""pandas blocks and indexes, with the record of who shares their memory.

Copy-on-write rests on that record: a frame made as a lazy copy writes into its own memory only after the record said that
nobody else looks at it. Arrays keep their sharing here (see ``arrays``), so the record has to travel too, else a write to
the copy would show in the original.
"""

from __future__ import annotations

import sys
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
    series = sys.modules["pandas.core.internals.managers"].SingleBlockManager
    return ((block, reduce_block), (record, reduce_record), (index, reduce_index), (series, reduce_series))


def reduce_series(manager: Any) -> Any:
    """The inside of a Series: by its block, where pandas' own pickle would take the values alone."""
    return type(manager), (manager.blocks[0], manager.axes[0])


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

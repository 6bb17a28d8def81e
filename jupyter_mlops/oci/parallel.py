"""A few things at once, in order: what waits for a registry most of the time is not done one after the other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from jupyter_mlops.oci.content import known_size
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.store import Content, Descriptor, Store

AT_ONCE = 4
"""Blobs that move at the same time: enough to fill a network, each with a mebibyte of memory."""

Given = TypeVar("Given")
Made = TypeVar("Made")


def each(work: Callable[[Given], Made], items: Iterable[Given], at_once: int = AT_ONCE) -> list[Made]:
    """What ``work`` makes of each item, in the order of the items; the first failure is raised, and nothing new begun after it."""
    waiting = list(items)
    if len(waiting) < 2 or at_once < 2:  # noqa: PLR2004 - nothing beside each other
        return [work(item) for item in waiting]
    with ThreadPoolExecutor(min(at_once, len(waiting)), thread_name_prefix="oci") as pool:
        running = [pool.submit(work, item) for item in waiting]
        try:
            return [future.result() for future in running]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def lanes(store: Store) -> int:
    """How many blobs go to or from it at once: from and to a registry several; a folder's disk is best used for one."""
    return 1 if isinstance(store, Layout) else AT_ONCE


def put_blobs(
    store: Store, repository: str, blobs: Sequence[tuple[Content, str]], known: Collection[int] | None = None
) -> list[Descriptor]:
    """Store blobs (content, media type), and return their descriptors in the same order.

    ``known``: the sizes of what the repository may have already, so that a blob of another size is new; None: nothing is
    known. Raises as ``Store.put_blob``.
    """

    def put(blob: tuple[Content, str]) -> Descriptor:
        new = known is not None and known_size(blob[0]) not in known
        return store.put_blob(repository, *blob, new=new)

    return each(put, blobs, lanes(store))

"""Work that recurses as deep as its data, on a stack that has room for it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

STACK = 512 << 20
"""Bytes of address space for pickling what is nested deeply; only what is used takes memory."""

DEPTH = 200_000
"""Calls that fit into it: pickling takes less than 2 KiB a call."""


def in_depth(work: Callable[[], None]) -> None:
    """Run something that recurses as deep as its data (a linked list, a tree of one branch), on a stack that has room for it.

    From Python 3.12 on, the interpreter bounds recursion in C whatever the stack: then the value is refused by name.
    """
    failed: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  (raised again below, by who waits)
            failed.append(error)

    size, limit = threading.stack_size(STACK), sys.getrecursionlimit()
    try:
        thread = threading.Thread(target=run, name="mlops-pickler")
        sys.setrecursionlimit(max(limit, DEPTH))
        thread.start()
        thread.join()
    finally:
        sys.setrecursionlimit(limit)
        threading.stack_size(size)
    if failed:
        raise failed[0]

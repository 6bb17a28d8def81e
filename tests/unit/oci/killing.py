"""kill -9 at each call of the system that changes a disk; imported by a process of its own, whose ``os`` it changes."""

import itertools
import os
import signal
from collections.abc import Callable, Iterable
from pathlib import Path


def sweep(base: Path, calls: Iterable[str], before: Callable[[Path], None], act: Callable[[Path], None]) -> None:
    """Act once for every call, each time in a child that dies before that call, or half-way through a write.

    Prints the folders that the killed left behind; ends with the first child that lives.

    Args:
        base: holds the folders.
        calls: names in ``os``.
        before: makes what is there, with every call of it allowed.
        act: what is killed.
    """
    left = -1

    def deadly(name: str) -> None:
        real = getattr(os, name)

        def call(*args: object, **options: object) -> object:
            nonlocal left
            left -= 1
            if left == 0:
                if name == "write":
                    real(args[0], bytes(args[1])[: len(args[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **options)

        setattr(os, name, call)

    for name in calls:
        deadly(name)
    for number in itertools.count(1):
        root = base / f"root{number}"
        before(root)
        child = os.fork()
        if not child:
            left = number
            act(root)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        if not os.WIFSIGNALED(status):
            assert status == 0, status
            return
        print(root, flush=True)

"""The end of a step's process, without taking it apart.

An interpreter that exits clears every module; with pandas and scikit-learn loaded that takes longer than a small step. What a
program may rely on still happens, in the interpreter's own order: threads are waited for, exit functions run, buffers are
written. Only the clearing is left to the operating system.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from contextlib import suppress
from typing import NoReturn


def leave(code: int) -> NoReturn:
    """End this process with an exit code; what an exit function raises is printed by Python and changes nothing."""
    with suppress(KeyboardInterrupt):
        threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001  (what the interpreter itself calls first)
        atexit._run_exitfuncs()  # noqa: SLF001
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        with suppress(Exception):  # a stream that the notebook closed or replaced
            if stream is not None:
                stream.flush()
    os._exit(code)

"""Work that is not waited for longer than it is worth: a registry that hangs must not keep anybody from seeing a run.

Threads here are daemons: a program that ends does not wait for a registry that never answers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TookTooLong
from typing import TypeVar

T = TypeVar("T")


def in_background(work: Callable[[], T]) -> Future[T]:
    """Do it in a thread of its own."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised where the result is asked for
            future.set_exception(error)

    threading.Thread(target=run, name="mlops-background", daemon=True).start()
    return future


def briefly(work: Callable[[], T], seconds: float, otherwise: Callable[[], T]) -> T:
    """The result of some work if it comes in time; else another one, while the work goes on for whoever asks next."""
    try:
        return in_background(work).result(seconds)
    except TookTooLong:
        return otherwise()

"""Waits for a registry that went away while a step holds what it has worked for.

Every request is tried again for a while by the store itself; a registry that is being upgraded or moved takes longer. So what has
a result to lose is begun anew, for as long as a person would wait.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

from jupyter_mlops.errors import Unavailable
from jupyter_mlops.runner.progress import Log

T = TypeVar("T")

LONGEST = 300.0
"""Seconds from the first failure on after which it is given up; a step's variable ``MLOPS_PATIENCE`` says it otherwise."""

PAUSE = 5.0
"""Seconds between two tries; each of them waits by itself, too."""


def patiently(work: Callable[[], T], log: Log, what: str) -> T:
    """The result of ``work``, which is done again while the registry does not answer.

    Args:
        work: may be done twice.
        log: where the waiting is told.
        what: what is lost in the end, in words.

    Raises:
        Unavailable: code ``result-lost``, after ``LONGEST`` seconds.
    """
    until, longest = 0.0, _longest()
    while True:
        try:
            return work()
        except Unavailable as error:  # noqa: PERF203  (it waits)
            until = until or time.monotonic() + longest
            if time.monotonic() >= until:
                raise Unavailable(
                    f"the registry did not answer for {_said(longest)}; {what} is lost: {error.message}",
                    code="result-lost",
                    fix="When the registry is back, run with --resume and the name of this run: finished steps are taken over.",
                ) from error
            log.text(f"waiting for the registry to store {what}: {error.message}\n")
            time.sleep(PAUSE)


def _longest() -> float:
    """Seconds, as the step's own environment says them; ``LONGEST`` where it says nothing that is a number."""
    try:
        return max(0.0, float(os.environ["MLOPS_PATIENCE"]))
    except (KeyError, ValueError):
        return LONGEST


def _said(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"  # noqa: PLR2004

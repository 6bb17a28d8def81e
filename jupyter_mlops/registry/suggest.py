"""What there is, for who asked for something that is not."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

SHOWN = 10


def suggestion(asked: str, known: Sequence[str], what: str) -> str:
    """Similar names, else the first few, else that there is none yet."""
    if not known:
        return f"There is no {what} yet."
    similar = difflib.get_close_matches(asked, known, n=3, cutoff=0.5)
    return f"Did you mean {' or '.join(similar)}?" if similar else listing(known)


def listing(known: Sequence[str]) -> str:
    """The first few, and how many more."""
    more = len(known) - SHOWN
    return f"There is: {', '.join(known[:SHOWN])}" + (f" and {more} more." if more > 0 else ".")

"""Parsers of ``argparse``, whose parts ask whether a text *is* ``argparse.SUPPRESS``: an equal text is another thing to them.

A parser with a copy of that text would put ``help='==SUPPRESS=='`` into what it returns, and say nothing.
"""

from __future__ import annotations

import copyreg
import sys
from typing import Any


class _Suppress:
    """Stands for the text in a pickle."""

    def __reduce__(self) -> Any:
        return suppress, ()


def suppress() -> str:
    """The one text."""
    import argparse

    return argparse.SUPPRESS


def reduce_part(value: Any) -> Any:
    """A parser, a group or an argument; NotImplemented for what holds no such text."""
    mark = sys.modules["argparse"].SUPPRESS
    state = getattr(value, "__dict__", None)
    if not state or not any(one is mark for one in state.values()):
        return NotImplemented
    return copyreg.__newobj__, (type(value),), {k: _Suppress() if one is mark else one for k, one in state.items()}  # type: ignore[attr-defined]

"""The process that values come from or arrive in: its notebook namespace and its shell.

Pickles name these two by a word instead of holding them, since a function that travels gets the *live* namespace as its
globals: late binding stays late.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary


@dataclass(frozen=True, eq=False)
class Scope:
    """``namespace`` is the dict of ``__main__``; ``shell`` what ``get_ipython()`` returns; ``root`` the working folder."""

    namespace: dict[str, Any]
    shell: Any = None
    root: Path | None = None
    examining: set[str] = field(default_factory=set)
    """Local modules whose values are being tried out just now."""

    storages: WeakValueDictionary[int, Any] = field(default_factory=WeakValueDictionary)
    """Address → the one object that stands for memory shared by tensors (see ``tensors``)."""

    parted: list[None] = field(default_factory=list)
    """One entry for each tensor that a pickle gave without what it was computed from (see :data:`PARTED`)."""


class _Globals:
    """Stands in a pickle for the namespace as the globals of a function (see :data:`GLOBALS`)."""


GLOBALS = _Globals()


class _Parted:
    """Stands in a pickle for "no gradient wanted", of a tensor whose history stayed where it was computed (see :data:`PARTED`)."""


PARTED = _Parted()

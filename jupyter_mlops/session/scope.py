"""The process that values come from or arrive in: its notebook namespace and its shell.

Pickles name these two by a word instead of holding them, since a function that travels gets the *live* namespace as its
globals: late binding stays late.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, eq=False)
class Scope:
    """``namespace`` is the dict of ``__main__``; ``shell`` what ``get_ipython()`` returns, or None."""

    namespace: dict[str, Any]
    shell: Any = None


class _Globals:
    """Stands in a pickle for the namespace as the globals of a function (see :data:`GLOBALS`)."""


GLOBALS = _Globals()

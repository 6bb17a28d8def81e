"""Values that cannot be handed on: no error when they are made, one that helps when a later step asks for them.

A generator or an open file is fine inside a step. So it is only noted, and carried as a note; the step whose code mentions
the name is refused before it runs. Code that can reach every name without mentioning any (``eval``, ``globals()``) gets a
placeholder instead, which says the same when it is touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from jupyter_mlops.errors import NotStorable, Where
from jupyter_mlops.session.state import Lost

_KINDS = {
    "generator": "a generator runs in one process only",
    "coroutine": "a coroutine runs in one process only",
    "async_generator": "a generator runs in one process only",
    "TextIOWrapper": "an open file belongs to one process",
    "BufferedReader": "an open file belongs to one process",
    "BufferedWriter": "an open file belongs to one process",
    "lock": "a lock belongs to one process",
    "RLock": "a lock belongs to one process",
    "Thread": "a thread belongs to one process",
    "Popen": "a child process belongs to one process",
    "socket": "a connection belongs to one process",
    "Connection": "a connection belongs to one process",
    "Task": "a task belongs to one event loop",
    "Future": "a future belongs to one event loop",
    "frame": "a stack frame belongs to one process",
}
_REASON = 300


def reason_of(value: Any, error: BaseException) -> str:
    """Why a value cannot be stored, as people say it."""
    known = _KINDS.get(type(value).__name__)
    text = f"{type(error).__name__}: {error}"[:_REASON]
    return known or text


def refusal(name: str, lost: Lost) -> NotStorable:
    """The error for a step that asks for a name."""
    made = f", made in cell {lost.cell}," if lost.cell is not None else ""
    return NotStorable(
        f"{name}{made} is a {lost.type} and cannot be handed to another step ({lost.reason})",
        fix=f"Keep the cell that makes {name} and the cells that use it in one step.",
        where=Where(cell=lost.cell, field=name),
    )


def check(asked: Iterable[str], lost: Mapping[str, Lost]) -> None:
    """Refuse names that cannot be given.

    Raises:
        NotStorable: naming the first of them, its type and the cell that made it.
    """
    for name in sorted(asked):
        if name in lost:
            raise refusal(name, lost[name])


class Placeholder:
    """Stands under a name whose value could not be handed on; using it raises NotStorable."""

    def __init__(self, name: str, lost: Lost) -> None:
        object.__setattr__(self, "_mlops_lost", (name, lost))

    def _raise(self, *_: Any, **__: Any) -> NoReturn:
        raise refusal(*object.__getattribute__(self, "_mlops_lost"))

    __getattr__ = __setattr__ = __delattr__ = __call__ = _raise
    __getitem__ = __setitem__ = __delitem__ = __len__ = __contains__ = __iter__ = __next__ = _raise
    __bool__ = __int__ = __float__ = __index__ = __str__ = __repr__ = __enter__ = __exit__ = _raise
    __add__ = __sub__ = __mul__ = __truediv__ = __radd__ = __rsub__ = __rmul__ = __lt__ = __gt__ = __le__ = __ge__ = _raise
    __reduce_ex__ = _raise

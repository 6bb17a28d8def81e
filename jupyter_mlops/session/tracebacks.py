"""Tracebacks of exceptions that were caught: ``e`` of one cell is printed, raised again or looked into by another.

A traceback is frames, and frames belong to one process. What is asked of it is where it was: file, function, lines, columns. So
each frame is made anew by running a call that stands at the same place under the same names. Local variables are not there.
"""

from __future__ import annotations

import ast
import sys
import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_mlops.session.pickler import Pickler

_MODULE = "<module>"
UNKNOWN = -1
"""A column that nobody knows, as the compiler takes it: nothing is then marked under the line."""


@dataclass(frozen=True)
class Place:
    """Where a frame stood."""

    file: str
    module: str
    function: str
    qualified: str
    first: int
    """The line at which its code begins."""

    line: int
    end: int
    column: int | None
    """Bytes from the line's start; None where the code does not tell."""

    end_column: int | None


def reduce_traceback(_: Pickler, found: types.TracebackType) -> Any:
    """A traceback, as the places of its frames."""
    return make_traceback, (places_of(found),)


def places_of(found: types.TracebackType | None) -> tuple[Place, ...]:
    """Outermost first."""
    places = []
    while found is not None:
        places.append(_place(found))
        found = found.tb_next
    return tuple(places)


def _place(found: types.TracebackType) -> Place:
    frame, code, line = found.tb_frame, found.tb_frame.f_code, found.tb_lineno or 1
    spans: list[Any] = list(getattr(code, "co_positions", tuple)())  # since Python 3.11
    span = spans[found.tb_lasti // 2] if 0 <= found.tb_lasti // 2 < len(spans) else (None,) * 4
    known = span[0] == line and None not in span
    return Place(
        code.co_filename,
        str(frame.f_globals.get("__name__", "__main__")),
        code.co_name,
        getattr(code, "co_qualname", code.co_name),
        code.co_firstlineno,
        line,
        (span[1] or line) if known else line,
        span[2] if known else None,
        span[3] if known else None,
    )


def make_traceback(places: tuple[Place, ...]) -> types.TracebackType | None:
    """A traceback that says the same as the one with these places."""
    found: types.TracebackType | None = None
    for place in reversed(places):
        frame, instruction = _frame(place)
        found = types.TracebackType(found, frame, instruction, place.line)
    return found


def _frame(place: Place) -> tuple[types.FrameType, int]:
    """A frame that stood at a place, and the instruction at which it did."""
    seen: list[tuple[types.FrameType, int]] = []

    def here() -> None:
        frame = sys._getframe(1)  # noqa: SLF001  (the only way to a frame)
        seen.append((frame, frame.f_lasti))

    exec(_code(place), {"__name__": place.module, "here": here})  # noqa: S102  (our own code: one call)
    return seen[0]


def _code(place: Place) -> types.CodeType:
    spot: dict[str, Any] = {
        "lineno": place.line,
        "end_lineno": place.end,
        "col_offset": UNKNOWN if place.column is None else place.column,
        "end_col_offset": UNKNOWN if place.end_column is None else place.end_column,
    }
    call = ast.Expr(ast.Call(ast.Name("here", ast.Load(), **spot), [], [], **spot), **spot)
    if place.function == _MODULE:
        code = compile(ast.Module([call], []), place.file, "exec")
    else:
        start: dict[str, Any] = {"lineno": place.first, "end_lineno": place.end, "col_offset": 0, "end_col_offset": 0}
        empty = ast.arguments([], [], None, [], [], None, [])
        function: Any = ast.FunctionDef("made", empty, [call], [], **start)
        function.type_params = []  # a field since Python 3.12
        outer = compile(ast.Module([function], []), place.file, "exec")
        code = next(one for one in outer.co_consts if isinstance(one, types.CodeType))
        names: dict[str, Any] = {"co_qualname": place.qualified} if sys.version_info >= (3, 11) else {}
        code = code.replace(co_name=place.function, **names)
    return code

"""Whether two values are the same one as far as a notebook can tell, although they came out of different processes.

Two namespaces are walked together, in one process, from name to name. Classes and functions of the notebook exist twice, so
they are compared by what they are; everything that can change is paired with its counterpart, so that two names of one list
here must be two names of one list there. What a value is made of is what its own pickling says (``__reduce_ex__``), except
where two pickles of one value differ: sets, arrays, frames, code. Code is compared without the file and line it was read from.
"""

from __future__ import annotations

import copyreg
import functools
import math
import sys
import types
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from jupyter_mlops.session.pickler import immutable_types

DEPTH = 200
"""Levels of nesting that are looked into; below that, texts of the values decide."""

_PLAIN: tuple[type, ...] = (type(None), bool, int, bytes, complex, range, slice, type(...), type(NotImplemented))
_OF_CLASS = frozenset({
    "__dict__", "__weakref__", "__module__", "_abc_impl", "__firstlineno__", "__static_attributes__", "__abstractmethods__",
})  # fmt: skip
PASSING = frozenset({("matplotlib.cbook", "_cid_gen"), ("matplotlib.transforms", "_parents")})
"""Attributes (module of the class, name) that say nothing about a value: a counter that pickling itself moves on, addresses."""

_OF_FUNCTION = ("__name__", "__qualname__", "__defaults__", "__kwdefaults__", "__doc__", "__dict__")
_SHARED, _OWN = "an object that another name reaches too", "an object of its own"
_OF_CODE = ("co_name", "co_names", "co_varnames", "co_freevars", "co_cellvars", "co_argcount", "co_kwonlyargcount", "co_flags")


@dataclass(frozen=True)
class Unlike:
    """The first place where two values differ: the way to it from the name, and what stands there on each side."""

    path: str
    first: str
    second: str


@dataclass
class Alike:
    """One comparison of two namespaces: what it has paired so far holds for all names that follow."""

    folders: tuple[Sequence[str], Sequence[str]] = ((), ())
    """Where each side ran: a path in its own folder says the same as the same path in the other's."""

    _pairs: dict[int, int] = field(default_factory=dict)
    _back: dict[int, int] = field(default_factory=dict)
    _kept: list[Any] = field(default_factory=list)
    """Objects made on the way: an identity is one only while its object lives."""

    def compare(self, name: str, first: Any, second: Any) -> Unlike | None:
        """The first difference between two values of one name, or None."""
        try:
            return self._walk(first, second, name, 0)
        except RecursionError:
            return self._texts(first, second, name)

    def _walk(self, a: Any, b: Any, path: str, depth: int) -> Unlike | None:
        if a is b:  # both sides import it from the same place
            return None
        if not _same_class(type(a), type(b)):
            return Unlike(path, f"a {_class_name(type(a))}", f"a {_class_name(type(b))}")
        if (found := self._plain(a, b, path)) is not None:
            return found if isinstance(found, Unlike) else None
        if depth > DEPTH:
            return self._texts(a, b, path)
        known = self._pairs.get(id(a)), self._back.get(id(b))
        if known == (id(b), id(a)):
            return None
        if known == (None, None):
            self._pairs[id(a)], self._back[id(b)] = id(b), id(a)
            self._kept += [a, b]
        elif _may_change(a):
            return Unlike(path, *(_OWN if other is None else _SHARED for other in known))
        return self._parts(a, b, path, depth + 1)

    def _plain(self, a: Any, b: Any, path: str) -> Unlike | bool | None:
        """A difference of two plain values, False if they are equal, None if they are none."""
        if isinstance(a, str) and type(a) is str:
            return False if self._here(a, 0) == self._here(b, 1) else self._texts(a, b, path)
        if isinstance(a, PurePath):
            return False if self._here(str(a), 0) == self._here(str(b), 1) else self._texts(a, b, path)
        if type(a) is float:
            same = a == b and math.copysign(1, a) == math.copysign(1, b)
            return False if same or (math.isnan(a) and math.isnan(b)) else self._texts(a, b, path)
        if type(a) is complex:
            return False if repr(a) == repr(b) else self._texts(a, b, path)
        if type(a) in _PLAIN:
            return False if a == b else self._texts(a, b, path)
        if isinstance(a, types.ModuleType):
            return False if a.__name__ == b.__name__ else self._texts(a, b, path)
        return None

    def _parts(self, a: Any, b: Any, path: str, depth: int) -> Unlike | None:
        rule = _library_rule(a) or next((rule for kind, rule in _RULES if isinstance(a, kind)), _reduced)
        for label, first, second in rule(a, b):
            found = self._walk(first, second, f"{path}{label}", depth)
            if found is not None:
                return found
        return None

    def _texts(self, a: Any, b: Any, path: str) -> Unlike | None:
        first, second = said(a), said(b)
        return None if first == second and type(a) not in {str, float, *_PLAIN} else Unlike(path, first, second)

    def _here(self, text: str, side: int) -> str:
        for folder in self.folders[side]:
            text = text.replace(folder, "<folder>")
        return text


Parts = Iterator[tuple[str, Any, Any]]
Rule = Callable[[Any, Any], Parts]


def said(value: Any, most: int = 200) -> str:
    """A value in few words, whatever its own ``repr`` does."""
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001  (code of the notebook)
        text = f"<{type(value).__name__}, whose repr raised {type(error).__name__}>"
    return text if len(text) <= most else text[: most - 1] + "…"


def _same_class(a: type, b: type) -> bool:
    return a is b or (a.__module__, a.__qualname__) == (b.__module__, b.__qualname__)


def _class_name(cls: type) -> str:
    return cls.__qualname__ if cls.__module__ in {"builtins", "__main__"} else f"{cls.__module__}.{cls.__qualname__}"


def _may_change(value: Any) -> bool:
    """Whether a change through one name would show through another; of instances, those that have attributes."""
    kind = type(value)
    if isinstance(value, (type, *immutable_types())) or (kind.__module__.startswith("pandas.") and kind.__name__.endswith("Index")):
        return False
    numpy = sys.modules.get("numpy")
    arrays = (numpy.ndarray,) if numpy is not None else ()
    return isinstance(value, (list, dict, set, bytearray, *arrays)) or hasattr(value, "__dict__")


def _length(a: Any, b: Any) -> Parts:
    yield " (number of items)", len(a), len(b)


def _sequence(a: Any, b: Any) -> Parts:
    yield from _length(a, b)
    kind: Any = tuple if isinstance(a, tuple) else list  # whatever a subclass makes of iterating
    for index, (first, second) in enumerate(zip(kind.__iter__(a), kind.__iter__(b), strict=True)):
        yield f"[{index}]", first, second
    yield from _attributes(a, b)


def _mapping(a: Any, b: Any) -> Parts:
    yield from _length(a, b)
    for (key, first), (other, second) in zip(dict.items(a), dict.items(b), strict=True):
        yield " (a key)", key, other
        yield f"[{said(key, 40)}]", first, second
    if hasattr(a, "default_factory"):
        yield ".default_factory", a.default_factory, b.default_factory
    yield from _attributes(a, b)


def _read_only(a: Any, b: Any) -> Parts:
    yield "", dict(a), dict(b)


def _set(a: Any, b: Any) -> Parts:
    yield from _length(a, b)
    first, second = (sorted(x, key=lambda item: (type(item).__qualname__, said(item))) for x in (a, b))
    for one, other in zip(first, second, strict=True):
        yield " (an item)", one, other
    yield from _attributes(a, b)


def _attributes(a: Any, b: Any) -> Parts:
    """What a subclass of a container holds beside its items."""
    first, second = (getattr(x, "__dict__", None) for x in (a, b))
    if first or second:
        yield ".__dict__", first, second


def _function(a: Any, b: Any) -> Parts:
    for name in _OF_FUNCTION:
        yield f".{name}", getattr(a, name), getattr(b, name)
    yield ".__code__", a.__code__, b.__code__
    for index, (first, second) in enumerate(zip(a.__closure__ or (), b.__closure__ or (), strict=False)):
        yield f".{a.__code__.co_freevars[index]}", _content(first), _content(second)
    if a.__globals__.get("__name__") != "__main__":
        yield ".__module__", a.__module__, b.__module__


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return "<empty>"


def _code(a: Any, b: Any) -> Parts:
    for name in _OF_CODE:
        yield f".{name}", getattr(a, name), getattr(b, name)
    yield ".co_code", a.co_code, b.co_code
    yield ".co_consts", a.co_consts, b.co_consts


def _class(a: Any, b: Any) -> Parts:
    yield ".__bases__", a.__bases__, b.__bases__
    yield ".__metaclass__", type(a), type(b)
    first, second = ({k: v for k, v in vars(x).items() if k not in _OF_CLASS} for x in (a, b))
    yield " (names of its attributes)", sorted(first), sorted(second)
    for name, value in first.items():
        if not isinstance(value, (types.GetSetDescriptorType, types.MemberDescriptorType)):  # of slots: the names say it all
            yield f".{name}", value, second[name]


def _method(a: Any, b: Any) -> Parts:
    yield ".__self__", a.__self__, b.__self__
    yield ".__func__", a.__func__, b.__func__


def _wrapped(a: Any, b: Any) -> Parts:
    for name in ("fget", "fset", "fdel") if isinstance(a, property) else ("__func__",):
        yield f".{name}", getattr(a, name), getattr(b, name)


def _cached(a: Any, b: Any) -> Parts:
    yield ".__wrapped__", a.__wrapped__, b.__wrapped__
    yield ".cache_parameters()", a.cache_parameters(), b.cache_parameters()


def _cell(a: Any, b: Any) -> Parts:
    yield "", _content(a), _content(b)


def _reference(a: Any, b: Any) -> Parts:
    yield "()", a(), b()


def _buffer(a: Any, b: Any) -> Parts:
    yield " (bytes)", bytes(a), bytes(b)


_RULES: tuple[tuple[Any, Rule], ...] = (
    ((tuple, list), _sequence), (dict, _mapping), ((set, frozenset), _set),
    (types.FunctionType, _function), (types.CodeType, _code), (types.MethodType, _method), (type, _class),
    ((property, classmethod, staticmethod), _wrapped), (functools._lru_cache_wrapper, _cached), (types.CellType, _cell),  # noqa: SLF001
    (weakref.ref, _reference), ((bytearray, memoryview), _buffer), (types.MappingProxyType, _read_only),
)  # fmt: skip


def _library_rule(value: Any) -> Rule | None:
    """The rule for an array or a frame, whose pickles say how they lie in memory and not only what they hold."""
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    if numpy is not None and isinstance(value, (numpy.ndarray, numpy.generic)):
        return _array
    if pandas is not None and isinstance(value, (pandas.DataFrame, pandas.Series, pandas.Index)):
        return _frame
    artist = sys.modules.get("matplotlib.artist")
    return _artist if artist is not None and isinstance(value, artist.Artist) and value.figure is not None else None


def _array(a: Any, b: Any) -> Parts:
    yield ".dtype", str(a.dtype), str(b.dtype)
    yield ".shape", a.shape, b.shape
    if a.dtype.hasobject:
        yield ".tolist()", a.tolist(), b.tolist()
    elif a.dtype.names:  # there may be anything between the fields
        for name in a.dtype.names:
            yield f"[{name!r}]", a[name], b[name]
    elif a.tobytes() != b.tobytes():
        different = (a != b) & ~((a != a) & (b != b))  # noqa: PLR0124  (not a number is not equal to itself)
        places = different.nonzero() if getattr(different, "ndim", 0) else ()
        at = tuple(int(axis[0]) for axis in places) if places and len(places[0]) else ()
        yield (f"[{', '.join(map(str, at))}]", a[at].item(), b[at].item()) if at else (" (bytes)", a.tobytes(), b.tobytes())
    yield from _attributes(a, b)


def _frame(a: Any, b: Any) -> Parts:
    if hasattr(a, "columns"):
        yield ".columns", a.columns, b.columns
        yield ".index", a.index, b.index
        for place, name in enumerate(a.columns):
            yield f"[{said(name, 40)}]", a.iloc[:, place], b.iloc[:, place]
    else:
        yield ".dtype", str(a.dtype), str(b.dtype)
        yield " (name)", getattr(a, "names", None) or a.name, getattr(b, "names", None) or b.name
        if hasattr(a, "index"):
            yield ".index", a.index, b.index
        if not a.equals(b) or a.dtype == object:
            yield ".tolist()", a.tolist(), b.tolist()
    if getattr(a, "attrs", None) or getattr(b, "attrs", None):
        yield ".attrs", a.attrs, b.attrs


def _artist(a: Any, b: Any) -> Parts:
    """A figure is what it shows: its size and every point as it is drawn. What it consists of is what its figure is."""
    if a.figure is not a:
        yield ".figure", a.figure, b.figure
        if a in a.figure.axes:
            yield " (its place in the figure)", a.figure.axes.index(a), b.figure.axes.index(b)
        return
    yield ".get_size_inches()", a.get_size_inches(), b.get_size_inches()
    yield " (number of axes)", len(a.axes), len(b.axes)
    yield " (as it is drawn)", _drawn(a), _drawn(b)


def _drawn(figure: Any) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return bytes(canvas.buffer_rgba())


def _reduced(a: Any, b: Any) -> Parts:
    """What an object is made of, as it tells ``pickle``."""
    first, second = _reduce(a), _reduce(b)
    if isinstance(first, str) or isinstance(second, str):
        yield "", first, second
        return
    yield " (how it is made)", first[0], second[0]
    yield " (what it is made from)", first[1], second[1]
    state, other = (x[2] if len(x) > 2 else None for x in (first, second))  # noqa: PLR2004  (the protocol of pickle)
    if isinstance(state, dict) and isinstance(other, dict):
        yield " (names of its attributes)", sorted(map(str, state)), sorted(map(str, other))
        for name, value in state.items():
            if (type(a).__module__, name) not in PASSING:
                yield f".{name}", value, other[name]
    else:
        yield " (its state)", state, other
    for place, label in ((3, " (its items)"), (4, " (its entries)")):
        yield label, _drained(first, place), _drained(second, place)


def _reduce(value: Any) -> Any:
    known = copyreg.dispatch_table.get(type(value))
    return known(value) if known else value.__reduce_ex__(4)


def _drained(reduced: Any, place: int) -> list[Any] | None:
    return list(reduced[place]) if len(reduced) > place and reduced[place] is not None else None

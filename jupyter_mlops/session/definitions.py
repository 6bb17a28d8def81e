"""How functions and classes of the notebook travel: by value, with their state, but with the live namespace as globals.

cloudpickle copies the globals that a function reads; then ``k = 3`` in a later cell would not reach it. Here the function
keeps only its code, its closure cells and its attributes, and is put into the namespace of the process it arrives in. A
function of an importable module that has no name there (a nested one) gets that module's own globals.

Classes are cloudpickle's work, less its random tracker id: inside a component the pickle memo keeps a class one object, and
a class is never in two components, since it can change. Without the id the bytes are the same in every process.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import sys
import types
import weakref
from typing import TYPE_CHECKING, Any

from cloudpickle import cloudpickle as cp

from jupyter_mlops.session import localmodules
from jupyter_mlops.session.mentions import mentions_of
from jupyter_mlops.session.scope import GLOBALS

if TYPE_CHECKING:
    from jupyter_mlops.session.pickler import Pickler

_STATE = ("__defaults__", "__kwdefaults__", "__qualname__", "__doc__", "__module__", "__annotations__", "__type_params__")


# -- functions ---------------------------------------------------------------------------------------------------------


def reduce_function(pickler: Pickler, function: types.FunctionType) -> Any:
    """A function by value, or NotImplemented for one that can be imported."""
    if pickler.by_reference(function):
        return localmodules.reduce_member(pickler, function)
    space = function.__globals__
    home = sys.modules.get(str(space.get("__name__")))
    found: Any = space
    if space is pickler.scope.namespace:
        found = GLOBALS
        mentioned = mentions_of(function.__code__)
        pickler.mentions |= mentioned.loads | mentioned.deletes
    elif home is not None and home.__dict__ is space:
        found = _ModuleGlobals(home.__name__)
    arguments = (function.__code__, found, function.__name__, function.__closure__)
    state = {name: getattr(function, name) for name in _STATE if hasattr(function, name)}
    return make_function, arguments, (state, function.__dict__), None, None, set_function


class _ModuleGlobals:
    """Stands for the globals of an importable module."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __reduce__(self) -> Any:
        return module_globals, (self.name,)


def module_globals(name: str) -> dict[str, Any]:
    """The globals of a module."""
    return importlib.import_module(name).__dict__


def make_function(
    code: types.CodeType, space: dict[str, Any], name: str, closure: tuple[types.CellType, ...] | None
) -> types.FunctionType:
    """A function without its state, which may hold the function itself."""
    return types.FunctionType(code, space, name, None, closure)


def set_function(function: types.FunctionType, state: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Give a function its defaults, names and attributes."""
    for name, value in state[0].items():
        setattr(function, name, value)
    function.__dict__.update(state[1])


def reduce_cell(_: Pickler, cell: types.CellType) -> Any:
    """A closure cell, which several functions may share; the content stands in a tuple, since it may be None."""
    try:
        return make_cell, (), (cell.cell_contents,), None, None, set_cell
    except ValueError:
        return make_cell, ()


def make_cell() -> types.CellType:
    """An empty cell."""
    return types.CellType()


def set_cell(cell: types.CellType, content: tuple[Any]) -> None:
    """Fill a cell."""
    cell.cell_contents = content[0]


# -- classes -----------------------------------------------------------------------------------------------------------


def reduce_class(pickler: Pickler, cls: type) -> Any:
    """A class by value, without a tracker id; NotImplemented for one that can be imported."""
    found = cp._class_reduce(cls)  # noqa: SLF001
    if pickler.by_reference(cls) or found is NotImplemented:
        return localmodules.reduce_member(pickler, cls) if found is NotImplemented else found
    make, arguments, state, *rest = found
    arguments = (*arguments[:-2], None, arguments[-1])  # the last but one is the tracker id, for plain classes and enums
    if make is cp._make_skeleton_class:  # noqa: SLF001
        make = make_class
    return (make, arguments, state, *rest)


def make_class(meta: type, name: str, bases: tuple[Any, ...], members: dict[str, Any], _: None, extra: Any) -> type:
    """A class without its state, made without running hooks of the notebook: they ran once, and what they did travels too.

    Hooks of libraries do run, since what they register is in the library, which is new here.
    """
    above = types.resolve_bases(bases)
    hooks = [cls for base in above for cls in base.__mro__ if _of_notebook(cls) and "__init_subclass__" in vars(cls)]
    if not hooks and not _of_notebook(meta):
        made: type = cp._make_skeleton_class(meta, name, bases, members, None, extra)  # noqa: SLF001
        return made
    space = dict(members)
    if above is not bases:
        space["__orig_bases__"] = bases
    creator: Any = next(cls for cls in meta.__mro__ if "__new__" in vars(cls) and not _of_notebook(cls))
    kept = [(cls, vars(cls)["__init_subclass__"]) for cls in dict.fromkeys(hooks)]
    for cls, _hook in kept:
        type.__setattr__(cls, "__init_subclass__", classmethod(lambda _cls, **_options: None))
    try:
        made = creator.__new__(meta, name, above, space)
    finally:
        for cls, hook in kept:
            type.__setattr__(cls, "__init_subclass__", hook)
    return made


def _of_notebook(cls: type) -> bool:
    return cls.__module__ == "__main__"


# -- instances ---------------------------------------------------------------------------------------------------------


def reduce_instance(value: Any) -> Any:
    """An instance whose class answers for every attribute, without asking the instance; NotImplemented for any other.

    Loading a pickle looks up ``__setstate__`` on the *instance*, and a ``__getattr__`` that has an answer for everything has
    one for that.
    """
    kind: Any = type(value)
    plain = kind.__reduce_ex__ is object.__reduce_ex__ and kind.__reduce__ is object.__reduce__
    if not plain or not hasattr(kind, "__getattr__") or hasattr(kind, "__setstate__"):
        return NotImplemented
    parts: tuple[Any, ...] = object.__reduce_ex__(value, 2)  # type: ignore[assignment]  # never a name at protocol 2
    make, arguments, state, items, pairs = (*parts, None, None, None)[:5]
    return make, arguments, state, items, pairs, set_instance


def set_instance(value: Any, state: Any) -> None:
    """Give an instance its attributes, as pickle does for a class without ``__setstate__``."""
    attributes, slots = state if isinstance(state, tuple) and len(state) == 2 else (state, None)  # noqa: PLR2004
    object.__getattribute__(value, "__dict__").update(attributes or {})
    for name, content in (slots or {}).items():
        object.__setattr__(value, name, content)


# -- what the standard library keeps by address ------------------------------------------------------------------------


def refuse_file(_: Pickler, file: Any) -> Any:
    """An open file cannot travel; cloudpickle would make its text out of it, which is another thing."""
    raise TypeError(f"cannot pickle the file {file.name!r}")


def reduce_weakref(_: Pickler, reference: weakref.ref[Any]) -> Any:
    """A weak reference; a dead one stays dead. The pickle keeps the target alive until its strong holders are there."""
    if type(reference) is not weakref.ref:
        return NotImplemented
    target = reference()
    if target is None:
        return dead_reference, ()
    return make_reference, (target, getattr(reference, "__callback__", None))


class _Mortal:
    """Something to refer to for a moment."""


def dead_reference() -> weakref.ref[Any]:
    """A reference whose target is gone."""
    return weakref.ref(_Mortal())


def make_reference(target: Any, callback: Any) -> weakref.ref[Any]:
    """A reference with its callback."""
    return weakref.ref(target, callback) if callback is not None else weakref.ref(target)


def reduce_weak_mapping(_: Pickler, mapping: Any) -> Any:
    """``WeakValueDictionary`` and ``WeakKeyDictionary``: their live entries."""
    return type(mapping), (dict(mapping.items()),)


def reduce_cached_property(_: Pickler, found: Any) -> Any:
    """A ``cached_property``; before Python 3.12 it holds a lock, which is made anew."""
    return make_cached_property, (), (found.func, found.attrname, found.__doc__), None, None, set_cached_property


def make_cached_property() -> Any:
    """One without its function."""
    return functools.cached_property(_Replayed())


def set_cached_property(found: Any, state: tuple[Any, str | None, str | None]) -> None:
    """Give it its function and its name."""
    found.func, found.attrname, found.__doc__ = state


def reduce_cached(_: Pickler, cached: Any) -> Any:
    """A function under ``functools.lru_cache``, with what it has remembered (see :class:`_Replayed`)."""
    parameters = cached.cache_parameters()
    info = cached.cache_info()
    remembered = _remembered(cached) if info.currsize else []
    arguments = (parameters["maxsize"], parameters["typed"])
    return make_cached, arguments, (cached.__wrapped__, remembered, info.hits, info.misses, cached.__dict__), None, None, set_cached


class _Replayed:
    """The function below a restored cache: gives stored results while the cache is filled, and then the real function's.

    A cache cannot be filled from outside but by calling it; so it is built over this, called with every remembered argument,
    and only then told its function.
    """

    def __init__(self) -> None:
        self.stored: Any = None
        self.function: Any = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs) if self.stored is None else next(self.stored)


def make_cached(maxsize: int | None, typed: bool) -> Any:
    """An empty cache over nothing yet."""
    return functools.lru_cache(maxsize, typed)(_Replayed())


def set_cached(cached: Any, state: tuple[Any, list[tuple[tuple[Any, ...], dict[str, Any], Any]], int, int, dict[str, Any]]) -> None:
    """Fill a cache, oldest entry first, with its counters as far as calls can make them."""
    function, remembered, hits, misses, attributes = state
    replayed = cached.__wrapped__
    dropped = misses - len(remembered)
    replayed.stored = itertools.chain(itertools.repeat(None, dropped), (result for *_, result in remembered))
    for number in range(dropped if cached.cache_parameters()["maxsize"] is not None else 0):
        cached(_Mortal(), number)  # pushed out again by the real entries: it was full
    for args, kwargs, _ in remembered:
        cached(*args, **kwargs)
    if remembered:
        args, kwargs, _ = remembered[-1]
        for _ in range(min(hits, 100_000)):
            cached(*args, **kwargs)
    replayed.stored, replayed.function = None, function
    cached.__dict__.update(attributes)
    cached.__wrapped__ = function


def _remembered(cached: Any) -> list[tuple[tuple[Any, ...], dict[str, Any], Any]]:
    """(arguments, keywords, result) of every entry of a cache, the one that is dropped next first.

    The C implementation shows its entries only to the garbage collector (``lru_cache_tp_traverse``): a bounded cache visits
    its list, oldest first, as key and result one after the other, and then its table; an unbounded one holds results in the
    table. After the table come the function and the mark that stands before keywords in a key.
    """
    import gc

    seen = gc.get_referents(cached)
    at, table = next((place, x) for place, x in enumerate(seen) if type(x) is dict)
    mark = next((x for x in seen[at:] if type(x) is object), None)
    typed = cached.cache_parameters()["typed"]
    entries = list(table.items())
    if cached.cache_parameters()["maxsize"] is not None:
        keys, place, entries = {id(key) for key in table}, 0, []
        while place < at:
            if id(seen[place]) in keys and len(entries) < len(table):
                entries.append((seen[place], seen[place + 1]))
                place += 1
            place += 1
    return [(*_arguments(key, mark, typed), result) for key, result in entries]


def _arguments(key: Any, mark: Any, typed: bool) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The call that made a key, which is built as ``functools._make_key`` builds it.

    One argument that is exactly an int or a text is its own key. Else the key is the arguments, the mark and the keyword
    items if there are any, and, where types count, the type of every argument and then of every keyword's value.
    """
    if not isinstance(key, tuple):
        return (key,), {}
    items = list(key)
    at = next((place for place, item in enumerate(items) if item is mark), None)
    if at is None:
        return tuple(items[: len(items) // 2] if typed else items), {}
    rest = items[at + 1 :]
    pairs = rest[: 2 * ((len(rest) - at) // 3)] if typed else rest
    return tuple(items[:at]), dict(zip(pairs[::2], pairs[1::2], strict=True))

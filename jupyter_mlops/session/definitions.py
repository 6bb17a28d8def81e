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

from jupyter_mlops.session.mentions import mentions_of
from jupyter_mlops.session.scope import GLOBALS

if TYPE_CHECKING:
    from jupyter_mlops.session.pickler import Pickler

_STATE = ("__defaults__", "__kwdefaults__", "__qualname__", "__doc__", "__module__", "__annotations__", "__type_params__")


# -- functions ---------------------------------------------------------------------------------------------------------


def reduce_function(pickler: Pickler, function: types.FunctionType) -> Any:
    """A function by value, or NotImplemented for one that can be imported."""
    if pickler.by_reference(function):
        return NotImplemented
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
        return found
    make, arguments, state, *rest = found
    arguments = (*arguments[:-2], None, arguments[-1])  # the last but one is the tracker id, for plain classes and enums
    return (make, arguments, state, *rest)


# -- what the standard library keeps by address ------------------------------------------------------------------------


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
    """(arguments, keywords, result) of every entry of a cache, oldest first.

    The C implementation shows its table only to the garbage collector. A bounded cache keeps links in order of use; each
    link refers to its neighbours, the key and the result. Keys are built as ``functools._make_key`` documents.
    """
    import gc

    table = next((x for x in gc.get_referents(cached) if type(x) is dict and x is not cached.__dict__), {})
    mark = next((x for x in gc.get_referents(cached) if type(x) is object), None)
    typed = cached.cache_parameters()["typed"]
    found = []
    for key, value in table.items():
        result = value
        if type(value).__name__ == "_lru_list_elem":
            result = next((x for x in gc.get_referents(value) if x is not key and type(x).__name__ != "_lru_list_elem"), None)
        args, kwargs = _arguments(key, mark, typed)
        found.append((args, kwargs, result))
    return found


def _arguments(key: Any, mark: Any, typed: bool) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The call that made a key."""
    if not isinstance(key, tuple):
        return (key,), {}
    items = list(key)
    at = next((place for place, item in enumerate(items) if item is mark), None) if mark is not None else None
    if at is None:
        return tuple(items[: len(items) // 2] if typed else items), {}
    count = (len(items) - at - 1) // 2 if not typed else (len(items) - 2 * at - 1) // 3 + 0
    pairs = items[at + 1 : at + 1 + 2 * count] if not typed else _typed_pairs(items, at)
    return tuple(items[:at]), dict(zip(pairs[::2], pairs[1::2], strict=True))


def _typed_pairs(items: list[Any], at: int) -> list[Any]:
    """Keyword items of a typed key: after them stand the types of the positional arguments and of the keyword values."""
    rest = items[at + 1 :]
    count = (len(rest) - at) // 3
    return rest[: 2 * count]

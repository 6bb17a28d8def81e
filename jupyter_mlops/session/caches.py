"""What functions and objects remember: ``functools.lru_cache`` and ``cached_property``, with their entries and counters.

A cache that came empty would call the function again, and what the function does (count, print, ask a service) would be done twice.
"""

from __future__ import annotations

import functools
import itertools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_mlops.session.pickler import Pickler


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


class _Filler:
    """An argument that no real call has."""


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
        cached(_Filler(), number)  # pushed out again by the real entries: it was full
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

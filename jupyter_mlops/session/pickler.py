"""Pickles of notebook values that know where they come from.

The same walk that writes the bytes finds what the other rooms need: the identities through which two names can share a
change (``places``), the names that functions inside read from the notebook (``mentions``), and the large buffers that are
stored beside the stream. A persistent id is asked for every object, in C order, which makes it the cheapest hook there is.
"""

from __future__ import annotations

import builtins
import datetime as dt
import functools
import hashlib
import importlib
import io
import pickle
import re
import sys
import threading
import types
import warnings
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePath
from typing import Any, Protocol

from cloudpickle import cloudpickle as cp

from jupyter_mlops.session import arrays, buffers, caches, definitions, frames, instances, localmodules, references, typenames
from jupyter_mlops.session.scope import GLOBALS, Scope
from jupyter_mlops.session.state import EVERYTHING

ATOMS: frozenset[type] = frozenset(
    {type(None), bool, int, float, complex, str, bytes, range, slice, type(...), type(NotImplemented)}
    | {types.CodeType, types.ModuleType, types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType}
    | {types.GetSetDescriptorType, types.MemberDescriptorType, types.GenericAlias, re.Pattern, Decimal}
)
"""Types whose values cannot change and whose identity nobody asks for: they never join two names."""

REDUCERS: dict[type, Callable[[Any, Any], Any]] = {
    types.FunctionType: definitions.reduce_function,
    types.CellType: definitions.reduce_cell,
    types.ModuleType: localmodules.reduce_module,
    io.TextIOWrapper: definitions.refuse_file,
    memoryview: buffers.reduce_memoryview,
    weakref.ref: references.reduce_weakref,
    weakref.WeakMethod: references.reduce_weak_method,
    weakref.ProxyType: references.reduce_proxy,
    weakref.CallableProxyType: references.reduce_proxy,
    weakref.WeakValueDictionary: references.reduce_weak_mapping,
    weakref.WeakKeyDictionary: references.reduce_weak_mapping,
    types.MappingProxyType: references.reduce_mapping_proxy,
    re.Match: references.reduce_match,
    functools.cached_property: caches.reduce_cached_property,
    functools._lru_cache_wrapper: caches.reduce_cached,  # noqa: SLF001
    **dict.fromkeys(references.DICT_VIEWS, references.reduce_dict_view),
    **dict.fromkeys(typenames.KINDS, typenames.reduce_type_name),
}


STACK = 512 << 20
"""Bytes of address space for pickling what is nested deeply; only what is used takes memory."""

DEPTH = 200_000
"""Calls that fit into it: pickling takes less than 2 KiB a call."""

_IMMUTABLE = (PurePath, Fraction, dt.date, dt.time, dt.timedelta, dt.tzinfo)
_IMMUTABLE_BY_LIBRARY = (
    ("numpy", "dtype"),
    ("numpy", "generic"),
    ("pandas.api.extensions", "ExtensionDtype"),
    ("pandas", "Timedelta"),
    ("pandas", "Period"),
    ("pandas", "Interval"),
    ("pandas.tseries.offsets", "BaseOffset"),
)


def immutable_types() -> tuple[type, ...]:
    """Classes whose instances are shared by unrelated values and cannot change, of the libraries that are loaded."""
    found: list[type] = list(_IMMUTABLE)
    for module, name in _IMMUTABLE_BY_LIBRARY:
        cls = getattr(sys.modules.get(module), name, None)
        if isinstance(cls, type):
            found.append(cls)
    na = getattr(sys.modules.get("pandas"), "NA", None)
    return (*found, type(na)) if na is not None else tuple(found)


class Source(Protocol):
    """A part as it arrives."""

    def read(self) -> bytearray:
        """All of it."""

    def readinto(self, target: memoryview) -> None:
        """All of it, into memory of exactly its size."""


@dataclass(frozen=True, eq=False)
class Pickled:
    """Bytes of a value. ``keep`` holds every object visited, since an identity is one only while its object lives."""

    stream: bytes
    buffers: tuple[memoryview, ...]
    places: frozenset[int]
    mentions: frozenset[str]
    keep: Any

    @functools.cached_property
    def fingerprint(self) -> tuple[str, ...]:
        """Equal for two pickles of one process if nothing has changed in between."""
        found = [hashlib.sha256(self.stream).hexdigest()]
        return (*found, *(hashlib.sha256(buffer).hexdigest() for buffer in self.buffers))


class Pickler(cp.Pickler):  # type: ignore[misc]  # cloudpickle has no types
    """A cloudpickle pickler with the rules of this room."""

    def __init__(self, file: io.BytesIO, scope: Scope, detached: frozenset[int] = frozenset()) -> None:
        """``detached``: identities of arrays whose views are stored by value (see :func:`arrays.wasteful`)."""
        super().__init__(file, protocol=5)
        self.scope = scope
        self.detached = detached
        self.places: dict[int, Any] = {}
        self.mentions: set[str] = set()
        self.buffers: list[memoryview] = []
        self.viewed: dict[int, tuple[Any, set[int]]] = {}
        self.arrays: list[Any] = []
        self.references: dict[int, int] = {}
        self._importable: dict[int, tuple[Any, bool]] = {}
        self._array_type = arrays.ndarray()
        self._immutable = immutable_types()
        self._frames = frames.reducers()

    def dump(self, value: Any) -> None:
        """Write a value. Unlike cloudpickle's, a recursion that is too deep stays a RecursionError (see :func:`in_depth`)."""
        pickle.Pickler.dump(self, value)

    def by_reference(self, value: Any) -> bool:
        """Whether a class or function is imported where it arrives."""
        known = self._importable.get(id(value))
        if known is None:
            found = isinstance(value, type) and value in cp._BUILTIN_TYPE_NAMES  # noqa: SLF001
            if not found and cp._should_pickle_by_reference(value):  # noqa: SLF001
                found = not localmodules.is_made(sys.modules.get(value.__module__))
            known = self._importable[id(value)] = (value, found)
        return known[1]

    def persistent_id(self, value: Any) -> Any:  # noqa: PLR0911  (one return a kind; this is the hot path)
        """The word for what is not part of a value; else None, after noting who the value is."""
        kind = type(value)
        if kind in ATOMS:
            return None
        if kind is self._array_type:
            self.references[id(value)] = self.references.get(id(value), 0) + 1
        if kind is arrays.OutOfBand:
            return ("part", self._part(value.view))
        if kind is pickle.PickleBuffer:
            raw = value.raw()
            return ("buffer", self._part(raw)) if raw.nbytes >= arrays.LARGE else None
        if value is GLOBALS:
            return ("globals",)
        if value is self.scope.namespace:
            self.mentions.add(EVERYTHING)
            return ("namespace",)
        if self.scope.shell is not None and value is self.scope.shell:
            self.mentions.add(EVERYTHING)
            return ("shell",)
        if value is builtins.__dict__:
            return ("builtins",)
        if isinstance(value, (type, types.FunctionType)) and self.by_reference(value):
            return None
        if kind in {tuple, frozenset} and all(type(item) in ATOMS for item in value):
            return None
        if isinstance(value, self._immutable):
            return None
        self.places[id(value)] = value
        return None

    def reducer_override(self, value: Any) -> Any:
        """Our rules, then cloudpickle's."""
        kind = type(value)
        if kind is self._array_type:
            self._visit_array(value)
            return arrays.reduce_array(self, value)
        if isinstance(value, types.ModuleType) and value is sys.modules.get("__main__"):
            self.mentions.add(EVERYTHING)
            return importlib.import_module, ("__main__",)
        rule = REDUCERS.get(kind)
        if rule is not None:
            found = rule(self, value)
            if found is not NotImplemented:
                return found
        if self._array_type is not None and isinstance(value, self._array_type):
            self._visit_array(value)
            found = arrays.reduce_subclass(value)
            if found is not NotImplemented:
                return found
        for parent, reduce in self._frames:
            if isinstance(value, parent):
                return reduce(value)
        found = definitions.reduce_class(self, value) if isinstance(value, type) else instances.reduce_instance(value)
        return super().reducer_override(value) if found is NotImplemented else found

    def _part(self, view: memoryview) -> int:
        self.buffers.append(view)
        return len(self.buffers) - 1

    def _visit_array(self, array: Any) -> None:
        """An array shares changes with whoever sees the same memory."""
        base = arrays.base_of(array)
        self.arrays.append(array)
        self.places[id(base)] = base
        owner = getattr(base, "base", None)
        if owner is not None and not isinstance(owner, bytes):
            self.places[id(owner)] = owner


class Unpickler(pickle.Unpickler):
    """Loads what :class:`Pickler` wrote."""

    def __init__(self, stream: bytes, sources: Sequence[Source], scope: Scope) -> None:
        super().__init__(io.BytesIO(stream))
        self._sources = sources
        self._scope = scope

    def persistent_load(self, pid: Any) -> Any:
        """The thing that a word stands for here."""
        match pid:
            case ("part", int(index)):
                return self._sources[index]
            case ("buffer", int(index)):
                return self._sources[index].read()
            case ("globals",) | ("namespace",):
                return self._scope.namespace
            case ("shell",):
                return self._scope.shell
            case ("builtins",):
                return builtins.__dict__
        raise pickle.UnpicklingError(f"unknown persistent id {pid!r}")


def dumps(value: Any, scope: Scope, detached: frozenset[int] = frozenset()) -> Pickled:
    """Pickle a value. Raises whatever the value's own pickling raises: see :mod:`jupyter_mlops.session.lost`."""
    file = io.BytesIO()
    pickler = Pickler(file, scope, detached)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            pickler.dump(value)
        except RecursionError:
            file = io.BytesIO()
            pickler = Pickler(file, scope, detached)
            in_depth(lambda: pickler.dump(value))
    if not detached and (waste := arrays.wasteful(pickler)):
        again = dumps(value, scope, frozenset(waste))
        return Pickled(again.stream, again.buffers, frozenset(pickler.places), again.mentions, (pickler.places, again.keep))
    return Pickled(file.getvalue(), tuple(pickler.buffers), frozenset(pickler.places), frozenset(pickler.mentions), pickler.places)


def in_depth(work: Callable[[], None]) -> None:
    """Run something that recurses as deep as its data (a linked list, a tree of one branch), on a stack that has room for it.

    From Python 3.12 on, the interpreter bounds recursion in C whatever the stack: then the value is refused by name.
    """
    failed: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  (raised again below, by who waits)
            failed.append(error)

    size, limit = threading.stack_size(STACK), sys.getrecursionlimit()
    try:
        thread = threading.Thread(target=run, name="mlops-pickler")
        sys.setrecursionlimit(max(limit, DEPTH))
        thread.start()
        thread.join()
    finally:
        sys.setrecursionlimit(limit)
        threading.stack_size(size)
    if failed:
        raise failed[0]


def loads(stream: bytes, sources: Sequence[Source], scope: Scope) -> Any:
    """The value that was pickled. Runs code of the pickle: only for bytes of a verified state (see ``state``)."""
    return Unpickler(stream, sources, scope).load()

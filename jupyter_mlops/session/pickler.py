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
import types
import warnings
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePath
from typing import Any, Protocol

from cloudpickle import cloudpickle as cp

from jupyter_mlops.session import (
    arrays,
    buffers,
    caches,
    definitions,
    frames,
    instances,
    localmodules,
    plain,
    quantities,
    references,
    singles,
    tensors,
    tracebacks,
    typenames,
)
from jupyter_mlops.session.depth import in_depth
from jupyter_mlops.session.mentions import quoted
from jupyter_mlops.session.scope import GLOBALS, PARTED, Scope
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
    types.MethodType: references.reduce_method,
    types.ModuleType: localmodules.reduce_module,
    types.TracebackType: tracebacks.reduce_traceback,
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

_BUILTINS = builtins.__dict__

_EACH = frozenset({dict, tuple, frozenset, types.FunctionType, arrays.OutOfBand, pickle.PickleBuffer})
"""Types of which every value is looked at; of any other, and of no array, one value tells about all."""

_IMMUTABLE = (PurePath, Fraction, dt.date, dt.time, dt.timedelta, dt.tzinfo)
_IMMUTABLE_BY_LIBRARY = (
    ("numpy", "dtype"),
    ("numpy", "generic"),
    ("pandas.api.extensions", "ExtensionDtype"),
    *(("pandas", name) for name in ("Timedelta", "Period", "Interval")),
    ("pandas.tseries.offsets", "BaseOffset"),
    *(("torch", name) for name in ("dtype", "device", "layout", "memory_format")),  # one object each, in all tensors
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
    """Bytes of a value.

    ``places`` holds every changeable object visited, if that was asked for: an identity is one only while its object lives.
    """

    stream: bytes
    buffers: tuple[memoryview, ...]
    places: Mapping[int, Any]
    mentions: frozenset[str]
    joins: frozenset[int] = frozenset()
    """Owners at whose objects the walk stopped (see ``owners`` of :func:`dumps`): with any, this is no pickle of the whole."""

    @functools.cached_property
    def fingerprint(self) -> tuple[str, ...]:
        """Equal for two pickles of one process if nothing has changed in between."""
        return tuple(digest_of(part) for part in self.parts)

    @property
    def parts(self) -> tuple[bytes | memoryview, ...]:
        """What is stored: the stream, then the buffers."""
        return (self.stream, *self.buffers)


def digest_of(part: bytes | memoryview) -> str:
    """The digest of a part, as a registry names it."""
    return "sha256:" + hashlib.sha256(part).hexdigest()


class Pickler(cp.Pickler):  # type: ignore[misc]  # cloudpickle has no types
    """A cloudpickle pickler with the rules of this room."""

    def __init__(
        self, file: io.BytesIO, scope: Scope, detached: frozenset[int] = frozenset(), owners: Mapping[int, int] | None = None
    ) -> None:
        """``detached``: identities of arrays whose views are stored by value (see :func:`arrays.wasteful`).

        ``owners``: see :func:`dumps`; None where nobody asks who shares what, and nothing is noted.
        """
        self.scope = scope
        self.detached = detached
        self.sharing = owners is not None
        self.owners: Mapping[int, int] = owners or {}
        self.joins: set[int] = set()
        self._noted: set[type] = {list, set}
        self._skipped: set[type] = set(ATOMS) - {float}
        self.places: dict[int, Any] = {}
        self.mentions: set[str] = set()
        self.buffers: list[memoryview] = []
        self.viewed: dict[int, tuple[Any, set[int]]] = {}
        self.arrays: list[Any] = []
        self.references: dict[int, int] = {}
        self._importable: dict[int, tuple[Any, bool]] = {}
        self._array_type = arrays.ndarray()
        self._dtype = arrays.dtype()
        self._immutable = immutable_types()
        self._frames = (*frames.reducers(), *quantities.reducers())
        self._tensors = tensors.reducers()
        self.persistent_id = self._quick_look()
        super().__init__(file, protocol=5)  # before Python 3.13 it looks for ``persistent_id`` here

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

    def _quick_look(self) -> Callable[[Any], Any]:
        """The word for what is not part of a value; else None, after noting who the value is.

        Pickle calls this for every object. So it is a function whose names are all at hand, and not a method; and it holds the
        pickler weakly, since a cycle would keep everything that was pickled until somebody collects.
        """
        skipped, noted, owners, places, joins = self._skipped, self._noted, self.owners, self.places, self.joins
        space, sharing, members, me = self.scope.namespace, self.sharing, singles.members(), weakref.ref(self)
        nan = _nan()

        def look(value: Any) -> Any:
            kind = type(value)
            if kind in skipped:
                return None
            if kind is float:
                return ("nan",) if value is nan else None
            place = id(value)
            if place in members and singles.by_name(value):
                return ("member", *members[place])
            if kind in noted or (kind is dict and value is not space and value is not _BUILTINS):
                if place in owners:
                    joins.add(owners[place])
                    return ("joined",)
                if sharing:
                    places[place] = value
                return None
            if (kind is tuple or kind is frozenset) and ATOMS.issuperset(map(type, value)):
                return None
            pickler: Any = me()
            return pickler.look_closer(value, kind)

        return look

    def look_closer(self, value: Any, kind: type) -> Any:
        """The same for a value whose type does not tell."""
        found = self._word(value, kind)
        if found is not None:
            return found
        if kind not in _EACH and kind is not self._array_type and not isinstance(value, type):
            immutable = isinstance(value, self._immutable)
            (self._skipped if immutable else self._noted).add(kind)
            return None if immutable else self._note(value)
        if isinstance(value, (type, types.FunctionType)) and self.by_reference(value):
            return None
        return self._note(value)

    def _note(self, value: Any) -> Any:
        """Note who a value is; the word of a value at which the walk stops."""
        place = id(value)
        if place in self.owners:
            self.joins.add(self.owners[place])
            return ("joined",)
        if self.sharing:
            self.places[place] = value
        return None

    def _word(self, value: Any, kind: type) -> Any:
        """The word for a value that is not part of the pickle, or None."""
        if kind is self._array_type:
            self.references[id(value)] = self.references.get(id(value), 0) + 1
        elif kind is arrays.OutOfBand:
            return ("part", self._part(value.view))
        elif kind is pickle.PickleBuffer:
            raw = value.raw()
            return ("buffer", self._part(raw)) if raw.nbytes >= arrays.LARGE else None
        elif value is GLOBALS:
            return ("globals",)
        elif value is PARTED:
            return ("parted",)
        elif value is self.scope.namespace:
            self.mentions.add(EVERYTHING)
            return ("namespace",)
        elif self.scope.shell is not None and value is self.scope.shell:
            self.mentions.add(EVERYTHING)
            return ("shell",)
        elif value is _BUILTINS:
            return ("builtins",)
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
        rule = REDUCERS.get(kind) or self._tensors.get(kind)
        if rule is not None:
            found = rule(self, value)
            if found is not NotImplemented:
                return found
        if self._array_type is not None and isinstance(value, self._array_type):
            self._visit_array(value)
            found = arrays.reduce_subclass(value)
            if found is not NotImplemented:
                return found
        if self._dtype is not None and isinstance(value, self._dtype):
            found = arrays.reduce_dtype(value)
            return super().reducer_override(value) if found is NotImplemented else found
        for parent, reduce in self._frames:
            if isinstance(value, parent) and (found := reduce(value)) is not NotImplemented:
                return found
        found = definitions.reduce_class(self, value) if isinstance(value, type) else instances.reduce_instance(value)
        return super().reducer_override(value) if found is NotImplemented else found

    def _part(self, view: memoryview) -> int:
        self.buffers.append(view)
        return len(self.buffers) - 1

    def _visit_array(self, array: Any) -> None:
        """An array shares changes with whoever sees the same memory."""
        base = arrays.base_of(array)
        self.arrays.append(array)
        owner = getattr(base, "base", None)
        for one in (base, owner):
            if one is not None and not isinstance(one, bytes):
                self._note(one)


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
            case ("parted",):
                self._scope.parted.append(None)
                return False
            case ("nan",):
                return importlib.import_module("numpy").nan
            case ("member", str(module), str(name)):
                return singles.find(module, name)
            case ("shell",):
                return self._scope.shell
            case ("builtins",):
                return builtins.__dict__
        raise pickle.UnpicklingError(f"unknown persistent id {pid!r}")


def dumps(value: Any, scope: Scope, detached: frozenset[int] = frozenset(), owners: Mapping[int, int] | None = None) -> Pickled:
    """Pickle a value. Raises whatever the value's own pickling raises: see :mod:`jupyter_mlops.session.lost`.

    ``owners``: identity of an object → who has it already. The walk does not go into such an object, and notes the owner.
    Without it nothing is noted, and ``places`` is empty.
    """
    texts = quoted(value.values()) if type(value) is dict else ()
    if (found := _plain(value, scope, owners, frozenset(texts))) is not None:
        return found
    file = io.BytesIO()
    pickler = Pickler(file, scope, detached, owners)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            pickler.dump(value)
        except RecursionError:
            file = io.BytesIO()
            pickler = Pickler(file, scope, detached, owners)
            in_depth(lambda: pickler.dump(value))
    places, mentions, joins = pickler.places, frozenset(pickler.mentions.union(texts)), frozenset(pickler.joins)
    if joins:
        return Pickled(b"", (), places, mentions, joins)
    if not detached and (waste := arrays.wasteful(pickler)):
        again = dumps(value, scope, frozenset(waste))
        return Pickled(again.stream, again.buffers, places, again.mentions)
    return Pickled(file.getvalue(), tuple(pickler.buffers), places, mentions)


def walk_plain(value: Any, scope: Scope, owners: Mapping[int, int]) -> plain.Found | None:
    """Who shares what in containers of constants, without their bytes; None for any other value (see :func:`plain.walk`)."""
    return plain.walk(value, owners, {*singles.members(), id(scope.namespace), id(_BUILTINS)}, _nan())


def _nan() -> Any:
    return getattr(sys.modules.get("numpy"), "nan", None)


def _plain(value: Any, scope: Scope, owners: Mapping[int, int] | None, mentions: frozenset[str]) -> Pickled | None:
    """What :class:`Pickler` would give for containers of constants, without it; None for any other value."""
    places: Mapping[int, Any] = {}
    if owners is not None:
        found = walk_plain(value, scope, owners)
        if found is None:
            return None
        if found.joins:
            return Pickled(b"", (), found.places, mentions, frozenset(found.joins))
        places = found.places
    stream = plain.stream(value, _nan()) if "__builtins__" in scope.namespace else None  # so the namespace itself is never plain
    return None if stream is None else Pickled(stream, (), places, mentions)


def loads(stream: bytes, sources: Sequence[Source], scope: Scope) -> Any:
    """The value that was pickled. Runs code of the pickle: only for bytes of a verified state (see ``state``)."""
    return Unpickler(stream, sources, scope).load()

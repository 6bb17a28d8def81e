"""What the notebook entered into a library's own registries: converters of units, adapters of sqlite3, tags of yaml.

A cell calls a function (``sqlite3.register_adapter(Point, str)``) and later cells get another result by it. No name holds the
entry, and it may share what it holds with names, so it hangs on the process (see :mod:`attached`). Taken is what the notebook made,
and what Python itself has (``register_adapter(numpy.int64, int)``); what another package entered comes with that package.
"""

from __future__ import annotations

import codecs
import re
import sys
import types
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from jupyter_mlops.session.carriers.base import Context

Entries = dict[Any, Any]

_QUOTED = re.compile(r"""['"]([^'"\n]{1,80})['"]""")
_LOADERS = tuple(f"{c}{kind}Loader" for c in ("", "C") for kind in ("", "Safe", "Full", "Unsafe", "Base"))
_DUMPERS = tuple(f"{c}{kind}Dumper" for c in ("", "C") for kind in ("", "Safe", "Base"))
_YAML = {
    **dict.fromkeys(_LOADERS, ("constructor", "multi_constructor")),
    **dict.fromkeys(_DUMPERS, ("representer", "multi_representer")),
}


@dataclass(frozen=True)
class Registry:
    """How the entries of one registry are asked of its module, and entered."""

    module: str
    look: Callable[[Any], Mapping[Any, Any]]
    enter: Callable[[Any, Entries], None]


def _mapping(path: str) -> tuple[Callable[[Any], Mapping[Any, Any]], Callable[[Any, Entries], None]]:
    """A plain dictionary of the module."""
    find = attrgetter(path)
    return find, lambda module, entries: find(module).update(entries)


def _each(path: str, give: str) -> tuple[Callable[[Any], Mapping[Any, Any]], Callable[[Any, Entries], None]]:
    """A dictionary whose values a function of the module enters, one by one."""

    def enter(module: Any, entries: Entries) -> None:
        for one in entries.values():
            attrgetter(give)(module)(one)

    return attrgetter(path), enter


def _dtypes(base: Any) -> Entries:
    """By name, in the order of registration: pandas asks the last one first."""
    return {one.__name__: one for one in reversed(base._registry.dtypes)}  # noqa: SLF001  (there is no public list)


def _enter_dtypes(base: Any, entries: Entries) -> None:
    for one in entries.values():
        base._registry.register(one)  # noqa: SLF001


def _yaml(yaml: Any) -> Entries:
    """(class, kind of entry, tag or type) → function, of the classes that have entries of their own."""
    found: Entries = {}
    for name, kinds in _YAML.items():
        for kind in kinds:
            own = vars(getattr(yaml, name, object)).get(f"yaml_{kind}s", {})
            found.update({(name, kind, key): function for key, function in own.items()})
    return found


def _enter_yaml(yaml: Any, entries: Entries) -> None:
    for (name, kind, key), function in entries.items():
        if hasattr(yaml, name):
            getattr(getattr(yaml, name), f"add_{kind}")(key, function)


def _enter_targets(comm: Any, entries: Entries) -> None:
    comm.get_comm_manager().targets.update(entries)


REGISTRIES: Mapping[str, Registry] = {
    "units": Registry("matplotlib.units", *_mapping("registry")),
    "scales": Registry("matplotlib.scale", *_each("_scale_mapping", "register_scale")),
    "projections": Registry(
        "matplotlib.projections", *_each("projection_registry._all_projection_types", "register_projection")
    ),
    "dtypes": Registry("pandas.core.dtypes.base", _dtypes, _enter_dtypes),
    "adapters": Registry("sqlite3", *_mapping("adapters")),
    "converters": Registry("sqlite3", *_mapping("converters")),
    "tags": Registry("yaml", _yaml, _enter_yaml),
    "targets": Registry("comm", lambda comm: comm.get_comm_manager().targets, _enter_targets),
}  # fmt: skip
"""Registries of the libraries that notebooks register things with."""

INSTALLED: Mapping[str, tuple[str, str, Callable[[Any], Any], Callable[[Any, Any], object]]] = {
    "opener": ("urllib.request", "install_opener", attrgetter("_opener"), lambda module, one: module.install_opener(one)),
    "quantities": (
        "pint",
        "set_application_registry",
        lambda module: module.get_application_registry().get(),
        lambda module, one: module.set_application_registry(one),
    ),
}
"""What a library has one of, and makes itself unless a cell gives it another: module, what the cell calls, how to ask and set."""


class Registered:
    """Name of a registry → the notebook's entries in it."""

    kind = "entry"

    def __init__(self, context: Context) -> None:
        self._context = context
        self._space = context.shell.user_ns if context.shell is not None else {}
        self._errors: set[str] = set()
        """Names of codecs' error handlers that earlier cells gave."""

        self._installed: set[str] = set()
        """Keys of :data:`INSTALLED` that earlier cells gave."""

    def find(self) -> dict[str, Any]:
        """See :class:`Place`."""
        found: dict[str, Any] = {}
        for name, registry in REGISTRIES.items():
            module = sys.modules.get(registry.module)
            with suppress(AttributeError):  # another version of the library keeps it elsewhere
                known = dict(registry.look(module)) if module is not None else {}
                if own := {key: one for key, one in known.items() if self._is_taken(key) or self._is_taken(one) or _of_python(one)}:
                    found[name] = own
        if errors := dict(self._error_handlers()):
            found["errors"] = errors
        for key, (name, call, ask, _) in INSTALLED.items():
            if name in sys.modules and (key in self._installed or self._says(call)):
                found[key] = ask(sys.modules[name])
        return found

    def module(self, key: str) -> str:
        """See :class:`Place`."""
        if key in INSTALLED:
            return INSTALLED[key][0]
        return REGISTRIES[key].module if key in REGISTRIES else ""

    def hang(self, key: str, value: Any) -> None:
        """See :class:`Place`."""
        if key == "errors":
            self._errors |= set(value)
            for name, handler in value.items():
                codecs.register_error(name, handler)
        elif key in INSTALLED:
            self._installed.add(key)
            INSTALLED[key][3](sys.modules[INSTALLED[key][0]], value)
        elif key in REGISTRIES:
            registry = REGISTRIES[key]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the cell that registered it was warned
                registry.enter(sys.modules[registry.module], value)

    def unhang(self) -> None:
        """See :class:`Place`. None of them is asked by the work at a step's end."""

    def _says(self, word: str) -> bool:
        return any(word in source for source in self._context.cells)

    def _error_handlers(self) -> Iterator[tuple[str, Any]]:
        """Handlers of the notebook by the names that its cells quote: the interpreter does not list them."""
        said = {name for source in self._context.cells if "register_error" in source for name in _QUOTED.findall(source)}
        for name in sorted(self._errors | said):
            with suppress(LookupError):
                if self._is_ours(handler := codecs.lookup_error(name)):
                    yield name, handler

    def _is_taken(self, one: Any) -> bool:
        """Whether a key or an entry is the notebook's, or one of several parts of it."""
        return any(map(self._is_ours, one)) if isinstance(one, tuple) else self._is_ours(one)

    def _is_ours(self, one: Any) -> bool:
        function = one.__func__ if isinstance(one, types.MethodType) else one
        if isinstance(function, types.FunctionType):
            return function.__globals__ is self._space
        kind = function if isinstance(function, type) else type(function)
        return kind.__module__ == "__main__"


def _of_python(entry: Any) -> bool:
    """Whether an entry is a type or function of Python itself, which no library enters."""
    return isinstance(entry, (type, types.BuiltinFunctionType)) and entry.__module__ == "builtins"

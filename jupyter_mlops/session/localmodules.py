"""Modules that lie in the working folder: imported again where they arrive, and then given the state they had.

In one kernel a helper module is executed once, and what it keeps (a registry, a counter, settings) lives on. An installed
library keeps state too, but of that only what has a carrier travels.
"""

from __future__ import annotations

import builtins
import importlib
import operator
import sys
import types
from collections.abc import Iterator, Mapping
from contextlib import suppress
from enum import EnumMeta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_mlops.session.pickler import Pickler

_INSTALLED = frozenset({"site-packages", "dist-packages"})

CLASSES = "__classes__"
"""Under this name the data of a module's classes are among its own."""


def is_local(module: Any, root: Path | None) -> bool:
    """Whether a module's file lies in the working folder."""
    file = getattr(module, "__file__", None)
    if root is None or not isinstance(file, str) or getattr(module, "__name__", "__main__") == "__main__":
        return False
    path = Path(file) if Path(file).is_absolute() else Path.cwd() / file
    return path.is_relative_to(root) and not _INSTALLED.intersection(path.parts)


def is_made(module: Any) -> bool:
    """Whether a module came from no file and no finder: ``types.ModuleType("name")`` in a cell."""
    return (
        type(module) is types.ModuleType
        and vars(module).get("__spec__") is None
        and "__file__" not in vars(module)
        and module.__name__ not in {"__main__", "builtins"}
    )


def make_module(name: str, listed: bool) -> types.ModuleType:
    """A module without its data, where it can be imported from if it could."""
    module = types.ModuleType(name)
    module.__dict__["__builtins__"] = builtins
    if listed:
        sys.modules[name] = module
    return module


def reduce_module(pickler: Pickler, module: types.ModuleType) -> Any:
    """A module of the working folder with its data; NotImplemented for any other."""
    if is_made(module):
        pickler.places[id(module)] = module
        listed = sys.modules.get(module.__name__) is module
        data = {name: value for name, value in vars(module).items() if name != "__builtins__"}
        return make_module, (module.__name__, listed), data, None, None, set_module
    if not is_local(module, pickler.scope.root):
        return NotImplemented
    pickler.places[id(module)] = module
    if module.__name__ in pickler.scope.examining:
        return importlib.import_module, (module.__name__,)
    return importlib.import_module, (module.__name__,), _storable(pickler, module), None, None, set_module


def reduce_member(pickler: Pickler, member: Any) -> Any:
    """A function or class of such a module, found in it by name, so that the module's state comes along."""
    module = sys.modules.get(str(getattr(member, "__module__", None)))
    if module is None or not is_local(module, pickler.scope.root):
        return NotImplemented
    return find_member, (module, member.__qualname__)


def find_member(module: types.ModuleType, name: str) -> Any:
    """What a dotted name means in a module."""
    return operator.attrgetter(name)(module)


def set_module(module: types.ModuleType, state: dict[str, Any]) -> None:
    """Give a module, and the classes that it defines, the data they had."""
    classes = state.pop(CLASSES, {})
    module.__dict__.update(state)
    for name, values in classes.items():
        with suppress(AttributeError):  # the module defines it no longer, or on another condition
            cls = find_member(module, name)
            for attribute, value in values.items():
                if vars(cls).get(attribute, module) is not value:
                    setattr(cls, attribute, value)


def _storable(pickler: Pickler, module: types.ModuleType) -> dict[str, Any]:
    """The module's own data, less what cannot be stored: that is made again by the import."""
    from jupyter_mlops.session.pickler import dumps

    found: dict[str, Any] = {}
    pickler.scope.examining.add(module.__name__)
    try:
        for name, value in vars(module).items():
            if name.startswith("__") or isinstance(value, types.ModuleType):
                continue
            with suppress(Exception):  # whatever a value's own pickling raises
                dumps(value, pickler.scope)
                found[name] = value
        for cls in _classes(vars(module), module.__name__):
            for name, value in _data(cls):
                with suppress(Exception):
                    dumps(value, pickler.scope)
                    found.setdefault(CLASSES, {}).setdefault(cls.__qualname__, {})[name] = value
    finally:
        pickler.scope.examining.discard(module.__name__)
    return found


def _classes(names: Mapping[str, Any], module: str) -> Iterator[type]:
    """The classes that a module defines, those inside others too; an enumeration takes no other members."""
    for name, value in list(names.items()):
        if isinstance(value, type) and value.__module__ == module and value.__name__ == name and not isinstance(value, EnumMeta):
            yield value
            yield from _classes(vars(value), module)


def _data(cls: type) -> Iterator[tuple[str, Any]]:
    """What a class keeps itself: a count, a registry; methods and descriptors are its code."""
    for name, value in list(vars(cls).items()):
        if not name.startswith(("__", "_abc_")) and not hasattr(type(value), "__get__") and not isinstance(value, type):
            yield name, value

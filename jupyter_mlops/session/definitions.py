"""How functions and classes of the notebook travel: by value, with their state, but with the live namespace as globals.

cloudpickle copies the globals that a function reads; then ``k = 3`` in a later cell would not reach it. Here the function
keeps only its code, its closure cells and its attributes, and is put into the namespace of the process it arrives in. A
function of an importable module that has no name there (a nested one) gets that module's own globals.

Classes are cloudpickle's work, less its random tracker id: inside a component the pickle memo keeps a class one object, and
a class is never in two components, since it can change. Without the id the bytes are the same in every process.
"""

from __future__ import annotations

import abc
import copyreg
import enum
import importlib
import operator
import sys
import types
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
        found = _ModuleGlobals(home if localmodules.is_made(home) else home.__name__)
    arguments = (function.__code__, found, function.__name__, function.__closure__)
    state = {name: getattr(function, name) for name in _STATE if hasattr(function, name)}
    return make_function, arguments, (state, function.__dict__), None, None, set_function


class _ModuleGlobals:
    """Stands for the globals of an importable module."""

    def __init__(self, module: str | types.ModuleType) -> None:
        self.module = module

    def __reduce__(self) -> Any:
        return module_globals, (self.module,)


def module_globals(module: str | types.ModuleType) -> dict[str, Any]:
    """The globals of a module."""
    return (importlib.import_module(module) if isinstance(module, str) else module).__dict__


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
    if type(cls).__name__ == "PyCArrayType" and cls.__name__ == f"{getattr(cls._type_, '__name__', '')}_Array_{cls._length_}":  # type: ignore[attr-defined]
        return operator.mul, (cls._type_, cls._length_)  # type: ignore[attr-defined]
    found = cp._class_reduce(cls)  # noqa: SLF001
    if pickler.by_reference(cls) or found is NotImplemented:
        return localmodules.reduce_member(pickler, cls) if found is NotImplemented else found
    make, arguments, state = found[:3]
    state[0].update(_same_as_inherited(cls, state[0]))
    arguments = (*arguments[:-2], None, arguments[-1])  # the last but one is the tracker id, for plain classes and enums
    known = _known_elsewhere(cls)
    if make is cp._make_skeleton_class:  # noqa: SLF001
        return make_class, arguments, (*state, None, known), None, None, set_class
    bases, name, qualname, _, module, _, extra = arguments
    assert issubclass(cls, enum.Enum)
    members = {key: member.value for key, member in cls.__members__.items()}
    marks = {member.name: vars(member) for member in cls}
    state[0].update(dict.fromkeys(members))
    for key in members:
        state[0].pop(key)
    return (
        cp._make_skeleton_enum,  # noqa: SLF001
        (bases, name, qualname, members, module, None, extra),
        (*state, marks, known),
        None,
        None,
        set_class,
    )


def _same_as_inherited(cls: type, given: dict[str, Any]) -> dict[str, Any]:
    """A class's own attributes that are, just now, those of its parent, which cloudpickle leaves out: the parent's may change."""
    slots = (types.GetSetDescriptorType, types.MemberDescriptorType)
    above = cls.__mro__[1:]
    return {
        name: value
        for name, value in vars(cls).items()
        if name not in given
        and not (name.startswith("__") or name == "_abc_impl" or isinstance(value, slots))
        and any(name in vars(base) and vars(base)[name] is value for base in above)
    }


Known = tuple[list[abc.ABCMeta], Any]
"""Abstract classes of the standard library with which a class is registered, and how ``copyreg`` was told to pickle it."""


def _known_elsewhere(cls: type) -> Known:
    """What was said about a class outside of it."""
    homes = [sys.modules.get(name) for name in ("collections.abc", "numbers", "os")]
    abstract = {id(x): x for home in homes if home for x in vars(home).values() if isinstance(x, abc.ABCMeta)}
    found = [x for x in abstract.values() if any(one() is cls for one in abc._get_dump(x)[0])]  # type: ignore[attr-defined]  # noqa: SLF001
    return found, copyreg.dispatch_table.get(cls)


ClassState = tuple[dict[str, Any], dict[str, Any], dict[str, dict[str, Any]] | None, Known]


def set_class(cls: type, state: ClassState) -> None:
    """Give a class what it had, past what its metaclass does when attributes are set; enum members get their attributes."""
    attributes = dict(state[0])
    registered = attributes.pop("_abc_impl", ())
    for name, value in attributes.items():
        type.__setattr__(cls, name, value)
    if "__firstlineno__" in attributes:  # Python 3.13 drops it when anything else is set
        type.__setattr__(cls, "__firstlineno__", attributes["__firstlineno__"])
    for other in registered:
        abc.ABCMeta.register(cls, other)  # type: ignore[arg-type]  # only abstract classes have such a list
    registered_with, pickled_by = state[3]
    for home in registered_with:
        home.register(cls)
    if pickled_by is not None:
        copyreg.pickle(cls, pickled_by)
    for name, own in (state[2] or {}).items():
        cls[name].__dict__.update(own)  # type: ignore[index]  # an enum


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


def refuse_file(_: Pickler, file: Any) -> Any:
    """An open file cannot travel; cloudpickle would make its text out of it, which is another thing."""
    raise TypeError(f"cannot pickle the file {file.name!r}")

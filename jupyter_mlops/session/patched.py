"""Attributes of modules and classes of libraries that the notebook set: ``json.JSONEncoder.default = mine``.

Found in two ways. An assignment in a cell (also ``setattr`` and ``mock.patch("os.path.exists")``) says where to look, whatever was
assigned. And an object of the notebook that hangs where it was not defined is a patch whoever put it there: asked of
``builtins``, of the modules that the notebook imports, and of the classes that it holds or that people extend.
"""

from __future__ import annotations

import ast
import operator
import re
import sys
import types
import warnings
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from jupyter_mlops.session.carriers.base import Context
from jupyter_mlops.session.carriers.members import CLASSES

OF_PROCESS = frozenset({
    ("sys", name) for name in (
        "stdin", "stdout", "stderr", "modules", "path", "meta_path", "path_hooks", "path_importer_cache", "displayhook",
        "excepthook", "last_type", "last_value", "last_traceback", "last_exc", "dont_write_bytecode",
    )
} | {("builtins", name) for name in ("_", "input", "display", "get_ipython")} | {("os", "environ")})  # fmt: skip
"""Attributes that each process has of its own, or that another carrier carries."""

ALWAYS = ("builtins", "sys", "os", "time")
"""Modules that are looked at in every step: they are patched from inside functions, too."""

REGISTRIES = (("unittest.mock", "_patch", "_active_patches"),)
"""Lists in which a library keeps objects that the notebook made, where it is not empty."""

_SKIPPED = frozenset({"__main__", "jupyter_mlops"})
_MISSING = object()
_PLAIN = frozenset({
    type(None), bool, int, float, str, tuple, list, dict, set, types.ModuleType, types.BuiltinFunctionType,
    types.MethodDescriptorType, types.WrapperDescriptorType, types.GetSetDescriptorType, types.MemberDescriptorType,
    types.ClassMethodDescriptorType,
})  # fmt: skip
_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")

Key = tuple[str, str, str]
"""Module, dotted name of the class in it or '', attribute."""


class Patched:
    """``module.owner.attribute`` → the value that the notebook gave it."""

    kind = "patch"

    def __init__(self, context: Context) -> None:
        self._context = context
        self._known: set[Key] = set()
        self._found = {name: dict(vars(module)) for name, module in list(sys.modules.items()) if type(module) is types.ModuleType}
        self._before: dict[Key, Any] = {}
        """What stood there before this step, or an earlier one, patched it."""

    def find(self) -> dict[str, Any]:
        """See :class:`Place`."""
        values: dict[str, Any] = {}
        for source in self._context.cells:
            self._known |= set(self._assigned(source))
        for key in self._known | set(self._hanging()):
            owner = _owner(key)
            value = vars(owner).get(key[2], _MISSING) if owner is not None else _MISSING
            if value is not _MISSING and value is not self._original(key):
                values["/".join(key)] = value
        return values

    def module(self, key: str) -> str:
        """See :class:`Place`."""
        return key.partition("/")[0]

    def hang(self, key: str, value: Any) -> None:
        """See :class:`Place`."""
        module, name, attribute = key.split("/")
        place = (module, name, attribute)
        owner = _owner(place)
        if owner is None:
            self._context.warn(f"{module}.{name}.{attribute}, which the notebook set, is not in this image's {module}")
            return
        self._known.add(place)
        self._before[place] = vars(owner).get(attribute, _MISSING)
        setattr(owner, attribute, value)
        if hasattr(value, "_accessor") and isinstance(names := getattr(owner, "_accessors", None), set):
            names.add(attribute)  # as pandas itself notes an accessor, for completion

    def unhang(self) -> None:
        """See :class:`Place`."""
        for key in self._known:
            owner, before = _owner(key), self._original(key)
            if owner is None or (before is _MISSING and key not in self._before):
                continue
            with suppress(AttributeError, TypeError):
                delattr(owner, key[2]) if before is _MISSING else setattr(owner, key[2], before)

    def _original(self, key: Key) -> Any:
        if key in self._before:
            return self._before[key]
        return self._found.get(key[0], {}).get(key[2], _MISSING) if not key[1] else _MISSING

    # -- what the source says ----------------------------------------------------------------------------------------

    def _assigned(self, source: str) -> Iterator[Key]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                tree = ast.parse(self._context.shell.transform_cell(source) if self._context.shell else source)
            except (SyntaxError, ValueError):
                return
        for node in ast.walk(tree):
            targets: list[Any] = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            for target in targets:
                if isinstance(target, ast.Attribute):
                    yield from self._key(target.value, target.attr)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setattr" and len(node.args) > 1:
                name = node.args[1]
                if isinstance(name, ast.Constant) and isinstance(name.value, str):
                    yield from self._key(node.args[0], name.value)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and _DOTTED.fullmatch(node.value):
                yield from self._named(node.value)

    def _key(self, node: ast.expr, attribute: str) -> Iterator[Key]:
        path: list[str] = []
        while isinstance(node, ast.Attribute):
            path.insert(0, node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or self._context.shell is None:
            return
        owner = self._context.shell.user_ns.get(node.id)
        with suppress(Exception):  # an attribute that is computed may raise anything
            for name in path:
                owner = getattr(owner, name)
            yield from _key_of(owner, attribute)

    def _named(self, text: str) -> Iterator[Key]:
        """What a text names where an object of the notebook hangs there: ``patch("os.path.exists")``."""
        path, _, attribute = text.rpartition(".")
        module = path
        while module and module not in sys.modules:
            module = module.rpartition(".")[0]
        owner: Any = sys.modules.get(module)
        with suppress(AttributeError):
            owner = operator.attrgetter(path[len(module) + 1 :])(owner) if path != module else owner
            if self._is_ours(vars(owner).get(attribute)):
                yield from _key_of(owner, attribute)

    # -- what hangs there ----------------------------------------------------------------------------------------------

    def _hanging(self) -> Iterator[Key]:
        for key in REGISTRIES:
            if (owner := _owner(key)) is not None and getattr(owner, key[2]):
                yield key
        space = self._context.shell.user_ns if self._context.shell is not None else {}
        for owner in self._owners():
            for name, value in list(vars(owner).items()):
                kind = type(value)
                if kind in _PLAIN or (kind is types.FunctionType and value.__globals__ is not space):
                    continue  # most of what there is, told without a call
                if not name.startswith("__") and self._is_ours(value):
                    yield from _key_of(owner, name)

    def _owners(self) -> list[Any]:
        """Modules and classes of libraries that the notebook can lay hands on."""
        space = self._context.shell.user_ns if self._context.shell is not None else {}
        found: dict[int, Any] = {}
        held: list[Any] = [sys.modules[name] for name in ALWAYS if name in sys.modules]
        held += [_class(package, path) for package, paths in CLASSES.items() if package in sys.modules for path in paths]
        held += [value for value in space.values() if isinstance(value, (types.ModuleType, type))]
        for one in held:
            if one is None or _of_notebook(one) or getattr(one, "__name__", "").partition(".")[0] in _SKIPPED:
                continue
            found[id(one)] = one
            if type(one) is types.ModuleType and one.__name__ not in ALWAYS:
                found.update({id(cls): cls for cls in list(vars(one).values()) if isinstance(cls, type) and not _of_notebook(cls)})
        return list(found.values())

    def _is_ours(self, value: Any) -> bool:
        """Whether something was made by the notebook: its functions and classes, their instances, and mocks."""
        for part in ("__func__", "fget", "_ns", "_accessor"):  # of an accessor of polars, then of pandas and xarray
            inner = value if isinstance(value, (type, types.ModuleType)) else _static(value, part)
            if inner is not None:
                value = inner
                break
        if isinstance(value, types.FunctionType):
            return self._context.shell is not None and value.__globals__ is self._context.shell.user_ns
        if isinstance(value, types.ModuleType):
            return False
        kind = value if isinstance(value, type) else type(value)
        return _of_notebook(kind) or (kind.__module__ == "unittest.mock" and not isinstance(value, type))


def _static(value: Any, part: str) -> Any:
    """An attribute of a method, property or accessor; not of something that answers for every name."""
    if isinstance(value, (classmethod, staticmethod, property)) or part in getattr(value, "__dict__", ()):
        return getattr(value, part, None)
    return None


def _of_notebook(one: Any) -> bool:
    return isinstance(one, type) and one.__module__ == "__main__"


def _key_of(owner: Any, attribute: str) -> Iterator[Key]:
    if isinstance(owner, types.ModuleType):
        key = (owner.__name__, "", attribute)
    elif isinstance(owner, type):
        key = (owner.__module__, owner.__qualname__, attribute)
    else:
        return
    if key[0].partition(".")[0] not in _SKIPPED and (key[0], attribute) not in OF_PROCESS and _owner(key) is owner:
        yield key


def _owner(key: Key) -> Any:
    found = sys.modules.get(key[0])
    with suppress(AttributeError):
        return operator.attrgetter(key[1])(found) if key[1] and found is not None else found
    return None


def _class(package: str, path: str) -> Any:
    with suppress(AttributeError):
        return operator.attrgetter(path)(sys.modules[package])
    return None

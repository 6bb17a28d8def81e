"""Attributes of library modules and classes that the notebook's cells assign: ``json.JSONEncoder.default = mine``.

Found in the source of the cells that ran: an assignment to an attribute whose owner is, in the end, a module or a class
that is imported. Patches made inside functions of a library are not seen.
"""

from __future__ import annotations

import ast
import importlib
import operator
import sys
import types
import warnings
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from jupyter_mlops.session.carriers.base import Context

SKIPPED = frozenset({"sys", "os", "builtins", "__main__", "jupyter_mlops"})
"""Modules whose attributes belong to the process, or have carriers of their own."""

_MISSING = object()


class Patches:
    """(module, dotted name of the owner, attribute) → the value that the notebook gave it."""

    name, module = "patches", ""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._known: set[tuple[str, str, str]] = set()

    def capture(self) -> Any:
        """See :class:`Carrier`."""
        for source in self._context.cells:
            self._known |= set(self._found(source))
        values = []
        for key in sorted(self._known):
            owner = _owner(key[0], key[1])
            value = vars(owner).get(key[2], _MISSING) if owner is not None else _MISSING
            if value is not _MISSING:
                values.append((key, value))
        return values or None

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        for key, given in value:
            self._known.add(key)
            with suppress(ImportError):
                importlib.import_module(key[0])
            owner = _owner(key[0], key[1])
            if owner is not None:
                setattr(owner, key[2], given)

    def _found(self, source: str) -> Iterator[tuple[str, str, str]]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                tree = ast.parse(source)
            except (SyntaxError, ValueError):
                return
        for node in ast.walk(tree):
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            for target in targets:
                if isinstance(target, ast.Attribute):
                    key = self._key(target)
                    if key is not None:
                        yield key

    def _key(self, target: ast.Attribute) -> tuple[str, str, str] | None:
        path: list[str] = []
        node: ast.expr = target.value
        while isinstance(node, ast.Attribute):
            path.insert(0, node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or self._context.shell is None:
            return None
        owner = self._context.shell.user_ns.get(node.id)
        with suppress(AttributeError):
            for name in path:
                owner = getattr(owner, name)
            if isinstance(owner, types.ModuleType):
                key = (owner.__name__, "", target.attr)
            elif isinstance(owner, type):
                key = (owner.__module__, owner.__qualname__, target.attr)
            else:
                return None
            if key[0].partition(".")[0] not in SKIPPED and _owner(key[0], key[1]) is owner:
                return key
        return None


def _owner(module: str, name: str) -> Any:
    found = sys.modules.get(module)
    with suppress(AttributeError):
        return operator.attrgetter(name)(found) if name and found is not None else found
    return None


FACTORIES = (Patches,)

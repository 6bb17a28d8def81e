"""Calls back when a library has been imported, so that its carried state is put back only in steps that use it.

Importing pandas to restore its options would cost half a second in a step that never touches it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


def is_loaded(module: str, finished: str = "") -> bool:
    """Whether a module and its package are there and complete; ``finished`` names one that has just been executed."""
    root = module.partition(".")[0]
    if module not in sys.modules:
        return False
    return all(name == finished or not _being_made(name) for name in (root, module))


def _being_made(module: str) -> bool:
    """Whether a module is just being executed: another that it imports may have finished meanwhile."""
    return bool(getattr(getattr(sys.modules.get(module), "__spec__", None), "_initializing", False))


class AfterImport(MetaPathFinder):
    """Finds nothing itself: lets the other finders find, and wraps the execution of the modules that are waited for."""

    def __init__(self, modules: Sequence[str], callback: Callable[[str], None]) -> None:
        """``callback`` gets the dotted name of each module of ``modules``, or of their packages, once it was executed."""
        self._waited = set(modules) | {module.partition(".")[0] for module in modules}
        self._callback = callback

    def install(self) -> None:
        """Start listening."""
        sys.meta_path.insert(0, self)

    def remove(self) -> None:
        """Stop listening. Raises nothing if it never started."""
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self]

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The spec that the others find, with its loader wrapped."""
        if fullname not in self._waited:
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                if spec.loader is not None and hasattr(spec.loader, "exec_module"):
                    self._wrap(spec.loader, fullname)
                return spec
        return None

    def _wrap(self, loader: Any, fullname: str) -> None:
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            del loader.exec_module  # an attribute of this one loader object only
            execute(module)
            self._callback(fullname)

        loader.exec_module = exec_module

"""IPython's history: ``In``, and which results ``_``, ``__`` and ``___`` stand for; and what was imported by name.

The results themselves are names (``_3``) and travel like all names.
"""

from __future__ import annotations

import ast
import importlib
import linecache
import re
import sys
import warnings
from collections.abc import Collection
from contextlib import suppress
from typing import Any

from jupyter_mlops.session.carriers.base import Context

RESULT = re.compile(r"_[1-9][0-9]*")


class History:
    """Inputs, and the numbers of the last three results."""

    name, module = "history", ""

    def __init__(self, context: Context) -> None:
        self._shell = context.shell
        self.recent: list[int] = []
        """Execution counts of the last results, newest first, as this step was given them."""

    def capture(self) -> Any:
        """See :class:`Carrier`."""
        if self._shell is None:
            return None
        shown = sorted(self._shell.user_ns.get("_oh", {}), reverse=True)
        recent = [*shown, *(count for count in self.recent if count not in shown)][:3]
        manager = self._shell.history_manager
        return list(manager.input_hist_parsed), list(manager.input_hist_raw), recent, self._code_files()

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        parsed, raw, self.recent, code_files = value
        if self._shell is None:
            return
        manager, space = self._shell.history_manager, self._shell.user_ns
        manager.input_hist_parsed[:] = parsed
        manager.input_hist_raw[:] = raw
        self._give_sources(code_files, parsed)
        space.update({f"_i{count}": text for count, text in enumerate(raw) if count})
        last = [*reversed(raw[1:]), "", "", ""]
        manager._i, manager._ii, manager._iii = last[:3]  # noqa: SLF001
        manager._i00 = last[0]  # noqa: SLF001
        space.update({"_i": last[0], "_ii": last[1], "_iii": last[2]})

    def _code_files(self) -> list[tuple[str, int]]:
        """Name of the code file of each cell, which functions made in it keep, and its execution count."""
        known: dict[str, int] = getattr(self._shell.compile, "_filename_map", {})
        return sorted((name, count) for name, count in known.items() if count)

    def _give_sources(self, code_files: list[tuple[str, int]], parsed: list[str]) -> None:
        """Let ``inspect.getsource`` and tracebacks find the text of cells that ran in earlier steps."""
        for name, count in code_files:
            if count < len(parsed):
                text = parsed[count] + "\n"
                linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
                getattr(self._shell.compile, "_filename_map", {})[name] = count

    def give_results(self, bound: Collection[str]) -> None:
        """Fill ``Out`` and ``_`` from the results that were delivered; ``bound`` are names that the notebook bound itself."""
        space, hook = self._shell.user_ns, self._shell.displayhook
        for name in list(space):
            if RESULT.fullmatch(name):
                space["_oh"][int(name[1:])] = space[name]
        for under, count in zip(("_", "__", "___"), self.recent, strict=False):
            if f"_{count}" in space:
                setattr(hook, under, space[f"_{count}"])
                if under not in bound:
                    space[under] = space[f"_{count}"]


class Imports:
    """Modules that the notebook's import statements named, for those that work by being imported.

    ``import xml.etree`` binds ``xml`` only, and ``sklearn.experimental`` changes what another import finds. A module is
    imported again when its package is, and not before.
    """

    name, module = "imports", ""

    def __init__(self, context: Context) -> None:
        self._context = context

    def capture(self) -> Any:
        """See :class:`Carrier`."""
        for source in self._context.cells:
            with suppress(SyntaxError, ValueError), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._context.imported |= {name for name in _dotted(ast.parse(source)) if name in sys.modules}
        return sorted(self._context.imported) or None

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        self._context.imported |= set(value)

    def complete(self, roots: frozenset[str]) -> None:
        """Import what was imported before of these packages, and of those that are loaded."""
        for name in sorted(self._context.imported):
            if name.split(".")[0] in roots or name.split(".")[0] in sys.modules:
                with suppress(ImportError):  # it was there; if it is not now, the cell that needs it says so
                    importlib.import_module(name)


class Metrics:
    """Numbers that earlier steps recorded with ``log_metrics``."""

    name, module = "metrics", ""

    def __init__(self, context: Context) -> None:
        self._context = context

    def capture(self) -> Any:
        """See :class:`Carrier`."""
        return sorted(self._context.metrics.items()) or None

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        for name, number in value:
            self._context.metrics.setdefault(name, number)


def _dotted(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if "." in alias.name}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | ({node.module} if "." in node.module else set())
    return found


FACTORIES = (History, Imports, Metrics)

"""What rich put into IPython: its printing of values (``rich.pretty.install``) and of errors (``rich.traceback.install``).

Both leave a function of rich with the options in its closure; those travel, and rich installs itself again. A console of the
notebook's own cannot be made anew, which is told.
"""

from __future__ import annotations

import importlib
import inspect
from typing import Any

from jupyter_mlops.session.carriers.base import Context


class RichInstalled:
    """(module of rich, options) of each that is installed."""

    name, module = "rich.installed", ""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._shell = context.shell

    def capture(self) -> Any:
        """See :class:`Carrier`."""
        found = []
        for module, hook in self._hooks():
            if getattr(hook, "__module__", "") == module:
                found.append((module, self._options(module, hook)))
        return found or None

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        for module, options in value:
            try:
                with self._shell.builtin_trap:  # it looks for ``get_ipython`` as a cell does
                    importlib.import_module(module).install(**dict(options))
            except (ImportError, TypeError) as error:  # noqa: PERF203  (two at most)
                self._context.warn(f"{module}, which the notebook installed, cannot be installed here ({error})")

    def _hooks(self) -> list[tuple[str, Any]]:
        """Module → the function of it that would stand there."""
        if self._shell is None:
            return []
        formatter = self._shell.display_formatter.formatters.get("text/plain")
        return [("rich.pretty", type(formatter).__call__), ("rich.traceback", self._shell._showtraceback)]  # noqa: SLF001  (as rich sets it)

    def _options(self, module: str, hook: Any) -> list[tuple[str, Any]]:
        known = inspect.signature(importlib.import_module(module).install).parameters
        held = _closure(hook)
        if "console" in held and held["console"] is not importlib.import_module("rich").get_console():
            self._context.warn(f"the console that {module} was given is not handed to later steps: they use rich's own")
        return sorted((name, value) for name, value in held.items() if name in known and name != "console")


def _closure(function: Any, depth: int = 4) -> dict[str, Any]:
    """What a function and the functions in its closure hold by name."""
    found: dict[str, Any] = {}
    names = getattr(getattr(function, "__code__", None), "co_freevars", ())
    for name, cell in zip(names, getattr(function, "__closure__", None) or (), strict=True):
        value = cell.cell_contents
        found[name] = value
        if depth and inspect.isfunction(value):
            found = {**_closure(value, depth - 1), **found}
    return found


FACTORIES = (RichInstalled,)

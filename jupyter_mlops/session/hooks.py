"""What the notebook hung into IPython and the interpreter: printers, magics, callbacks, transformers, signal handlers.

Of IPython's own and of its extensions nothing is taken: only what is a function of the notebook, or bound to an object of it.
"""

from __future__ import annotations

import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from jupyter_mlops.session.carriers.base import Context
from jupyter_mlops.session.localmodules import is_made

_TRANSFORMERS = ("input_transformers_cleanup", "input_transformers_post")
STOPPING = frozenset({signal.SIGTERM, signal.SIGINT})
"""By these a step is stopped."""


class Hooks:
    """``what/where`` → the object."""

    kind = "hook"

    def __init__(self, context: Context) -> None:
        self._context = context
        self._shell = context.shell
        self._given: set[str] = set()
        """Modules that earlier cells made."""

        self._aliases = dict(self._named()) if self._shell is not None else {}
        """Those that IPython has from its start, which every step has by itself."""

        self._parts: dict[str, tuple[Callable[[], Iterator[tuple[str, Any]]], Callable[[str, Any], None]]] = {
            "module": (self._made_modules, self._give_module),
            "signal": (self._signals, self._give_signal),
            "numpy": (self._numpy, self._give_numpy),
        }
        if self._shell is not None:
            self._parts |= {
                "printer": (self._printers, self._give_printer),
                "magic": (self._magics, self._give_magic),
                "event": (self._events, self._give_event),
                "transform": (self._transformers, self._give_transformers),
                "exceptions": (self._exceptions, self._give_exceptions),
            }

    def find(self) -> dict[str, Any]:
        """See :class:`Place`."""
        return {f"{part}/{where}": value for part, (look, _) in self._parts.items() for where, value in look()}

    def module(self, key: str) -> str:
        """See :class:`Place`."""
        return "numpy" if key.startswith("numpy/") else ""

    def hang(self, key: str, value: Any) -> None:
        """See :class:`Place`."""
        part, _, where = key.partition("/")
        if part in self._parts:
            self._parts[part][1](where, value)

    def unhang(self) -> None:
        """See :class:`Place`. None of them is called by the work at a step's end."""

    def _is_ours(self, value: Any) -> bool:
        function = value.__func__ if isinstance(value, types.MethodType) else value  # a lazy magic loads itself when it is asked
        if isinstance(function, types.FunctionType):
            return function.__globals__ is self._shell.user_ns
        return type(value).__module__ == "__main__"

    # -- how values are shown ------------------------------------------------------------------------------------------

    def _printers(self) -> Iterator[tuple[str, Any]]:
        """By the type's name, which IPython resolves when a value is shown: a class of the notebook arrives later."""
        for kind, formatter in self._shell.display_formatter.formatters.items():
            types_of = {(cls.__module__, cls.__name__): show for cls, show in formatter.type_printers.items()}
            for (module, name), show in {**formatter.deferred_printers, **types_of}.items():
                if self._is_ours(show):
                    yield f"{kind}//{module}//{name}", show

    def _give_printer(self, where: str, show: Any) -> None:
        kind, module, name = where.split("//")
        formatter = self._shell.display_formatter.formatters.get(kind)
        cls = getattr(sys.modules.get(module), name, None) if module != "__main__" else None
        if formatter is not None and isinstance(cls, type):
            formatter.type_printers[cls] = show
        elif formatter is not None:
            formatter.deferred_printers[module, name] = show

    # -- magics --------------------------------------------------------------------------------------------------------

    def _magics(self) -> Iterator[tuple[str, Any]]:
        for kind, known in self._shell.magics_manager.magics.items():
            for name, run in known.items():
                if self._is_ours(run):
                    yield f"{kind}/{name}", run
        yield from ((where, alias) for where, alias in self._named() if self._aliases.get(where) != alias)

    def _named(self) -> Iterator[tuple[str, tuple[str, str, Any]]]:
        """Magics that are other names of magics."""
        for kind, known in self._shell.magics_manager.magics.items():
            for name, run in known.items():
                if type(run).__name__ == "MagicAlias":
                    yield f"{kind}/{name}", (run.magic_name, run.magic_kind, run.magic_params)

    def _give_magic(self, where: str, run: Any) -> None:
        kind, _, name = where.partition("/")
        manager = self._shell.magics_manager
        if isinstance(run, tuple):
            manager.register_alias(name, *run)
            return
        manager.magics[kind][name] = run
        owner = getattr(run, "__self__", None)
        if owner is not None:
            manager.registry[type(owner).__name__] = owner

    # -- callbacks -----------------------------------------------------------------------------------------------------

    def _events(self) -> Iterator[tuple[str, Any]]:
        for event, callbacks in self._shell.events.callbacks.items():
            if own := [one for one in callbacks if self._is_ours(one)]:
                yield event, own

    def _give_event(self, event: str, callbacks: list[Any]) -> None:
        there = self._shell.events.callbacks.get(event, [])
        there += [one for one in callbacks if one not in there]

    def _transformers(self) -> Iterator[tuple[str, Any]]:
        for name in _TRANSFORMERS:
            if own := [one for one in getattr(self._shell, name) if self._is_ours(one)]:
                yield name, own

    def _give_transformers(self, name: str, own: list[Any]) -> None:
        getattr(self._shell, name).extend(own)

    def _exceptions(self) -> Iterator[tuple[str, Any]]:
        """``set_custom_exc`` keeps the notebook's function in the closure of its own."""
        cells = getattr(getattr(self._shell.CustomTB, "__func__", None), "__closure__", None) or ()
        for cell in cells:
            with suppress(ValueError):
                if self._shell.custom_exceptions and self._is_ours(cell.cell_contents):
                    yield "custom", (self._shell.custom_exceptions, cell.cell_contents)

    def _give_exceptions(self, _: str, value: tuple[Any, Any]) -> None:
        self._shell.set_custom_exc(*value)

    # -- the interpreter -----------------------------------------------------------------------------------------------

    def _made_modules(self) -> Iterator[tuple[str, Any]]:
        """Modules that a cell made and put where ``import`` finds them."""
        said = [source for source in self._context.cells if "modules" in source]  # the extensions of Cython make some as well
        for name, module in list(sys.modules.items()):
            if is_made(module) and (name in self._given or any(f"{quote}{name}{quote}" in x for x in said for quote in "'\"")):
                yield name, module

    def _give_module(self, name: str, module: Any) -> None:
        self._given.add(name)
        sys.modules[name] = module

    def _numpy(self) -> Iterator[tuple[str, Any]]:
        """What numpy calls on a floating-point error, where it was told to call."""
        call = getattr(sys.modules.get("numpy"), "geterrcall", lambda: None)()
        if call is not None and self._shell is not None and self._is_ours(call):
            yield "seterrcall", call

    def _give_numpy(self, _: str, call: Any) -> None:
        sys.modules["numpy"].seterrcall(call)

    def _signals(self) -> Iterator[tuple[str, Any]]:
        for number in sorted(signal.valid_signals()):
            handler = signal.getsignal(number)
            if not callable(handler) or self._shell is None or not self._is_ours(handler):
                continue
            if number in STOPPING:
                name = signal.Signals(number).name
                self._context.warn(f"the notebook's handler of {name} holds for its step alone: by {name} steps are stopped")
            else:
                yield str(int(number)), handler

    def _give_signal(self, number: str, handler: Any) -> None:
        if threading.current_thread() is threading.main_thread():
            signal.signal(int(number), handler)

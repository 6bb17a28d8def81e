"""Objects of the notebook that hang on the process: patched functions, printers, magics, callbacks, entries of registries.

They are reached without a name, but they share what they hold with names: ``time.sleep = mock`` and ``mock.call_count``, a printer
and the list that it writes to. So each is stored as a name of its own among the notebook's names and is in one component with
whatever it shares. Such a name holds a colon (``patch:time..sleep``), which no name of a notebook can.

Every step gets all of them: code of any library may call them.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from jupyter_mlops.session.afterimport import AfterImport, is_loaded
from jupyter_mlops.session.carriers.base import Context
from jupyter_mlops.session.drawn import Drawn
from jupyter_mlops.session.hooks import Hooks
from jupyter_mlops.session.patched import Patched
from jupyter_mlops.session.registered import Registered
from jupyter_mlops.session.state import Lost

MARK = ":"


class Place(Protocol):
    """Where objects of the notebook can hang; keys have no kind in front."""

    kind: str

    def find(self) -> dict[str, Any]:
        """What hangs there now."""

    def module(self, key: str) -> str:
        """The module that must be loaded before it can be hung up; '' for none."""

    def hang(self, key: str, value: Any) -> None:
        """Put it where it was."""

    def unhang(self) -> None:
        """Take down what would disturb the work at a step's end."""


def is_attached(name: str) -> bool:
    """Whether a name of a state is no variable but something that hangs on the process."""
    return MARK in name


def attached_names(names: Iterable[str]) -> set[str]:
    """Those of these names."""
    return {name for name in names if is_attached(name)}


def place_of(name: str) -> str:
    """Where an attached value hangs, as people write it: ``time.sleep``."""
    return ".".join(part for part in name.partition(MARK)[2].split("/") if part)


class Attached:
    """All places of one step."""

    def __init__(self, context: Context) -> None:
        """Look at the process as the platform gave it."""
        places: tuple[Place, ...] = (Patched(context), Hooks(context), Drawn(context), Registered(context))
        self._places = {place.kind: place for place in places}
        self._context = context
        self._waiting: dict[str, Any] = {}
        """What could not be hung up yet, since its library is not loaded."""

        self._hook: AfterImport | None = None

    def restore(self, namespace: dict[str, Any]) -> None:
        """Take the attached values out of the namespace, in which they were delivered, and hang them up."""
        self._waiting = {name: namespace.pop(name) for name in sorted(attached_names(namespace))}
        self._loaded("")
        if self._waiting:
            self._hook = AfterImport([self._module(name) for name in self._waiting], self._loaded)
            self._hook.install()

    def values(self) -> dict[str, Any]:
        """Name → value of all that hangs there now."""
        found = dict(self._waiting)
        for kind, place in self._places.items():
            found.update({f"{kind}{MARK}{key}": value for key, value in place.find().items()})
        return found

    def take_down(self) -> None:
        """From here on this process works for the pipeline, with functions that are what they were."""
        if self._hook is not None:
            self._hook.remove()
        for place in self._places.values():
            place.unhang()

    def told(self, lost: Mapping[str, Lost]) -> dict[str, Lost]:
        """Warn of what cannot be handed on, and leave it out: no code asks for it by its name."""
        for name in sorted(attached_names(lost)):
            self._context.warn(f"{place_of(name)}, a {lost[name].type}, cannot be handed to later steps ({lost[name].reason})")
        return {name: why for name, why in lost.items() if not is_attached(name)}

    def _module(self, name: str) -> str:
        kind, _, key = name.partition(MARK)
        return self._places[kind].module(key) if kind in self._places else ""

    def _loaded(self, finished: str) -> None:
        for name in list(self._waiting):
            module = self._module(name)
            if module and not is_loaded(module.partition(".")[0], finished):
                continue
            if module:
                with suppress(ImportError):
                    importlib.import_module(module)
            kind, _, key = name.partition(MARK)
            if kind in self._places:
                self._places[kind].hang(key, self._waiting.pop(name))

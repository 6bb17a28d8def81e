"""What of the process travels besides the names: one carrier for each thing.

A carrier says what there is to carry (a plain value, or None for nothing) and puts it back. Those of a library are asked
only once the library is loaded; if a step loads it itself, the carrier puts its value back at that moment (``imports``).
Third parties add carriers by an entry point (``plugins``), or with :func:`register` in a process of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from jupyter_mlops.session.carriers.base import Context


class Carrier(Protocol):
    """One thing of the process. ``module`` must be loaded before it is asked; '' needs none."""

    name: str
    module: str

    def capture(self) -> Any:
        """The value to carry, or None. It must pickle, and be equal for equal states."""

    def restore(self, value: Any) -> None:
        """Make the process what ``capture`` saw."""


Factory = Callable[[Context], Carrier]
_FACTORIES: list[Factory] = []


def register(factory: Factory) -> Factory:
    """Add a carrier: a callable that gets the step's :class:`Context` and returns it. Usable as a decorator."""
    _FACTORIES.append(factory)
    return factory


def carriers(context: Context) -> list[Carrier]:
    """Every carrier, for one step, in the order in which they are restored."""
    from jupyter_mlops.session.carriers import (
        drawing,
        history,
        interpreter,
        ipython,
        libraries,
        logs,
        members,
        plotting,
        plugins,
        process,
        richlib,
        tensorflowlib,
        vision,
    )

    ours: list[Factory] = [
        *process.FACTORIES, *logs.FACTORIES, *history.FACTORIES, *ipython.FACTORIES, *drawing.FACTORIES,
        *libraries.FACTORIES, *members.FACTORIES, *interpreter.FACTORIES, *plotting.FACTORIES,
        *richlib.FACTORIES, *tensorflowlib.FACTORIES, *vision.FACTORIES,
    ]  # fmt: skip
    return [factory(context) for factory in (*ours, *_FACTORIES, *plugins.factories(context))]

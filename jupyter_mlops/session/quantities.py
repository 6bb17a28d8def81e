"""Quantities and units of pint: with the registry that they were made by.

Pint's own pickle names no registry, so that a quantity arrives in the one that the process has by default: its own units are not
known there, and it can be added to nothing of the notebook's registry any more.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any

Reducer = Callable[[Any], Any]


def reducers() -> tuple[tuple[type, Reducer], ...]:
    """(class, rule) for the pint that is loaded; nothing without pint."""
    pint: Any = sys.modules.get("pint")
    plain: Any = sys.modules.get("pint.facets.plain")
    shared = getattr(pint, "ApplicationRegistry", None)
    if plain is None or shared is None:
        return ()
    return ((plain.PlainQuantity, reduce_quantity), (plain.PlainUnit, reduce_unit), (shared, reduce_shared))


def reduce_quantity(value: Any) -> Any:
    """A quantity by its registry; NotImplemented for one of the default registry, and for what is more (a measurement)."""
    registry = _registry(value)
    if registry is None or not issubclass(registry.Quantity, type(value)):
        return NotImplemented
    return make_quantity, (registry, value.magnitude, value._units)  # noqa: SLF001  (``units`` is made anew each time)


def make_quantity(registry: Any, magnitude: Any, units: Any) -> Any:
    """A quantity of a registry."""
    return registry.Quantity(magnitude, units)


def reduce_unit(unit: Any) -> Any:
    """A unit by its registry; NotImplemented for one of the default registry."""
    registry = _registry(unit)
    return NotImplemented if registry is None else (make_unit, (registry, unit._units))  # noqa: SLF001


def make_unit(registry: Any, units: Any) -> Any:
    """A unit of a registry."""
    return registry.Unit(units)


def reduce_shared(_: Any) -> Any:
    """What stands for the registry of the process."""
    return shared_registry, ()


def shared_registry() -> Any:
    """What stands for the registry of this process."""
    pint: Any = importlib.import_module("pint")
    return pint.get_application_registry()


def _registry(value: Any) -> Any:
    """The registry of a quantity or unit; None for the one that every process has by itself."""
    registry = value._REGISTRY  # noqa: SLF001  (there is no public way)
    return None if registry is sys.modules["pint"]._DEFAULT_REGISTRY else registry  # noqa: SLF001

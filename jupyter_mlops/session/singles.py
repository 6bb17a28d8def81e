"""Objects of which a process has exactly one, and which code of libraries looks up by name: these are never copied.

``from numpy.random import seed, rand`` binds two methods of one hidden generator, a fitted estimator without a seed holds it, and
so does every distribution of scipy. A copy of that generator would go on by itself in the next step: ``seed(1)`` there would
not move ``rand``. So a pickle names such an object by the module and attribute where it stands, and what has happened to it
comes with its carrier. An object that libraries hold once but that no carrier looks after is no case for this table: it
travels by value, as it was.
"""

from __future__ import annotations

import importlib
import operator
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any

from jupyter_mlops.session.afterimport import is_loaded

MEMBERS: tuple[tuple[str, str], ...] = (
    ("random", "_inst"),
    ("numpy.random.mtrand", "_rand"),
    ("torch", "default_generator"),
    ("os", "environ"),
    ("os", "environb"),
    ("sys", "path"),
    ("sys", "stdout"),
    ("sys", "stderr"),
    ("matplotlib", "rcParams"),
    ("matplotlib", "colormaps"),
    ("pandas", "options"),
    ("mpmath", "mp"),
    ("mpmath", "iv"),
    ("mpmath", "fp"),
)
"""(module, attribute) of each; what it holds is carried by a carrier, or belongs to the place."""

KINDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("scipy.stats", ("rv_continuous", "rv_discrete")),
    ("sympy", ("polys.domains.domain.Domain",)),
)
"""Modules that hold one instance of each of some classes: scipy's distributions, sympy's domains (which no pickle makes)."""


def members() -> dict[int, tuple[str, str]]:
    """Identity → where it stands, of those whose modules are loaded."""
    found = {}
    for module, name in MEMBERS:
        value = getattr(sys.modules.get(module), name, None)
        if value is not None:
            found[id(value)] = (module, name)
    for module, kinds in KINDS:
        if is_loaded(module) and (classes := _classes(module, kinds)):
            found.update(_of_classes(module, classes))
    return found


def _classes(module: str, names: tuple[str, ...]) -> tuple[type, ...]:
    """Classes of a module; none while it is not whole."""
    with suppress(AttributeError):
        return tuple(operator.attrgetter(name)(sys.modules[module]) for name in names)
    return ()


@lru_cache(maxsize=len(KINDS))
def _of_classes(module: str, classes: tuple[type, ...]) -> Mapping[int, tuple[str, str]]:
    """Instances that a module holds: distributions to which frozen ones and fitted models refer, domains of ``import *``."""
    return {id(value): (module, name) for name, value in vars(sys.modules[module]).items() if isinstance(value, classes)}


def by_name(value: Any) -> bool:
    """Whether a member is what its name gives in another process: a distribution with a stream of its own is not."""
    own = getattr(value, "_random_state", None)
    numpy = sys.modules.get("numpy.random.mtrand")
    return own is None or own is getattr(numpy, "_rand", None)


def find(module: str, name: str) -> Any:
    """The one that this process has. Raises ImportError or AttributeError where there is none."""
    return operator.attrgetter(name)(importlib.import_module(module))

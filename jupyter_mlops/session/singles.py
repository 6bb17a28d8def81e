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
from functools import lru_cache
from typing import Any

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
)
"""(module, attribute) of each; what it holds is carried by a carrier, or belongs to the place."""

_DISTRIBUTIONS = "scipy.stats"


def members() -> dict[int, tuple[str, str]]:
    """Identity → where it stands, of those whose modules are loaded."""
    found = {}
    for module, name in MEMBERS:
        value = getattr(sys.modules.get(module), name, None)
        if value is not None:
            found[id(value)] = (module, name)
    loaded = sys.modules.get(_DISTRIBUTIONS)
    if loaded is not None and hasattr(loaded, "rv_continuous"):
        found.update(_distributions())
    return found


@lru_cache(maxsize=1)
def _distributions() -> Mapping[int, tuple[str, str]]:
    """The distributions of scipy: an instance each, which frozen ones and fitted models of other libraries refer to."""
    stats = sys.modules[_DISTRIBUTIONS]
    kinds = (stats.rv_continuous, stats.rv_discrete)
    return {id(value): (_DISTRIBUTIONS, name) for name, value in vars(stats).items() if isinstance(value, kinds)}


def by_name(value: Any) -> bool:
    """Whether a member is what its name gives in another process: a distribution with a stream of its own is not."""
    own = getattr(value, "_random_state", None)
    numpy = sys.modules.get("numpy.random.mtrand")
    return own is None or own is getattr(numpy, "_rand", None)


def find(module: str, name: str) -> Any:
    """The one that this process has. Raises ImportError or AttributeError where there is none."""
    return operator.attrgetter(name)(importlib.import_module(module))

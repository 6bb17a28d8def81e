"""Code that can read or set a random generator of the process and leave it where it was.

A draw moves the generator on, which the state shows. Seeding it anew, or taking its state and putting that back, shows nothing
where it ends as it was; yet what such code made depends on where others left the generator, or it overrules them. So it is told
by its words: those of the cells, and those of the notebook's functions and classes that came to the step.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from types import CellType, CodeType, FunctionType, MethodType
from typing import Any

WORDS = frozenset({
    "getstate", "get_state", "get_rng_state", "get_rng_state_all", "setstate", "set_state", "set_rng_state", "set_rng_state_all",
    "fork_rng", "isolate_rng", "initial_seed", "bit_generator", "get_bit_generator", "set_bit_generator", "default_generator",
    "_rand", "_inst", "seed", "manual_seed", "manual_seed_all", "seed_everything", "set_seed", "set_random_seed",
})  # fmt: skip

_WORD = re.compile(r"[A-Za-z_]\w*")


def may_stay_put(sources: Iterable[str], values: Iterable[Any]) -> bool:
    """Whether cells, or functions and classes among the values, have one of the words."""
    return any(not WORDS.isdisjoint(_WORD.findall(source)) for source in sources) or not WORDS.isdisjoint(_words_of(values))


def _words_of(values: Iterable[Any]) -> set[str]:
    """Names in the code of functions and classes, and of what these hold in closures, wrappers and class bodies."""
    waiting, seen, found = [*values], set[int](), set[str]()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if type(one) is CodeType:
            found.update(one.co_names)
            waiting += [constant for constant in one.co_consts if type(constant) is CodeType]
        elif type(one) is FunctionType:
            waiting += [one.__code__, *(one.__closure__ or ())]
        elif type(one) is CellType:
            with suppress(ValueError):  # nothing is in it yet
                waiting.append(one.cell_contents)
        elif type(one) in {MethodType, staticmethod, classmethod}:
            waiting.append(one.__func__)
        elif type(one) is property:
            waiting += [one.fget, one.fset, one.fdel]
        elif isinstance(one, type) and one.__module__ == "__main__":
            waiting += [*vars(one).values(), *one.__mro__]
        elif type(one).__module__ == "__main__":
            waiting.append(type(one))
    return found

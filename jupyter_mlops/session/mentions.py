"""Which names of the notebook a piece of code can ask for, read from its bytecode.

For a cell, names that it only binds are not among them: the old value of ``x`` is no part of ``x = 1``. Names that are
deleted are kept apart, since deleting asks for a name but not for its value. Nested code (functions, comprehensions,
classes) counts with its cell.
"""

from __future__ import annotations

import dis
from dataclasses import dataclass
from types import CodeType

LOADS = frozenset({"LOAD_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS"})
DELETES = frozenset({"DELETE_NAME", "DELETE_GLOBAL"})
STORES = frozenset({"STORE_NAME", "STORE_GLOBAL"})


@dataclass(frozen=True)
class Mentions:
    """Names by what is done with them; ``modules`` are imported (dotted names)."""

    loads: frozenset[str] = frozenset()
    deletes: frozenset[str] = frozenset()
    stores: frozenset[str] = frozenset()
    modules: frozenset[str] = frozenset()

    def __or__(self, other: Mentions) -> Mentions:
        """Both."""
        return Mentions(
            self.loads | other.loads, self.deletes | other.deletes, self.stores | other.stores, self.modules | other.modules
        )


def mentions_of(code: CodeType) -> Mentions:
    """All names that the code and the code inside it mention."""
    loads: set[str] = set()
    deletes: set[str] = set()
    stores: set[str] = set()
    modules: set[str] = set()
    waiting = [code]
    while waiting:
        current = waiting.pop()
        waiting += [constant for constant in current.co_consts if isinstance(constant, CodeType)]
        if not current.co_names:
            continue
        for instruction in dis.get_instructions(current):
            if instruction.opname in LOADS:
                loads.add(instruction.argval)
            elif instruction.opname in STORES:
                stores.add(instruction.argval)
            elif instruction.opname in DELETES:
                deletes.add(instruction.argval)
            elif instruction.opname == "IMPORT_NAME":
                modules.add(instruction.argval)
    return Mentions(frozenset(loads), frozenset(deletes), frozenset(stores), frozenset(modules))

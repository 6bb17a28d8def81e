"""Which names of the notebook a piece of code can ask for, read from its bytecode.

For a cell, names that it only binds are not among them: the old value of ``x`` is no part of ``x = 1``. Names that are
deleted are kept apart, since deleting asks for a name but not for its value. Nested code (functions, comprehensions,
classes) counts with its cell. Texts ask, too, where a library looks them up in the caller's names: ``df.query("size > @least")``,
a formula such as ``"y ~ np.log(x)"``, an expression for ``evaluate``, a frame in SQL (``duckdb.sql("select * from df")``). Too many
names cost time, one too few stops a step.
"""

from __future__ import annotations

import dis
import re
from collections.abc import Iterable
from dataclasses import dataclass
from types import CodeType
from typing import Any

LOADS = frozenset({"LOAD_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS"})
DELETES = frozenset({"DELETE_NAME", "DELETE_GLOBAL"})
STORES = frozenset({"STORE_NAME", "STORE_GLOBAL"})
EVALUATORS = frozenset({"evaluate", "eval", "dmatrix", "dmatrices"})
"""Functions and methods (numexpr, pandas, patsy) that read names of their caller in a text."""

QUERIES = frozenset({"sql", "sqldf", "execute", "query", "from_query"})
"""Functions and methods (duckdb, polars, pandasql) that take SQL, of which a text may be only a part."""

LONGEST = 20_000
"""Characters of a text up to which it is looked at: nobody types a longer formula."""

_WORD = re.compile(r"[^\W\d]\w*")
_FORMULA = re.compile(r"~\s*[\w(+-]")
_OF_CALLER = re.compile(r"(?<!\w)@([^\W\d]\w*)")
_SQL = re.compile(
    r"\A[\s(]*(?:--[^\n]*\n\s*)*(?:select\b.*?\bfrom|(?:with|insert|create|explain|copy|merge|update)\b.*?\b(?:select|from|using))\b",
    re.IGNORECASE | re.DOTALL,
)
_TABLES = re.compile(
    r"\b(?:from|join|using|update|describe|summarize|pivot)\s+((?:[\w.\"]+(?:\s+(?:as\s+)?\w+)?\s*,\s*)*[\w.\"]+)", re.IGNORECASE
)


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
        loads |= quoted(
            current.co_consts, whole=not EVALUATORS.isdisjoint(current.co_names), sql=not QUERIES.isdisjoint(current.co_names)
        )
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


def quoted(values: Iterable[Any], *, whole: bool = False, sql: bool = False) -> set[str]:
    """Names that texts among the values ask their reader's caller for.

    Args:
        values: constants of code, or values of variables.
        whole: every word of every text may be one.
        sql: every text may be a part of an SQL statement; else only what is plainly one counts.
    """
    found: set[str] = set()
    for value in values:
        if type(value) is tuple:
            found |= quoted(value, whole=whole, sql=sql)
        elif type(value) is str and len(value) <= LONGEST:
            if whole or ("~" in value and _FORMULA.search(value)):
                found.update(_WORD.findall(value))
                continue
            if "@" in value:
                found.update(_OF_CALLER.findall(value))
            if sql or _SQL.match(value):
                for listed in _TABLES.findall(value):
                    found.update(_WORD.findall(listed))
    return found

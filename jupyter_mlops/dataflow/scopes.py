"""Which names a definition takes from the notebook: asked from ``symtable``, the compiler's own pass, once for each cell.

Scopes are not analysed by hand: nonlocal, class scopes, assignment expressions (PEP 572) and type parameters (PEP 695) are
right on every Python because the compiler of that Python answers.
"""

from __future__ import annotations

import ast
import symtable
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
NOT_CALLED = ("annotation", "type alias", "type variable", "TypeVar bound")
"""Kinds of tables that a call never runs (Python 3.12 to 3.14 spell them differently)."""


@dataclass(frozen=True, slots=True)
class Free:
    """Names of the notebook's namespace in the body of a definition."""

    reads: frozenset[str]
    writes: frozenset[str]
    """Bound with ``global``."""

    unsure: frozenset[str]
    """Bound and read in the body of a class within: ``class A: x = x`` reads the notebook's ``x`` if it reads first."""


class Scopes:
    """The symbol tables of one cell."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _functions(self) -> dict[tuple[str, int], list[symtable.SymbolTable]]:
        """(name, line) → function tables. Two lambdas on one line share a key."""
        found: dict[tuple[str, int], list[symtable.SymbolTable]] = {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            todo = [symtable.symtable(self._text, "<cell>", "exec")]
        while todo:
            table = todo.pop()
            todo += table.get_children()
            if table.get_type() == "function":
                found.setdefault((table.get_name(), table.get_lineno()), []).append(table)
        return found

    def free(self, node: Definition) -> Free:
        """What the body of a def or lambda does with the notebook's names when it runs."""
        name = "lambda" if isinstance(node, ast.Lambda) else node.name
        tables = self._functions.get((name, node.lineno), [])
        table = tables[0] if len(tables) == 1 else _alone(node)
        reads: set[str] = set()
        writes: set[str] = set()
        unsure: set[str] = set()
        local: set[str] = set()
        for inner in _called(table):
            method = inner.get_type() == "function"
            for symbol in inner.get_symbols():
                if not method and symbol.is_local():
                    (unsure if symbol.is_referenced() else local).add(symbol.get_name())
                if symbol.is_global():
                    if symbol.is_referenced() or not method:
                        reads.add(symbol.get_name())
                    if symbol.is_assigned() and symbol.is_declared_global():
                        writes.add(symbol.get_name())
        if writes or local:  # symtable does not call the target of `count += 1` referenced
            augmented = {x.target.id for x in ast.walk(node) if isinstance(x, ast.AugAssign) and isinstance(x.target, ast.Name)}
            reads |= writes & augmented
            unsure |= local & augmented
        return Free(frozenset(reads), frozenset(writes), frozenset(unsure))


def _called(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    """The table and all below it that run when it is called."""
    yield table
    for child in table.get_children():
        if str(child.get_type()) not in NOT_CALLED:
            yield from _called(child)


def _alone(node: Definition) -> symtable.SymbolTable:
    """The table of a definition that cannot be told from its neighbours, looked at without them.

    What ran when it was made (defaults, decorators, annotations) is taken off; names it declares nonlocal get a home.
    """
    arguments = node.args
    plain = ast.arguments(
        posonlyargs=[ast.arg(a.arg) for a in arguments.posonlyargs],
        args=[ast.arg(a.arg) for a in arguments.args],
        vararg=ast.arg(arguments.vararg.arg) if arguments.vararg else None,
        kwonlyargs=[ast.arg(a.arg) for a in arguments.kwonlyargs],
        kw_defaults=[ast.Constant(None) if d else None for d in arguments.kw_defaults],
        kwarg=ast.arg(arguments.kwarg.arg) if arguments.kwarg else None,
        defaults=[ast.Constant(None) for _ in arguments.defaults],
    )
    body: list[ast.stmt] = [ast.Return(node.body)] if isinstance(node, ast.Lambda) else node.body
    outer = sorted({name for part in body for x in ast.walk(part) if isinstance(x, ast.Nonlocal) for name in x.names})
    if isinstance(node, ast.AsyncFunctionDef):
        function: ast.stmt = ast.AsyncFunctionDef(name="_", args=plain, body=body, decorator_list=[])
    else:
        function = ast.FunctionDef(name="_", args=plain, body=body, decorator_list=[])
    homes: list[ast.stmt] = [ast.Assign([ast.Name(name, ast.Store())], ast.Constant(0)) for name in outer]
    wrapper = ast.FunctionDef(
        name="__",
        args=ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[]),
        body=[*homes, function],
        decorator_list=[],
    )
    for part in (function, wrapper):
        if "type_params" in ast.FunctionDef._fields:
            part.type_params = []  # type: ignore[attr-defined]
    text = ast.unparse(ast.fix_missing_locations(ast.Module([wrapper], [])))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return symtable.symtable(text, "<cell>", "exec").get_children()[0].get_children()[0]

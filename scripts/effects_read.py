"""Stubs and sources become ``Owner`` and ``Call``, which ``scripts/effects.py`` judges wherever they came from."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path


@dataclass
class Call:
    """A method or function, as its source or stub shows it. ``parameters`` leave out ``self``."""

    name: str
    parameters: tuple[tuple[str, str], ...] = ()
    returns: str = ""
    body: tuple[ast.stmt, ...] = ()
    doc: str = ""
    stub: bool = False
    attribute: bool = False


@dataclass
class Owner:
    """A class, or a module with its functions."""

    name: str
    calls: dict[str, Call] = field(default_factory=dict)
    bases: tuple[str, ...] = ()
    is_class: bool = True


def call_of(node: ast.FunctionDef | ast.AsyncFunctionDef, *, stub: bool, method: bool) -> Call:
    """A definition of a source or stub."""
    marks = {ast.unparse(mark).split("(")[0] for mark in node.decorator_list}
    given = [*node.args.posonlyargs, *node.args.args]
    if method and "staticmethod" not in marks:
        given = given[1:]
    named = [*given, *node.args.kwonlyargs]
    parameters = tuple((a.arg, ast.unparse(a.annotation) if a.annotation else "") for a in named)
    attribute = bool(marks & {"property", "cache_readonly", "cached_property", "functools.cached_property"})
    returns = ast.unparse(node.returns) if node.returns else ""
    return Call(node.name, parameters, returns, tuple(node.body), ast.get_docstring(node) or "", stub, attribute)


def statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """All statements of a stub, those of every Python version and platform included."""
    for node in body:
        if isinstance(node, (ast.If, ast.Try)):
            yield from statements([*node.body, *node.orelse])
        else:
            yield node


def add(owner: Owner, call: Call) -> None:
    """Overloads of a stub are one call: it gives nothing only if no overload gives anything."""
    old = owner.calls.get(call.name)
    if old is not None and old.stub:
        known = dict(old.parameters)
        call.parameters = (*old.parameters, *(item for item in call.parameters if item[0] not in known))
        call.returns = old.returns if old.returns == call.returns else f"{old.returns} | {call.returns}"
        call.attribute |= old.attribute
    owner.calls[call.name] = call


def stub(path: Path, module: str, names: frozenset[str] | None = None) -> list[Owner]:
    """Public classes and functions of a ``.pyi`` file."""
    functions = Owner(module, is_class=False)
    found = [functions]
    for node in statements(ast.parse(path.read_text(encoding="utf-8")).body):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if node.name[0] != "_" and (names is None or node.name in names):
                add(functions, call_of(node, stub=True, method=False))
        elif isinstance(node, ast.ClassDef):
            found.append(stub_class(node, module))
    return found


def stub_class(node: ast.ClassDef, module: str) -> Owner:
    """A class of a stub, without what it inherits."""
    bases = tuple(ast.unparse(base).split("[")[0].rpartition(".")[2] for base in node.bases)
    owner = Owner(f"{module}.{node.name}", bases=bases)
    for inner in statements(node.body):
        if isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef)) and inner.name[0] != "_":
            add(owner, call_of(inner, stub=True, method=True))
    return owner


def inherit(owners: Iterable[Owner]) -> list[Owner]:
    """Public classes with what they inherit; bases are found by their last name, private ones too."""
    listed = list(owners)
    named = {owner.name.rpartition(".")[2]: owner for owner in reversed(listed) if owner.is_class}

    def calls(owner: Owner, seen: frozenset[str]) -> dict[str, Call]:
        found: dict[str, Call] = {}
        for base in reversed(owner.bases):
            if base in named and base not in seen:
                found |= calls(named[base], seen | {base})
        return found | owner.calls

    flat = [Owner(owner.name, calls(owner, frozenset()), is_class=owner.is_class) for owner in listed]
    return [owner for owner in flat if not owner.is_class or owner.name.rpartition(".")[2][0] != "_"]


@cache
def _definitions(path: str) -> dict[tuple[str, int], ast.FunctionDef | ast.AsyncFunctionDef]:
    """(name, first line) → definition, for a source file; none of a compiled one."""
    if not Path(path).is_file():
        return {}
    tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    return {
        (node.name, min([node.lineno, *(mark.lineno for mark in node.decorator_list)])): node
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }


def live(item: object, name: str, *, method: bool) -> Call:
    """A function of an installed library: its source where there is one, else its signature and docstring."""
    attribute = isinstance(item, property) or not callable(item)
    function = inspect.unwrap(getattr(item, "fget", None) or getattr(item, "func", None) or item)  # type: ignore[arg-type]
    function = getattr(function, "__func__", function)
    code = getattr(function, "__code__", None)
    if code is not None:
        node = _definitions(code.co_filename).get((code.co_name, code.co_firstlineno))
        if node is not None:
            found = call_of(node, stub=False, method=method)
            return Call(name, found.parameters, found.returns, found.body, found.doc, attribute=attribute or found.attribute)
    return Call(name, doc=inspect.getdoc(item) or "", attribute=attribute)


def live_class(kind: type, name: str) -> Owner:
    """All public members of a class, inherited ones too."""
    owner = Owner(name)
    for member in sorted(dir(kind)):
        if member[:2] != "__":
            owner.calls[member] = live(inspect.getattr_static(kind, member), member, method=True)
    return owner


def live_functions(module: object, name: str, names: Iterable[str]) -> Owner:
    """Functions of a module."""
    functions = {member: vars(module).get(member) for member in names if member[0] != "_"}
    found = {member: live(item, member, method=False) for member, item in functions.items() if inspect.isroutine(item)}
    return Owner(name, found, is_class=False)


def source(path: Path, module: str, kinds: frozenset[str]) -> Iterator[Owner]:
    """Classes of a source file that need not be importable."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and node.name in kinds:
            owner = Owner(f"{module}.{node.name}")
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef):
                    add(owner, call_of(inner, stub=False, method=True))
            yield owner

"""What a piece of code calls and asks for, followed through the notebook's own functions, classes and values.

The data flow says which names meet. This says what code does besides: which functions of which modules it calls, which methods,
which texts it holds. A function that is only defined does nothing yet: what its body does belongs to whoever can reach it, by its
name or by a value made with its help. More is reached here than is ever called, which costs time and never a result.
"""

# ruff: noqa: N815 - the names of visitors are ast.NodeVisitor's

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from jupyter_mlops.dataflow.facts import NO_NAMES
from jupyter_mlops.notebook.document import Cell
from jupyter_mlops.notebook.syntax import NotPython, translate

INLINE = frozenset({"time", "capture"})
"""Magics that run their body, or line, as code of the notebook and do nothing else."""

STAR = "*"
"""Stands for every name that a star import may have brought."""

BUILTINS = frozenset({*dir(builtins), "get_ipython", "exit", "quit"})
"""Names that nobody has to bind. A variable's own name is no path: what it can do is in ``reach``."""

UNREADABLE = "?"
"""A magic's name where what runs cannot be read."""


@dataclass(frozen=True, slots=True)
class Walk:
    """What code does besides binding names; sets, since order and number do not matter."""

    paths: frozenset[str] = NO_NAMES
    """Dotted names from an import or the builtins that are read: ``numpy.random.seed``, ``builtins.open``."""

    methods: frozenset[str] = NO_NAMES
    """Methods called on values."""

    modules: frozenset[str] = NO_NAMES
    """Modules imported."""

    magics: frozenset[str] = NO_NAMES
    texts: frozenset[str] = NO_NAMES
    modes: frozenset[str] = NO_NAMES
    """How ``open`` is called: the mode, '' where it is no literal."""

    def __or__(self, other: Walk) -> Walk:
        """Both."""
        return Walk(
            self.paths | other.paths, self.methods | other.methods, self.modules | other.modules, self.magics | other.magics,
            self.texts | other.texts, self.modes | other.modes,
        )  # fmt: skip


def walks(cells: Iterable[Cell]) -> Mapping[int, Walk]:
    """Cell index → what it does, and what it can reach does, for the code cells in document order."""
    imports: dict[str, str] = {}
    reach: dict[str, Walk] = {}
    found: dict[int, Walk] = {}
    for cell in cells:
        done = Walk()
        for statement in _statements(cell.source):
            done |= _step(statement, imports, reach)
        found[cell.index] = done
    return found


def imported(node: ast.Import | ast.ImportFrom) -> dict[str, str]:
    """Name that an import binds → the path that it stands for; a star import binds ``*``."""
    if isinstance(node, ast.ImportFrom):
        module = "." * node.level + (node.module or "")
        return {alias.asname or alias.name: f"{module}.{alias.name}" for alias in node.names}
    heads = ((alias, alias.name.partition(".")[0]) for alias in node.names)
    return {alias.asname or head: alias.name if alias.asname else head for alias, head in heads}


def path_of(node: ast.expr, imports: Mapping[str, str]) -> str:
    """``numpy.random.seed`` for ``np.random.seed``; '' where the root is no import."""
    if isinstance(node, ast.Attribute):
        base = path_of(node.value, imports)
        return f"{base}.{node.attr}" if base else ""
    return imports.get(node.id, "") if isinstance(node, ast.Name) else ""


def _statements(source: str) -> Iterator[ast.stmt]:
    """Top-level statements; one that stands for what cannot be read where the cell does not parse."""
    try:
        yield from translate(source).tree.body
    except NotPython:
        yield from ast.parse(f"get_ipython().run_line_magic({UNREADABLE!r}, '')").body


def _step(statement: ast.stmt, imports: dict[str, str], reach: dict[str, Walk]) -> Walk:
    """One statement; ``imports`` (name → path) and ``reach`` (name → what its value can do) are brought up to date."""
    scene = _Scene(imports)
    scene.visit(statement)
    through = Walk()
    for name in scene.loads:
        through |= reach.get(name) or (Walk() if name in imports or name in BUILTINS else reach.get(STAR, Walk()))
    whole = scene.walk | through
    definition = isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
    for name in scene.stores | (frozenset() if definition else scene.receivers):
        before = reach.get(name, Walk()) if name in scene.receivers or definition or not _plain(statement) else Walk()
        reach[name] = before | whole
    for name in scene.stores - scene.imported:
        imports.pop(name, None)
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
        eager = statement.decorator_list or statement.args.defaults or any(statement.args.kw_defaults)
        return whole if eager else Walk()
    return whole


def _plain(statement: ast.stmt) -> bool:
    """Whether the statement surely binds what it binds."""
    return isinstance(statement, (ast.Assign, ast.AnnAssign, ast.Import, ast.ImportFrom))


class _Scene(ast.NodeVisitor):
    """Walks one statement, the bodies of functions in it too."""

    def __init__(self, imports: dict[str, str]) -> None:
        self.imports = imports
        self.walk = Walk()
        self.loads: set[str] = set()
        self.stores: set[str] = set()
        self.receivers: set[str] = set()
        self.imported: set[str] = set()

    def _add(self, **found: Iterable[str]) -> None:
        self.walk |= replace(Walk(), **{name: frozenset(values) for name, values in found.items()})

    def visit_Import(self, node: ast.Import) -> None:
        self._import(imported(node))
        self._add(modules=[alias.name for alias in node.names])

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = "." * node.level + (node.module or "")
        self._import(imported(node))
        self._add(modules=[module], paths=[f"{module}.*" for alias in node.names if alias.name == "*"])

    def _import(self, names: Mapping[str, str]) -> None:
        self.imports.update(names)
        self.stores |= names.keys()
        self.imported |= names.keys()

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        """What is imported inside is known inside only."""
        self.stores.add(node.name)
        outer, imported = self.imports, set(self.imported)
        self.imports = dict(outer)
        self.generic_visit(node)
        self.imports, self.imported = outer, imported

    visit_AsyncFunctionDef = visit_FunctionDef
    visit_ClassDef = visit_FunctionDef

    def visit_Name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Load):
            self.stores.add(node.id)
            return
        self.loads.add(node.id)
        path = self.imports.get(node.id) or (f"builtins.{node.id}" if node.id in BUILTINS else "")
        if path:
            self._add(paths=[path])

    def visit_Attribute(self, node: ast.Attribute) -> None:
        path = self._path(node)
        if path:
            self._add(paths=[path])
            self.loads.add(path.partition(".")[0])
        else:
            self.visit(node.value)
        if not isinstance(node.ctx, ast.Load):
            self._receiver(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if not isinstance(node.ctx, ast.Load):
            self._receiver(node)
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str) and "://" in node.value:
            self._add(texts=[node.value])

    def visit_Call(self, node: ast.Call) -> None:
        if self._magic(node):
            return
        if isinstance(node.func, ast.Attribute) and not self._path(node.func):
            self._add(methods=[node.func.attr])
            self._receiver(node.func)
        if isinstance(node.func, ast.Name) and node.func.id == "open":
            given = [*node.args[1:2], *(found.value for found in node.keywords if found.arg == "mode"), ast.Constant("r")]
            mode = given[0]
            self._add(modes=[mode.value if isinstance(mode, ast.Constant) and isinstance(mode.value, str) else ""])
        self.generic_visit(node)

    def _magic(self, node: ast.Call) -> bool:
        """``get_ipython().run_line_magic(…)`` and its kin."""
        f = node.func
        if not (isinstance(f, ast.Attribute) and isinstance(f.value, ast.Call) and isinstance(f.value.func, ast.Name)):
            return False
        if f.value.func.id != "get_ipython":
            return False
        text = [found.value for found in node.args if isinstance(found, ast.Constant) and isinstance(found.value, str)]
        name = text[0].split()[0] if text and text[0].split() and f.attr.startswith("run_") else UNREADABLE
        if name in INLINE:
            for statement in _statements(text[-1]) if len(text) > 1 else ():
                self.visit(statement)
        else:
            self._add(magics=[name])
        return True

    def _receiver(self, node: ast.expr) -> None:
        """The name whose value a call of a method, or a store into it, may change."""
        while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
            node = node.func if isinstance(node, ast.Call) else node.value
        if isinstance(node, ast.Name) and node.id not in self.imports:
            self.receivers.add(node.id)

    def _path(self, node: ast.expr) -> str:
        return path_of(node, self.imports)

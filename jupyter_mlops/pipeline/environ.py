"""Which environment variables cells read that nobody sets in the notebook: on a cluster only declared ones are there.

Read off the usual spellings with a literal name: ``os.environ["X"]``, ``os.environ.get("X")``, ``os.getenv("X")``, and the same
on a bare ``environ`` or ``getenv``. A hint, like the rest of the plan: what it misses is missing where the step runs.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from jupyter_mlops.notebook.document import Cell
from jupyter_mlops.notebook.syntax import NotPython, translate

SET_BY_MAGIC = re.compile(r"^\s*%(?:set_)?env\s+(?P<name>\w+)[\s=]", re.MULTILINE)
EVERYWHERE = frozenset({"PATH", "HOME", "LANG", "TMPDIR", "PWD", "HOSTNAME"})
"""What every container has too."""


@dataclass(frozen=True, slots=True)
class Read:
    """Where a cell reads a variable first. ``needed``: it fails without (``os.environ["X"]``)."""

    cell: int
    name: str
    line: int
    needed: bool


def environment_reads(cells: Iterable[Cell]) -> Iterator[Read]:
    """The reads of each cell, of variables that no cell above sets; once for a cell and name."""
    given: set[str] = set(EVERYWHERE)
    for cell in cells:
        if "env" not in cell.source:  # most cells: no walk for them
            continue
        given |= {match["name"] for match in SET_BY_MAGIC.finditer(cell.source)}
        try:
            python = translate(cell.source)
        except NotPython:
            continue
        scene = _Scene()
        scene.visit(python.tree)
        given |= scene.written
        for name, (line, needed) in sorted(scene.read.items()):
            if name not in given:
                yield Read(cell.index, name, python.origin(line), needed)


@dataclass(slots=True)
class _Scene(ast.NodeVisitor):
    """Reads and writes of one cell; a name that the cell writes anywhere is its own."""

    read: dict[str, tuple[int, bool]] = field(default_factory=dict)
    written: set[str] = field(default_factory=set)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.generic_visit(node)
        name = _text(node.slice)
        if name and _is_environ(node.value):
            if isinstance(node.ctx, ast.Load):
                self._reads(name, node.lineno, needed=True)
            else:
                self.written.add(name)

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        on_environ = isinstance(node.func, ast.Attribute) and _is_environ(node.func.value)
        name = _text(node.args[0]) if node.args else ""
        if called == "update" and on_environ:
            self.written |= {key.arg for key in node.keywords if key.arg}
            for given in (one for one in node.args if isinstance(one, ast.Dict)):
                self.written |= {text for key in given.keys if key and (text := _text(key))}
        elif name and called in {"setdefault", "putenv"} and (on_environ or called == "putenv"):
            self.written.add(name)
        elif name and (called == "getenv" or (called in {"get", "pop"} and on_environ)):
            self._reads(name, node.lineno, needed=False)

    def _reads(self, name: str, line: int, *, needed: bool) -> None:
        first, before = self.read.get(name, (line, False))
        self.read[name] = (first, before or needed)


def _is_environ(node: ast.expr) -> bool:
    return (isinstance(node, ast.Attribute) and node.attr == "environ") or (isinstance(node, ast.Name) and node.id == "environ")


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""

"""Which cells use a GPU, as far as their source shows: for where to cut, and to say that a step asks for none.

A device is named in few ways that everybody uses: ``.cuda()``, ``.to("cuda")``, ``device="cuda"``, ``tree_method="gpu_hist"``,
``tf.device("/GPU:0")``, modules such as cupy. Names carry it on: a device, a value that was put on one, a function whose body
uses one. It is a hint: what it misses costs a suggestion, never a result.
"""

# ruff: noqa: N815 - the names of visitors are ast.NodeVisitor's

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jupyter_mlops.notebook.document import Cell
from jupyter_mlops.notebook.syntax import NotPython, translate

DEVICE = re.compile(r"(?:cuda|gpu|hip|rocm|xpu|hpu)(?::\d+)?|gpu_hist|/?(?:device:)?gpu:\d+", re.IGNORECASE)
MODULES = frozenset({"cupy", "cudf", "cuml", "cugraph", "pycuda", "cupyx", "cuspatial"})
WORDS = re.compile(r"cuda|gpu|hip|rocm|xpu|hpu|cupy|cudf|cuml|cugraph|cuspatial", re.IGNORECASE)
"""Without one of these, and without a name that carries a device, a cell says nothing of one."""

KEYWORDS = frozenset({"device", "device_type", "tree_method", "accelerator", "task_type", "map_location", "device_map"})
MOVES = frozenset({"to", "device", "to_device", "device_put"})
"""Methods and functions that take a device first."""


@dataclass(frozen=True, slots=True)
class Use:
    """Where a cell uses a GPU. ``sure``: it fails without one; otherwise it takes one where there is one."""

    line: int
    what: str
    sure: bool


def gpu_use(cells: Iterable[Cell]) -> Mapping[int, Use]:
    """Cell index → its first use of a GPU, for the code cells in document order."""
    carried: dict[str, bool] = {}
    found: dict[int, Use] = {}
    for cell in cells:
        if not carried and not WORDS.search(cell.source):
            continue
        try:
            python = translate(cell.source)
        except NotPython:
            continue
        scene = _Scene(carried)
        scene.visit(python.tree)
        carried = scene.carried
        if scene.uses:
            line, what, sure = scene.uses[0]
            found[cell.index] = Use(python.origin(line), what, sure)
    return found


class _Scene(ast.NodeVisitor):
    """Walks one cell. ``carried``: name → whether what it carries is surely on a GPU."""

    def __init__(self, carried: Mapping[str, bool], *, inside: bool = False) -> None:
        """``inside``: within a definition, where functions of its own count as called."""
        self.carried = dict(carried)
        self.inside = inside
        self.uses: list[tuple[int, str, bool]] = []

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.name.partition(".")[0] in MODULES:
                self.carried[alias.asname or alias.name.partition(".")[0]] = True

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if (node.module or "").partition(".")[0] in MODULES:
            self.carried |= dict.fromkeys((alias.asname or alias.name for alias in node.names), True)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        """What is only defined uses nothing yet; its name carries it to whoever calls it."""
        inner = _Scene(self.carried, inside=True)
        for statement in node.body:
            inner.visit(statement)
        self.carried.pop(node.name, None)
        if inner.uses:
            self.carried[node.name] = inner.uses[0][2]
            if self.inside:
                self.uses.append(inner.uses[0])

    visit_AsyncFunctionDef = visit_FunctionDef
    visit_ClassDef = visit_FunctionDef

    def visit_Assign(self, node: ast.Assign) -> None:
        self._bind(node.targets, node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._bind([node.target], node.value)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load) and node.id in self.carried:
            self.uses.append((node.lineno, node.id, self.carried[node.id]))

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        given = [*node.args[:1], *(keyword.value for keyword in node.keywords if keyword.arg in KEYWORDS)]
        if name == "cuda" and isinstance(node.func, ast.Attribute):
            self.uses.append((node.lineno, ast.unparse(node)[:60], True))
        elif name in MOVES or any(keyword.arg in KEYWORDS for keyword in node.keywords):
            sure = next((sure for one in given if (sure := self._device(one)) is not None), None)
            if sure is not None:
                self.uses.append((node.lineno, ast.unparse(node)[:60], sure))

    def visit_Dict(self, node: ast.Dict) -> None:
        self.generic_visit(node)
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and key.value in KEYWORDS and (sure := self._device(value)) is not None:
                self.uses.append((value.lineno, f"{key.value}={ast.unparse(value)}"[:60], sure))

    def _bind(self, targets: list[ast.expr], value: ast.expr) -> None:
        """A name takes on what its value names. Naming a device, or options that do, is no use of it yet."""
        before = len(self.uses)
        self.visit(value)
        sure = self.uses[before][2] if len(self.uses) > before else device(value)
        if isinstance(value, (ast.Dict, ast.Constant, ast.IfExp)) or _names_device(value):
            del self.uses[before:]
        moved = isinstance(value, ast.Call) and len(self.uses) > before and self.uses[-1][1] == ast.unparse(value)[:60]
        for target in targets:
            self.visit(target)
            for part in ast.walk(target):
                if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                    self.carried.pop(part.id, None)
                    if sure is not None and (moved or len(self.uses) == before):
                        self.carried[part.id] = sure

    def _device(self, value: ast.expr) -> bool | None:
        """As ``device``, names included."""
        return self.carried.get(value.id) if isinstance(value, ast.Name) else device(value)


def _names_device(value: ast.expr) -> bool:
    """``torch.device("cuda")``, which makes a name for a device."""
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "device"


def device(value: ast.expr) -> bool | None:
    """Whether an expression surely is a GPU; None where it is no device that is spelled out."""
    if isinstance(value, ast.Constant):
        return True if isinstance(value.value, str) and DEVICE.fullmatch(value.value) else None
    if isinstance(value, ast.IfExp):
        return False if any(device(part) is not None for part in (value.body, value.orelse)) else None
    if _names_device(value) and isinstance(value, ast.Call) and value.args:
        return device(value.args[0])
    return None

"""Whether a cell leaves every object alone that was there before it: then no other name for one can show a change.

The data flow knows names, and two names of one object where an assignment shows it. An object reached through a container, a
module in a list, an instance's class, a bound method is one object with names that it does not see. So a proof of independence
asks for more: each change that a cell makes is made to what the cell itself has just made, by its own name. What is not surely
such a change counts as one of something older. This costs lanes that a run then shows to be possible, and never a result.
"""

# ruff: noqa: N815 - the names of visitors are ast.NodeVisitor's

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from jupyter_mlops.dataflow import effects
from jupyter_mlops.dataflow.calls import argument, called_name
from jupyter_mlops.dataflow.facts import CellFacts
from jupyter_mlops.dataflow.table import CHANGES, Effect, table
from jupyter_mlops.notebook.document import Cell
from jupyter_mlops.notebook.syntax import NotPython, translate
from jupyter_mlops.pipeline.walks import BUILTINS, imported, path_of

ITERATORS = frozenset({"iter", "zip", "map", "filter", "enumerate", "reversed"})
"""Builtins whose value is used up by whoever looks at it; so is all of ``itertools``."""

SPELT = re.compile(rf"\b(?:{'|'.join(sorted(ITERATORS))})\b")

CONSUMERS = frozenset("list tuple set frozenset dict sorted sum min max any all len str Counter deque OrderedDict join".split())  # noqa: SIM905
"""What leaves no iterator behind of those that it is given."""

FRESH = frozenset("list dict set sorted tuple frozenset bytearray str int float bool complex range".split())  # noqa: SIM905
FRESH_PATHS = frozenset(f"collections.{name}" for name in ("Counter", "deque", "defaultdict", "OrderedDict")) | {"copy.deepcopy"}
"""Calls whose value is a new object that holds no memory of another."""

DISPLAYS = (
    ast.List, ast.Dict, ast.Set, ast.Tuple, ast.ListComp, ast.DictComp, ast.SetComp, ast.Constant, ast.JoinedStr, ast.Compare,
)  # fmt: skip

TARGETS = (ast.Tuple, ast.List, ast.Starred)
"""Expressions that bind the names in them."""

SCOPES = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
"""Those whose own names are not the cell's."""

REACHING = frozenset(f"builtins.{name}" for name in "setattr delattr getattr vars next super type object".split()) | {  # noqa: SIM905
    "functools.update_wrapper", "functools.wraps", "functools.cache", "functools.lru_cache", "functools.cached_property",
    "functools.singledispatch", "calendar.setfirstweekday", "struct.pack_into", "json.dump", "types.MethodType",
}  # fmt: skip
"""Functions that reach into what they are given, or remember it, though the table of effects may call them pure."""

REACHING_MODULES = frozenset({"operator"})
"""Those whose functions stand for methods and operators."""

DECORATORS = frozenset({"dataclass", "dataclasses.dataclass", "staticmethod", "classmethod", "property"})


@dataclass(slots=True)
class _Known:
    """What the cells so far say of the notebook's names."""

    imports: dict[str, str] = field(default_factory=dict)
    loud: set[str] = field(default_factory=set)
    """Functions and classes whose call may change something older."""

    code: set[str] = field(default_factory=set)
    methods: set[str] = field(default_factory=set)
    """Names of methods of the notebook's classes that may."""

    draining: set[str] = field(default_factory=set)
    """Names that may lead to an iterator."""

    growing: bool = False
    """There is a ``defaultdict``, which changes when it is asked."""

    source: str = ""
    """Of the cell that is looked at: what it does not spell need not be searched for in its tree."""

    lost: bool = False
    """A class changes something where no call is seen: by an operator, a property, an iteration."""


def quiet(cells: Iterable[Cell], facts: Mapping[int, CellFacts]) -> frozenset[int]:
    """The cells that change nothing that was there before them.

    Args:
        cells: the code cells that run, in document order.
        facts: of each of them.
    """
    known = _Known()
    found = set()
    for cell in cells:
        try:
            body = translate(cell.source).tree.body
        except NotPython:
            known.lost = True
            continue
        known.source = cell.source
        above = facts[cell.index].refs | facts[cell.index].closure_refs
        scene = _Scene(known, _fresh(body, known) - above)
        for statement in body:
            scene.visit(statement)
        if not scene.loud and not known.lost and not (above & known.draining):
            found.add(cell.index)
    return frozenset(found)


def _fresh(body: Iterable[ast.stmt], known: _Known) -> frozenset[str]:
    """Names that only ever get new objects in these statements, those of functions and classes in them left out."""
    made: dict[str, bool] = {}
    todo: list[ast.AST] = list(body)
    while todo:
        node = todo.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            made[node.name] = False
            continue
        if isinstance(node, ast.Assign) and all(isinstance(target, ast.Name) for target in node.targets):
            new = len(node.targets) == 1 and _is_new(node.value, known)
            for target in node.targets:
                if isinstance(target, ast.Name):
                    made[target.id] = made.get(target.id, True) and new
            todo.append(node.value)
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            todo.append(node.value)
        else:
            made.update(dict.fromkeys(_bound(node), False))
            hidden = ":=" in known.source and not isinstance(node, SCOPES)
            if hidden or not isinstance(node, ast.expr) or isinstance(node, TARGETS):
                todo += ast.iter_child_nodes(node)
    return frozenset(name for name, new in made.items() if new)


def _bound(node: ast.AST) -> Iterable[str]:
    """Names that a node gives to something, in another way than by an assignment."""
    if isinstance(node, ast.Name):
        return () if isinstance(node.ctx, ast.Load) else (node.id,)
    if isinstance(node, (ast.Global, ast.Nonlocal)):
        return node.names
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return imported(node)
    if isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)):
        return (node.name,) if node.name else ()
    return (node.rest,) if isinstance(node, ast.MatchMapping) and node.rest else ()


def _is_new(value: ast.expr, known: _Known) -> bool:
    """Whether an expression makes an object that nobody else has."""
    if isinstance(value, DISPLAYS):
        return True
    if not isinstance(value, ast.Call):
        return False
    path = path_of(value.func, known.imports)
    if isinstance(value.func, ast.Name) and not path:
        return value.func.id in FRESH and value.func.id not in known.code
    made = table().class_of(path) if path else ""
    reads = path.rpartition(".")[2].startswith("read_")
    return path in FRESH_PATHS or (bool(made) and reads)


class _Scene(ast.NodeVisitor):
    """Walks code that runs; ``loud`` once it may change something older."""

    def __init__(self, known: _Known, fresh: frozenset[str], itself: str = "") -> None:
        self.known = known
        self.fresh = fresh
        self.itself = itself
        """The new instance, in ``__init__``."""

        self.loud = False

    # -- what binds ----------------------------------------------------------------------------------------------------------

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        names = imported(node)
        self.known.imports.update(names)
        self.known.growing |= any(path.rpartition(".")[2] == "defaultdict" for path in names.values())

    visit_ImportFrom = visit_Import

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Nothing happens yet but decorators and defaults; what its call would do is kept with its name."""
        for part in [*node.args.defaults, *(d for d in node.args.kw_defaults if d)]:
            self.visit(part)
        self.known.code.add(node.name)
        self.known.loud.discard(node.name)
        if self._body(node) or not self._decorated(node):
            self.known.loud.add(node.name)
        if "yield" in self.known.source and any(isinstance(inner, (ast.Yield, ast.YieldFrom)) for inner in ast.walk(node)):
            self.known.draining.add(node.name)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Its body runs; its methods are known by name, wherever they are called."""
        for base in [*node.bases, *(k.value for k in node.keywords)]:
            self.visit(base)
        self.known.code.add(node.name)
        loud = not self._decorated(node)
        for part in node.body:
            if not isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self.visit(part)
            elif self._body(part, part.name == "__init__"):
                loud |= part.name in {"__init__", "__new__"}
                self.known.methods.add(part.name)
                hidden = part.decorator_list or (part.name.startswith("__") and part.name != "__init__")
                self.known.lost |= bool(hidden)
        if loud:
            self.known.loud.add(node.name)

    def _decorated(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
        """Whether its decorators leave it what it is."""
        heads = [part.func if isinstance(part, ast.Call) else part for part in node.decorator_list]
        paths = [path_of(head, self.known.imports) or (head.id if isinstance(head, ast.Name) else "") for head in heads]
        return all(path in DECORATORS or path.endswith(".setter") for path in paths)

    def _body(self, node: ast.FunctionDef | ast.AsyncFunctionDef, starts: bool = False) -> bool:
        """Whether a call may change something older than itself."""
        given = {a.arg for a in ast.walk(node.args) if isinstance(a, ast.arg)}
        itself = node.args.args[0].arg if starts and node.args.args else ""
        known = replace(self.known, imports=dict(self.known.imports))
        inner = _Scene(known, _fresh(node.body, self.known) - given, itself)
        for statement in node.body:
            inner.visit(statement)
        self.known.growing |= known.growing
        self.known.lost |= known.lost
        return inner.loud

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """Whoever has it may call it: its body counts where it stands."""
        given = {a.arg for a in ast.walk(node.args) if isinstance(a, ast.arg)}
        kept, self.fresh = self.fresh, self.fresh - given
        self.visit(node.body)
        self.fresh = kept

    def visit_Global(self, _: ast.Global) -> None:
        self.loud = True

    visit_Nonlocal = visit_With = visit_AsyncWith = visit_AsyncFor = visit_Await = visit_Global  # type: ignore[assignment]

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        known = self.known
        if not (
            known.draining or SPELT.search(known.source) or any(path.startswith("itertools") for path in known.imports.values())
        ):
            return
        if self._drains(node.value) or any(
            isinstance(inner, ast.Name) and inner.id in self.known.draining for inner in ast.walk(node.value)
        ):
            names = {inner.id for target in node.targets for inner in ast.walk(target) if isinstance(inner, ast.Name)}
            self.known.draining |= names

    def _drains(self, value: ast.AST) -> bool:
        """Whether an iterator may be left in the value."""
        if isinstance(value, ast.Call):
            name = called_name(value.func)
            path = path_of(value.func, self.known.imports)
            if (name in ITERATORS and not path) or path.startswith("itertools."):
                return True
            if name in CONSUMERS:
                return False
        return any(self._drains(inner) for inner in ast.iter_child_nodes(value))

    # -- what changes --------------------------------------------------------------------------------------------------------

    def _own(self, node: ast.expr) -> bool:
        """Whether an expression is a name of what this code has made."""
        return isinstance(node, ast.Name) and node.id in self.fresh

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.ctx, ast.Load):
            mutator = node.attr in effects.MUTATORS or node.attr in self.known.methods or node.attr.startswith("__")
            path = path_of(node, self.known.imports)
            self.loud |= self._reaches(path) if path else mutator
        elif not (self._own(node.value) or (isinstance(node.value, ast.Name) and node.value.id == self.itself != "")):
            self.loud = True
        self.visit(node.value)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if self.known.growing or not isinstance(node.ctx, ast.Load):
            self.loud |= not self._own(node.value)
        self.visit(node.value)
        self.visit(node.slice)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self.loud |= not self._own(node.target)
        else:
            self.visit(node.target)
        self.visit(node.value)

    # -- calls ---------------------------------------------------------------------------------------------------------------

    def visit_Call(self, node: ast.Call) -> None:
        path = path_of(node.func, self.known.imports)
        if path:
            self._function(node, path)
        elif isinstance(node.func, ast.Name):
            self._named(node, node.func.id)
        elif isinstance(node.func, ast.Attribute):
            self._method(node, node.func)
            self.visit(node.func.value)
        else:
            self.loud = True
            self.visit(node.func)
        for given in [*node.args, *(k.value for k in node.keywords)]:
            self.visit(given)

    def _named(self, node: ast.Call, name: str) -> None:
        """``name(…)``: a function or class of the notebook, a builtin, or a value that nobody knows."""
        if name in self.known.code:
            self.loud |= name in self.known.loud
        elif name in BUILTINS:
            self._function(node, f"builtins.{name}")
        else:
            self.loud = True

    def _function(self, node: ast.Call, path: str) -> None:
        """A function of a module: what it does to its arguments."""
        name = path.rpartition(".")[2]
        self.loud |= self._reaches(path)
        self.known.growing |= path == "collections.defaultdict"
        changed = effects.argument_effects(path)
        if name in effects.ARGUMENT_MUTATORS:
            changed = [*changed, Effect("argument", effects.ARGUMENT_MUTATORS[name])]
        given = [found for effect in changed if (found := argument(node, effect)) is not None]
        given += [k.value for k in node.keywords if k.arg in {"out", "file", "inplace"}]
        self.loud |= any(not self._own(found) for found in given)
        self.loud |= bool(changed) and any(isinstance(found, ast.Starred) for found in node.args)

    def _method(self, node: ast.Call, func: ast.Attribute) -> None:
        """A method of a value: whether it changes it, or what it is given."""
        kinds = table().known("", func.attr)
        named = {k.arg for k in node.keywords}
        changes = bool(kinds & CHANGES) or "inplace" in named or effects.changes_receiver(func.attr, discarded=True)
        self.loud |= changes and not (self._own(func.value) or isinstance(func.value, DISPLAYS))
        self.loud |= func.attr in self.known.methods or "out" in named or "argument" in kinds

    def visit_Name(self, node: ast.Name) -> None:
        """A function that is handed on may be called by whoever gets it; so may a builtin that reaches into things."""
        if isinstance(node.ctx, ast.Load):
            path = self.known.imports.get(node.id) or (f"builtins.{node.id}" if node.id in BUILTINS else "")
            self.loud |= node.id in self.known.loud or self._reaches(path)

    def _reaches(self, path: str) -> bool:
        """Whether a function reaches into what it is given, now or when somebody calls it."""
        return path in REACHING or path.rpartition(".")[0] in REACHING_MODULES

"""Names, assignments and imports: where names get values, and where a value gets a second name.

``y = x`` and ``a = b = []`` make one object with several names; a change through one of them is a change of all. Names bound
by an import are code: a store into a module (``os.environ["A"] = …``) is setup of the process, no value of the notebook.
"""

# ruff: noqa: N802 - the names of visitors are ast.NodeVisitor's

from __future__ import annotations

import ast
from collections.abc import Mapping

from jupyter_mlops.dataflow.facts import Definition
from jupyter_mlops.dataflow.flow import Flow
from jupyter_mlops.dataflow.groups import Groups

ARRAYS = frozenset({"numpy.ndarray", "torch.Tensor"})
"""Whose slices are views, and which every ``+=`` changes in place."""

CHANGEABLE = ARRAYS | {f"builtins.{name}" for name in ("list", "set", "dict", "bytearray")} | {"collections.deque"}
"""Classes that ``+=`` and its kin change in place."""

CONSTANT = frozenset(f"builtins.{name}" for name in ("str", "int", "float", "bool", "complex", "bytes", "tuple", "frozenset"))
"""Classes that it never changes."""

IN_PLACE = (ast.List, ast.ListComp, ast.Set, ast.SetComp, ast.Dict, ast.DictComp)
"""What only containers take by ``+=`` and ``|=``: such a statement changes its target in place."""


DISPLAYS: Mapping[type[ast.expr], str] = {
    ast.List: "builtins.list", ast.ListComp: "builtins.list", ast.Dict: "builtins.dict", ast.DictComp: "builtins.dict",
    ast.Set: "builtins.set", ast.SetComp: "builtins.set", ast.Tuple: "builtins.tuple", ast.JoinedStr: "builtins.str",
}  # fmt: skip
"""Expression → class of its value."""


def root(node: ast.expr) -> str | None:
    """Name at the root of ``a.b[c].d``; None where there is none."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Starred)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _alternatives(value: ast.expr) -> list[str]:
    """Names that an expression may simply be: ``a if c else b``, ``a or b``."""
    parts = [value.body, value.orelse] if isinstance(value, ast.IfExp) else value.values if isinstance(value, ast.BoolOp) else []
    return [part.id for part in parts if isinstance(part, ast.Name)]


def names_in(node: ast.AST) -> set[str]:
    """Names that a tree mentions."""
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}


def free_names(annotation: ast.expr) -> set[str]:
    """Names that an annotation takes from around it: not those of comprehensions and lambdas in it."""
    own = {inner.id for inner in ast.walk(annotation) if isinstance(inner, ast.Name) and not isinstance(inner.ctx, ast.Load)}
    return names_in(annotation) - own - {inner.arg for inner in ast.walk(annotation) if isinstance(inner, ast.arg)}


class Bindings(Flow):
    """Walks what binds names."""

    def visit_Name(self, node: ast.Name) -> None:
        """A name by its context: read, bound or deleted."""
        self.at(node.lineno)
        if isinstance(node.ctx, ast.Load):
            self.read(node.id)
        elif isinstance(node.ctx, ast.Store):
            self.bind(node.id, classes=self.classes_in_play())
        else:
            self.delete(node.id)

    def visit_Assign(self, node: ast.Assign) -> None:
        """``a = b = value``."""
        self.visit(node.value)
        moved = self._moved(node)
        for target in node.targets:
            self.visit(target)
        if len(moved) > 1:
            self.share.join(sorted(moved))
        names = [t.id for t in node.targets if isinstance(t, ast.Name) and t.id not in self.shadow]
        self._alias(names, node)
        for name in names:
            bind = self.draft.defs[name]
            if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
                bind.const = node.value.value
            bind.unstorable = self.unstorable(node.value)
            bind.kind = self.kind_of(node.value)
        if not names:
            self._parts(node)

    def _moved(self, node: ast.Assign) -> set[str]:
        """``a, b = b, a``: names whose objects get other names, with all that is one with them; one group is a safe guess."""
        target = node.targets[0]
        if not (isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)):
            return set()
        given = [part.id for part in node.value.elts if isinstance(part, ast.Name) and part.id not in self.shadow]
        taken = {part.id for part in target.elts if isinstance(part, ast.Name) and part.id not in self.shadow}
        objects = [name for name in given if not self.is_code(name)]
        return taken.union(*(self.same(name) for name in objects)) if objects else set()

    def kind_of(self, value: ast.expr) -> str:
        """The class of a value, as far as its expression shows it; ''."""
        if isinstance(value, ast.Name):
            bind = self.bind_of(value.id)
            return bind.kind if bind is not None and bind.certain else ""
        if isinstance(value, ast.Constant):
            return f"builtins.{type(value.value).__name__}"
        return next((kind for form, kind in DISPLAYS.items() if isinstance(value, form)), "")

    def _parts(self, node: ast.Assign) -> None:
        """``fig, ax = plt.subplots()``: a figure holds its axes."""
        target = node.targets[0]
        if isinstance(target, ast.Tuple) and self.kind_of(node.value) == "matplotlib.Axes":
            names = [element.id for element in target.elts if isinstance(element, ast.Name) and element.id not in self.shadow]
            for name, kind in zip(names, ("matplotlib.Figure", "matplotlib.Axes"), strict=False):
                self.draft.defs[name].kind = kind
            self.share.join(names)

    def view_of(self, value: ast.expr) -> str | None:
        """The name whose memory the value shows: ``a`` of ``a.T[1:]``."""
        raise NotImplementedError

    def unstorable(self, value: ast.expr) -> str:
        """What a value surely is, where no store can hold it; ''."""
        return "a generator" if isinstance(value, ast.GeneratorExp) else ""

    def _alias(self, names: list[str], node: ast.Assign) -> None:
        """Several names for one object: ``a = b = …`` and ``y = x``; a view shares. Constants cannot change: no group."""
        if isinstance(node.value, ast.Constant):
            return
        source = node.value.id if isinstance(node.value, ast.Name) and not self.is_code(node.value.id) else None
        same = [*names, source] if source and source not in self.shadow else names
        if names and len(same) > 1:
            self.alias.join(same)
        shown = self.view_of(node.value) if names and source is None else None
        may_be = [name for name in (shown, *_alternatives(node.value)) if name and name not in self.shadow and name not in names]
        if names and may_be and not all(self.is_code(name) for name in may_be):
            self.share.join([*names, *may_be])

    def is_code(self, name: str) -> bool:
        """Whether a name is bound to a definition: handed over by running its statement, so never in a group."""
        bind = self.bind_of(name)
        return bind is not None and bind.code is not None

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        """``x += 1`` reads and binds; where ``x`` has a second name, that object may change in place."""
        self.visit(node.value)
        if not isinstance(node.target, ast.Name):
            self.visit(node.target)
            return
        name = node.target.id
        self.at(node.lineno)
        self.read(name)
        kind, one, shared = self.kind_of(node.target), self.alias.of(name), self.share.of(name)
        others = self.same(name) - {name}
        stays = isinstance(node.value, IN_PLACE) or kind in CHANGEABLE
        may_stay = not isinstance(node.value, ast.Constant) and kind not in CONSTANT
        if others and (stays or may_stay):
            self.mutate(name)
        self.bind(name, classes=self.classes_in_play())
        if name in self.draft.defs:
            self.draft.defs[name].kind = kind
        if stays:
            self._together(self.alias, one)
        if stays or may_stay:
            self._together(self.share, shared if stays else shared | one)

    def _together(self, groups: Groups, names: frozenset[str]) -> None:
        if len(names) > 1:
            groups.join(sorted(names))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """``x: int = 1`` binds, ``x: int`` does not; the annotation is evaluated unless it is text or put off."""
        self.types(node.annotation)
        if node.value is not None:
            self.visit(node.value)
            self.visit(node.target)
            if isinstance(node.target, ast.Name) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
                bind = self.draft.defs.get(node.target.id)
                if bind is not None:
                    bind.const = node.value.value
        elif not isinstance(node.target, ast.Name):
            self.visit(node.target.value)

    def types(self, annotation: ast.expr | None) -> frozenset[str]:
        """Read the names of an annotation that is evaluated where it stands."""
        if annotation is None or self.lazy or isinstance(annotation, ast.Constant):
            return frozenset()
        names = free_names(annotation)
        for name in names:
            self.read_type(name)
        return frozenset(names)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """``a.b``: a store changes ``a``."""
        self.visit(node.value)
        self._store_into(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        """``a[b]``: a store changes ``a``."""
        self.visit(node.value)
        self.visit(node.slice)
        self._store_into(node)

    def _store_into(self, node: ast.Attribute | ast.Subscript) -> None:
        if isinstance(node.ctx, ast.Load):
            return
        name = root(node)
        if name is not None and self.is_module(name):
            self.draft.setup.append(ast.unparse(node))
        else:
            self.mutate(name)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        """``(x := 1)``: inside a comprehension it binds outside of it, on some rounds."""
        self.visit(node.value)
        name = node.target.id
        if name not in self.shadow:
            self.bind(name, certain=not self.shadow)

    # -- patterns ----------------------------------------------------------------------------------------------------------

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        """``case pattern as name``."""
        if node.pattern:
            self.visit(node.pattern)
        if node.name:
            self.bind(node.name)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        """``case [first, *rest]``."""
        if node.name:
            self.bind(node.name)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        """``case {"key": value, **rest}``."""
        self.generic_visit(node)
        if node.rest:
            self.bind(node.rest)

    # -- imports -----------------------------------------------------------------------------------------------------------

    def visit_Import(self, node: ast.Import) -> None:
        """``import a.b`` binds ``a``; ``import a.b as c`` binds ``c``."""
        for alias in node.names:
            self.bind(alias.asname or alias.name.split(".")[0], code=Definition("import", module=alias.name))
            self._local_file(alias.name)
            self.asks_module(alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """``from a import b``; a future import stays in force for later cells, as IPython keeps it."""
        module = "." * node.level + (node.module or "")
        if module == "__future__":
            self.lazy |= any(alias.name == "annotations" for alias in node.names)
            return
        self._local_file(module)
        self.asks_module(module)
        for alias in node.names:
            if alias.name == "*":
                self.draft.stars.append(module)
                self.draft.star_lines.setdefault(module, self.context.line)
            else:
                self.bind(alias.asname or alias.name, code=Definition("import", module=f"{module}:{alias.name}"))

    def _local_file(self, module: str) -> None:
        """The file an import reads if a cell wrote it with ``%%writefile``."""
        name = module.lstrip(".").split(".")[0]
        if name:
            self.draft.modules.add(f"{name}.py")

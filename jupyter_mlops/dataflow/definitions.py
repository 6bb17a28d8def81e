"""Functions, classes, lambdas, comprehensions, type aliases: code, and scopes of its own.

What a definition reads when its statement runs (defaults, decorators, bases) is kept apart from what its body reads when it is
called: the first is taken where it stands, the second where it is used. That order is Python's late binding.
"""

# ruff: noqa: N802, N815 - the names of visitors are ast.NodeVisitor's

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from jupyter_mlops.dataflow.bindings import Bindings, free_names, names_in
from jupyter_mlops.dataflow.facts import Definition, DefinitionKind, Doubt, Question
from jupyter_mlops.dataflow.names import BUILTINS, Layered

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Comprehension = ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp


def parameters(node: Function) -> list[ast.arg]:
    """All parameters of a function."""
    a = node.args
    return [*a.posonlyargs, *a.args, *a.kwonlyargs, *(x for x in (a.vararg, a.kwarg) if x)]


def _defaults(node: Function, changed: set[str]) -> frozenset[str]:
    """Names whose objects are defaults of parameters that the body changes: ``def f(x, seen=cache)``."""
    a = node.args
    plain = [*a.posonlyargs, *a.args]
    given = [*zip(plain[len(plain) - len(a.defaults) :], a.defaults, strict=True), *zip(a.kwonlyargs, a.kw_defaults, strict=True)]
    return frozenset(value.id for parameter, value in given if isinstance(value, ast.Name) and parameter.arg in changed)


def type_parameters(node: ast.AST) -> set[str]:
    """Names of the type parameters of a generic definition (Python 3.12)."""
    return {p.name for p in getattr(node, "type_params", ())}


class Definitions(Bindings):
    """Walks what makes code and scopes."""

    def _inside(self, *, lazy: bool, shadow: Iterable[str] = ()) -> Definitions:
        """A walker for a scope within this one."""
        inner = type(self)(self.context, Layered(self.draft.defs, self.above), shadow=shadow)
        inner.lazy = lazy
        return inner

    # -- functions ---------------------------------------------------------------------------------------------------------

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """A def at any place of the cell."""
        eager, beside, types = self._signature(node)
        line = self.context.line
        code = self._function(node, "function", eager, beside, types, node.name)
        self.context.line = line
        self.bind(node.name, code=code)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Assign(self, node: ast.Assign) -> None:
        """``f = lambda …`` is a definition, other assignments bind values."""
        if isinstance(node.value, ast.Lambda) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            eager, beside, types = self._signature(node.value)
            self.bind(node.targets[0].id, code=self._function(node.value, "lambda", eager, beside, types, ""))
        else:
            super().visit_Assign(node)

    def _signature(self, node: Function) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
        """Walk what runs where the function is made: (names from above, names of this cell, names in annotations)."""
        draft = self.draft
        kept = draft.refs, draft.closure_refs
        draft.refs, draft.closure_refs = set(), set()
        decorators: list[ast.expr] = [] if isinstance(node, ast.Lambda) else node.decorator_list
        before = self.statement_reads
        self.statement_reads = set()
        for part in [*decorators, *node.args.defaults, *(d for d in node.args.kw_defaults if d)]:
            self.visit(part)
        beside = frozenset(name for name in self.statement_reads if name in draft.defs)
        self.statement_reads |= before
        eager = frozenset(draft.refs | draft.closure_refs)
        draft.refs, draft.closure_refs = kept[0] | draft.refs, kept[1] | draft.closure_refs
        own = type_parameters(node)
        self.shadow += own
        annotations = [parameter.annotation for parameter in parameters(node)]
        if not isinstance(node, ast.Lambda):
            annotations.append(node.returns)
        types = frozenset(name for annotation in annotations for name in self.types(annotation)) - own
        if own:
            del self.shadow[-len(own) :]
        return eager, beside, types

    def _function(
        self, node: Function, kind: DefinitionKind, eager: frozenset[str], beside: frozenset[str], types: frozenset[str], name: str
    ) -> Definition:
        """What a function does when it is called."""
        free = self.context.scopes.free(node)
        inner = self._inside(lazy=True)
        inner.block([ast.copy_location(ast.Expr(node.body), node.body)] if isinstance(node, ast.Lambda) else node.body)
        every = {parameter.arg for parameter in parameters(node)}
        reads = free.reads | (free.unsure & inner.draft.refs) | (inner.draft.quoted - every)
        return Definition(
            kind,
            eager=eager,
            beside=beside,
            types=types,
            deferred=frozenset(n for n in reads if n not in BUILTINS or n in self.above or n in self.draft.defs) - {name},
            writes=free.writes,
            mutates=frozenset(inner.draft.mutates & reads) | _defaults(node, inner.draft.mutates),
            params=tuple(a.arg for a in [*node.args.posonlyargs, *node.args.args]),
            mutates_params=frozenset(inner.draft.mutates & every),
            questions=tuple(q for q in _questions(inner) if q.name in reads),
            doubts=tuple(_doubts(inner, reads)),
        )

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """A lambda that is not bound to a name counts as called where it stands."""
        for default in [*node.args.defaults, *(d for d in node.args.kw_defaults if d)]:
            self.visit(default)
        own = {inner.target.id for inner in ast.walk(node.body) if isinstance(inner, ast.NamedExpr)}
        self._scoped({parameter.arg for parameter in parameters(node)} | own, [node.body])

    # -- classes -----------------------------------------------------------------------------------------------------------

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """The body runs where it stands, in a scope of its own; methods run when they are called."""
        draft = self.draft
        line = self.context.line
        kept = draft.refs, draft.closure_refs, draft.type_refs
        draft.refs, draft.closure_refs, draft.type_refs = set(), set(), set()
        before = self.statement_reads
        self.statement_reads = set()
        own = type_parameters(node)
        for part in [*node.decorator_list, *node.bases, *(k.value for k in node.keywords)]:
            self.visit(part)
        inner = self._inside(lazy=self.lazy, shadow=[*self.shadow, *own])
        inner.must = set()
        inner.block(node.body)
        for name in sorted(inner.draft.refs | inner.draft.closure_refs):
            self.read(name)
        for name in inner.draft.type_refs - own - inner.draft.defs.keys():
            self.read_type(name)
        beside = frozenset(name for name in self.statement_reads if name in draft.defs)
        eager, types = frozenset(draft.refs | draft.closure_refs), frozenset(draft.type_refs)
        draft.refs, draft.closure_refs = kept[0] | draft.refs, kept[1] | draft.closure_refs
        draft.type_refs = kept[2] | draft.type_refs
        self.statement_reads |= before
        draft.doubts += inner.draft.doubts
        draft.questions += inner.draft.questions
        methods = [bind.code for bind in inner.draft.defs.values() if bind.code]
        self.context.line = line
        self.bind(
            node.name,
            code=Definition(
                "class",
                eager=eager,
                beside=beside,
                types=types,
                deferred=frozenset(n for code in methods for n in code.deferred) - {node.name} - own,
                writes=frozenset(n for code in methods for n in code.writes),
                mutates=frozenset(n for code in methods for n in code.mutates),
                questions=tuple(q for code in methods for q in code.questions),
                doubts=tuple(d for code in methods for d in code.doubts),
            ),
        )

    # -- other scopes --------------------------------------------------------------------------------------------------------

    def _scoped(self, names: set[str], nodes: Sequence[ast.expr]) -> None:
        """Walk nodes with names that are local to them."""
        size = len(self.shadow)
        self.shadow += names
        for node in nodes:
            self.visit(node)
        del self.shadow[size:]

    def _comprehension(self, node: Comprehension) -> None:
        """The first iterable is evaluated outside; the rest in a scope of its own, perhaps never."""
        self.visit(node.generators[0].iter)
        targets = set().union(*(names_in(g.target) for g in node.generators))
        rest = [g.iter for g in node.generators[1:]] + [condition for g in node.generators for condition in g.ifs]
        made = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        self._scoped(targets, [*rest, *made])

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension

    def visit_TypeAlias(self, node: ast.AST) -> None:
        """``type X = …`` (Python 3.12): the value is evaluated when somebody looks at it."""
        name: ast.Name = node.name  # type: ignore[attr-defined]
        types = free_names(node.value) - type_parameters(node)  # type: ignore[attr-defined]
        for inner in types:
            self.read_type(inner)
        self.bind(name.id, code=Definition("type", types=frozenset(types)))


def _questions(walker: Definitions) -> list[Question]:
    """Questions of a body and of the functions and classes in it."""
    inner = [q for bind in walker.draft.defs.values() if bind.code for q in bind.code.questions]
    return [*walker.draft.questions, *inner]


def _doubts(walker: Definitions, reads: frozenset[str]) -> list[Doubt]:
    """Doubts of a body, as far as their name is one of the notebook: ``for _ in …`` is not IPython's history."""
    inner = [d for bind in walker.draft.defs.values() if bind.code for d in bind.code.doubts]
    found = [d for d in walker.draft.doubts if d.kind != "history" or d.what in reads]
    local = [d for d in found if d.what not in {"locals()", "vars()"}]  # a function's own names
    return list(dict.fromkeys([*local, *inner]))

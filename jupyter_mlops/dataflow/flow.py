"""Statements in the order of their evaluation: blocks, branches, loops.

Branches start from the same state and join by intersection: what every arm that goes on has bound is surely bound after. An
arm that raises or returns does not count; one that leaves a loop counts where the loop ends.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, ClassVar

from jupyter_mlops.dataflow.names import Names
from jupyter_mlops.dataflow.quoted import quoted_names

Arm = Callable[[], bool]
"""Walks one branch; whether it goes on behind the statement."""

LEAVES = (ast.Raise, ast.Return, ast.Continue, ast.Break)


class Flow(Names, ast.NodeVisitor):
    """Walks control flow; expressions and bindings are the business of the classes on top."""

    _exits: list[set[str]] | None = None
    """States in which ``break`` left the innermost loop, or None outside loops."""

    _rounds: list[set[str]] | None = None
    """States in which ``continue`` began the next round."""

    _visitors: ClassVar[dict[type[ast.AST], Callable[[Any, Any], Any]]] = {}

    def __init_subclass__(cls) -> None:
        """Each class looks its own visitors up, once for each kind of node."""
        cls._visitors = {}

    def visit(self, node: ast.AST) -> None:
        """As the base class does, without spelling the visitor's name for each of a notebook's nodes."""
        visitors = self._visitors
        kind = node.__class__
        if kind not in visitors:
            visitors[kind] = getattr(type(self), f"visit_{kind.__name__}", type(self).generic_visit)
        visitors[kind](self, node)

    def generic_visit(self, node: ast.AST) -> None:
        """All that hangs on a node, in order; operators and contexts say nothing to any visitor."""
        for name in parts_of(node._fields):
            part = getattr(node, name, None)
            if part.__class__ is list:
                for each in part:
                    if isinstance(each, ast.AST):  # not the names of a ``global``, nor the None of ``**more``
                        self.visit(each)
            elif isinstance(part, ast.AST):
                self.visit(part)

    def visit_Constant(self, node: ast.Constant) -> None:
        """Nothing to see, but a formula, a query or SQL reads names of its caller."""
        text = node.value
        if isinstance(text, str) and ("~" in text or "@" in text or " " in text or "\n" in text):
            self.named(quoted_names(text))

    def named(self, names: Iterable[str]) -> None:
        """A text names these; those that a cell bound are read."""
        for name in sorted(names):
            if name in self.draft.defs:
                self.read(name)
            elif name in self.above:
                self.draft.quoted.add(name)
                self.read(name)

    # -- blocks ------------------------------------------------------------------------------------------------------------

    def block(self, statements: Sequence[ast.stmt]) -> bool:
        """Walk statements; False when the block surely leaves (what follows in it is never run)."""
        for statement in statements:
            self.statement(statement)
            if isinstance(statement, LEAVES):
                return False
        return True

    def statement(self, node: ast.stmt) -> None:
        """Walk one statement."""
        self.statement_reads = set()
        self.at(node.lineno)
        self.visit(node)

    def branches(self, arms: Sequence[Arm], *, exhaustive: bool) -> None:
        """Walk each arm from the same state; ``exhaustive`` if one of them surely runs."""
        before = set(self.must)
        outcomes: list[set[str]] = []
        self.branches_open += 1
        for arm in arms:
            self.must = set(before)
            if arm():
                outcomes.append(self.must)
        self.branches_open -= 1
        if not exhaustive:
            outcomes.append(before)
        self._join(outcomes, before)

    def _join(self, outcomes: Sequence[set[str]], otherwise: set[str]) -> None:
        """Go on with what all outcomes have in common."""
        self.must = set.intersection(*outcomes) if outcomes else set(otherwise)
        for name, bind in self.draft.defs.items():
            bind.certain = name in self.must

    # -- branches ----------------------------------------------------------------------------------------------------------

    def visit_If(self, node: ast.If) -> None:
        """Both arms; ``if TYPE_CHECKING`` never runs, ``if __name__ == "__main__"`` always."""
        taken = _decided(node.test)
        if taken is None:
            self.visit(node.test)
            self.branches([lambda: self.block(node.body), lambda: self.block(node.orelse)], exhaustive=True)
        else:
            self.block(node.body if taken else node.orelse)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        """``a if test else b``."""
        self.visit(node.test)
        self.branches([self._arm(node.body), self._arm(node.orelse)], exhaustive=True)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        """``a and b``: only the first part surely runs."""
        self.visit(node.values[0])
        self.branches([self._arm(*node.values[1:])], exhaustive=False)

    def visit_Try(self, node: ast.Try) -> None:
        """(body + else) against each handler, which starts from the state before: nobody knows where the body broke off."""
        before = set(self.must)
        guarded = any(_catches(handler, NAME_ERRORS) for handler in node.handlers)
        falls_back = any(_catches(handler, ABSENCE) for handler in node.handlers)

        def body() -> bool:
            self.guards += guarded
            self.fallbacks += falls_back
            goes_on = self.block(node.body)
            self.guards -= guarded
            self.fallbacks -= falls_back
            return goes_on and self.block(node.orelse)

        self.branches([body, *(self._handler(handler) for handler in node.handlers)], exhaustive=True)
        if node.finalbody:
            after, self.must = self.must, (before if node.handlers else self.must)
            self.block(node.finalbody)
            self.must |= after

    visit_TryStar = visit_Try  # noqa: N815 - NodeVisitor's own name

    def _handler(self, handler: ast.ExceptHandler) -> Arm:
        def arm() -> bool:
            if handler.type:
                self.visit(handler.type)
            name = handler.name
            old = self.draft.defs.get(name) if name else None
            if name:
                self.bind(name)
            goes_on = self.block(handler.body)
            if name and name in self.draft.defs:  # Python unbinds it at the end of the clause
                self.forget(name)
                if old is not None:
                    self.draft.defs[name] = old
            return goes_on

        return arm

    def visit_Match(self, node: ast.Match) -> None:
        """Arms by case; a bare wildcard at the end makes it exhaustive."""
        self.visit(node.subject)
        last = node.cases[-1]
        wild = isinstance(last.pattern, ast.MatchAs) and last.pattern.pattern is None and last.guard is None
        self.branches([self._case(case) for case in node.cases], exhaustive=wild)

    def _case(self, case: ast.match_case) -> Arm:
        def arm() -> bool:
            self.visit(case.pattern)
            if case.guard:
                self.visit(case.guard)
            return self.block(case.body)

        return arm

    def _arm(self, *nodes: ast.AST) -> Arm:
        def arm() -> bool:
            for node in nodes:
                self.visit(node)
            return True

        return arm

    # -- loops -------------------------------------------------------------------------------------------------------------

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        """A loop over a non-empty literal or ``range(3)`` surely runs; any other may not."""
        self.visit(node.iter)

        def once() -> bool:
            self.visit(node.target)
            return self.block(node.body)

        self._loop(once, runs=_surely_runs(node.iter), ends=True)
        if node.orelse:
            self.branches([lambda: self.block(node.orelse)], exhaustive=False)

    visit_AsyncFor = visit_For  # noqa: N815

    def visit_While(self, node: ast.While) -> None:
        """``while True`` ends by ``break`` alone."""
        forever = isinstance(node.test, ast.Constant) and bool(node.test.value)
        self.visit(node.test)
        self._loop(lambda: self.block(node.body), runs=forever, ends=not forever)
        if node.orelse:
            self.branches([lambda: self.block(node.orelse)], exhaustive=False)

    def _loop(self, once: Arm, *, runs: bool, ends: bool) -> None:
        """One round stands for all. Behind the loop is whoever ended a round or left by ``break``."""
        outer = self._exits, self._rounds
        exits: list[set[str]] = []
        rounds: list[set[str]] = []
        self._exits, self._rounds = exits, rounds
        before = set(self.must)
        self.branches_open += 1
        if once():
            rounds.append(set(self.must))
        self.branches_open -= 1
        self._exits, self._rounds = outer
        outcomes = [*exits, *(rounds if ends else ())]
        if not runs:
            outcomes.append(before)
        self._join(outcomes, before)

    def visit_Break(self, _: ast.Break) -> None:
        """The innermost loop ends here."""
        if self._exits is not None:
            self._exits.append(set(self.must))

    def visit_Continue(self, _: ast.Continue) -> None:
        """The round ends here."""
        if self._rounds is not None:
            self._rounds.append(set(self.must))


@cache
def parts_of(fields: tuple[str, ...]) -> tuple[str, ...]:
    """Of the fields of a kind of node those that may hold nodes worth a visit."""
    return tuple(name for name in fields if name not in {"ctx", "op", "ops"})


def _decided(test: ast.expr) -> bool | None:
    """Whether a test surely holds; None where it depends on the run."""
    if isinstance(test, ast.Constant):
        return bool(test.value)
    if (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    ):
        return False
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq):
        sides = (test.left, test.comparators[0])
        name = any(isinstance(side, ast.Name) and side.id == "__name__" for side in sides)
        if name and any(isinstance(side, ast.Constant) and side.value == "__main__" for side in sides):
            return True
    return None


def _surely_runs(iterable: ast.expr) -> bool:
    """Whether a loop over this runs at least once."""
    if isinstance(iterable, (ast.List, ast.Tuple, ast.Set)):
        return any(not isinstance(element, ast.Starred) for element in iterable.elts)
    if not (isinstance(iterable, ast.Call) and isinstance(iterable.func, ast.Name) and iterable.func.id == "range"):
        return False
    first = iterable.args[0] if len(iterable.args) == 1 else None
    return isinstance(first, ast.Constant) and isinstance(first.value, int) and first.value > 0


NAME_ERRORS = frozenset({"NameError", "Exception", "BaseException"})
ABSENCE = frozenset(
    {
        "ImportError",
        "ModuleNotFoundError",
        "FileNotFoundError",
        "OSError",
        "IOError",
        "EnvironmentError",
        "Exception",
        "BaseException",
    }
)
"""What a missing module or file raises, and what catches that."""


def _catches(handler: ast.ExceptHandler, errors: frozenset[str]) -> bool:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return handler.type is None or any(isinstance(kind, ast.Name) and kind.id in errors for kind in caught)

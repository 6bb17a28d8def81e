"""One branch of a step that runs once for each item: what it bound, and that it changed nothing of what came from before.

Each branch starts from a copy of the same state. What it binds is gathered into lists by the next step; a value from before that
it changed in place has no place there (each branch changed a copy of its own), so the branch is refused by the name.
"""

from __future__ import annotations

import ast
import copyreg
import dis
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from jupyter_mlops.errors import NotStorable, Where
from jupyter_mlops.runner.arguments import Arguments, item_of
from jupyter_mlops.runner.execute import Execution
from jupyter_mlops.runner.plan import StepPlan
from jupyter_mlops.session.carriers.history import RESULT
from jupyter_mlops.session.pickler import dumps, loads
from jupyter_mlops.session.scope import Scope
from jupyter_mlops.session.session import Session
from jupyter_mlops.session.state import State
from jupyter_mlops.session.transfer import Blobs

UNDERS = frozenset({"_", "__", "___"})


@dataclass(frozen=True)
class Bound:
    """Names that a branch bound. ``defined`` of them by ``import``, ``def`` and ``class``, of which the last branch's counts."""

    names: tuple[str, ...]
    defined: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As the report of the branch has it."""
        return {"bound": list(self.names), "defined": list(self.defined)}


class Branching:
    """What a step does beside its cells where it is a branch, or runs at the end: it binds the item or the outcome."""

    def __init__(self, step: StepPlan, arguments: Arguments, session: Session) -> None:
        self._step, self._arguments, self._session = step, arguments, session
        self._arrived: dict[str, Any] = {}

    def begin(self) -> None:
        """Bind the item, and remember what arrived."""
        step, namespace = self._step, self._session.scope.namespace
        if step.final:
            namespace[step.final] = self._arguments.outcome
        if step.each:
            self._arrived = {name: namespace[name] for name in self._session.before.names if name in namespace}
            namespace[step.each] = item_of(self._arguments.item)

    def end(self, after: State, execution: Execution, shell: Any) -> dict[str, Any]:
        """What the report says of the branch; nothing of a step that is none. Raises NotStorable."""
        if not self._step.each:
            return {}
        session, scope = self._session, self._session.scope
        check_untouched(self._arrived, session.before, after, session.blobs, scope, self._step.cells[0])
        found = bound_by(execution.sources(), execution.made_in, self._step.each, scope.namespace, shell.transform_cell)
        return found.to_json()


def bound_by(sources: Iterable[str], made: Iterable[str], item: str, namespace: Mapping[str, Any], transform: Any) -> Bound:
    """What the cells of a branch have bound.

    Args:
        sources: the cells.
        made: names whose value became another one while they ran.
        item: name of the item.
        namespace: the notebook's, at the end.
        transform: IPython's own translation of a cell.
    """
    stored, defined = stored_by([transform(source) for source in sources])
    names = {name for name in {*stored, *defined, *made, item} if name in namespace}
    names = {name for name in names if name not in UNDERS and not RESULT.fullmatch(name) and not name.startswith("_i")}
    kept = {name for name in names - {item} if (name in defined and name not in stored) or _is_foreign(namespace[name])}
    return Bound(tuple(sorted(names)), tuple(sorted(kept)))


def stored_by(sources: Iterable[str]) -> tuple[set[str], set[str]]:
    """Names that code assigns, and names that it defines by ``import``, ``def`` and ``class``; not those inside functions."""
    assigned: set[str] = set()
    defined: set[str] = set()
    for source in sources:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(source)
                code = compile(source, "<cell>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        except (SyntaxError, ValueError):
            continue  # it has stopped the branch
        own = set(_definitions(tree))
        top = {found.argval for found in dis.get_instructions(code) if found.opname in {"STORE_NAME", "STORE_GLOBAL"}}
        assigned |= top - own
        defined |= own
    return assigned, defined


def _definitions(tree: ast.AST) -> Iterable[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from ((alias.asname or alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, (ast.If, ast.Try, ast.With, ast.For, ast.While)):
            yield from _definitions(node)


def _is_foreign(value: Any) -> bool:
    """A module, or a function or class that a module brought."""
    if isinstance(value, ModuleType):
        return True
    return isinstance(value, (type, FunctionType, BuiltinFunctionType)) and value.__module__ != "__main__"


def check_untouched(arrived: Mapping[str, Any], before: State, after: State, blobs: Blobs, scope: Scope, cell: int) -> None:
    """See that a branch has changed nothing in place of what it was given.

    A component that kept its digest is as it was. Of any other the pickle decides: that of the very objects which arrived, beside
    that of what the state holds.

    Raises:
        NotStorable: code ``branch-changes``, naming what was changed.
    """
    for digest, component in before.components.items():
        names = sorted(name for name in component.names if name in arrived and before.names.get(name) == digest)
        if not names or all(after.names.get(name) == digest for name in names):
            continue
        stream, *buffers = component.parts
        fresh = loads(blobs.get(stream[0]), [blobs.source(part) for part in buffers], scope)
        for name in names:
            if _differ(arrived[name], fresh[name], scope):
                raise NotStorable(
                    f"the branch changes {name} in place, of which each branch has a copy of its own",
                    code="branch-changes",
                    fix=f"Make a new value under another name (a copy of {name}); the next step gets the list of them.",
                    where=Where(cell=cell, field=name),
                )


def _differ(one: Any, other: Any, scope: Scope) -> bool:
    """Whether two values have different pickles; a value that cannot be pickled any more was changed."""
    for value in (one, other):
        if isinstance(value, type):
            copyreg._slotnames(value)  # type: ignore[attr-defined]  # noqa: SLF001  (pickling an instance notes these in its class)
    try:
        return dumps({"value": one}, scope).fingerprint != dumps({"value": other}, scope).fingerprint
    except Exception:  # noqa: BLE001  (a value's own pickling may raise anything)
        return True

"""One cell, from source to facts: pure, and a function of the source and of what the cells above bound."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field

from jupyter_mlops.dataflow import effects
from jupyter_mlops.dataflow.effects import ROLES
from jupyter_mlops.dataflow.facts import Bind, CellFacts, Role
from jupyter_mlops.dataflow.groups import Groups
from jupyter_mlops.dataflow.magics import IN_PLACE, MARKUP, REQUIREMENTS, SETUP, SHOWS, Magics
from jupyter_mlops.dataflow.names import BUILTINS, Context
from jupyter_mlops.dataflow.scopes import Scopes
from jupyter_mlops.errors import Diagnostic
from jupyter_mlops.notebook.document import Cell
from jupyter_mlops.notebook.magic import strip_product_lines
from jupyter_mlops.notebook.syntax import NotPython, explicit_magic, translate


@dataclass(slots=True)
class Above:
    """What a scan may know of the cells above. ``scan`` reads it; ``link`` carries it on."""

    binds: Mapping[str, Bind] = field(default_factory=dict)
    alias: Groups = field(default_factory=Groups)
    share: Groups = field(default_factory=Groups)
    lazy: bool = False


def scan(cell: Cell, above: Above) -> CellFacts:
    """The facts about a cell; ``above.alias``, ``.share`` and ``.lazy`` become what holds after it."""
    source = explicit_magic(strip_product_lines(cell.source), above.binds)
    try:
        python = translate(source)
    except NotPython as error:
        message = f"cell {cell.index} does not parse: {error.message} (line {error.line})"
        found = Diagnostic(
            "syntax-error", "error", message, cell.index, error.line, "Correct the line; a kernel stops here as well."
        )
        return CellFacts(cell.index, work=True, diagnostics=(found,))
    context = Context(cell.index, Scopes(python.text), python.origin)
    walker = Magics(context, above.binds)
    walker.alias, walker.share, walker.lazy = above.alias, above.share, above.lazy
    walker.block(python.tree.body)
    above.lazy = walker.lazy
    return _freeze(walker, python.tree, above)


def _freeze(walker: Magics, tree: ast.Module, above: Above) -> CellFacts:
    """Facts that no longer change; builtins are left out unless a cell above bound the name."""
    draft, context = walker.draft, walker.context

    def ours(names: set[str]) -> frozenset[str]:
        return frozenset(name for name in names if name not in BUILTINS or name in above.binds)

    refs = ours(draft.refs)
    return CellFacts(
        context.cell,
        defs=draft.defs,
        refs=refs,
        closure_refs=ours(draft.closure_refs) - refs,
        type_refs=ours(draft.type_refs) - refs,
        mutations=frozenset(draft.mutates),
        carried=frozenset(draft.carried),
        deletes=frozenset(draft.deletes),
        used=frozenset(draft.used),
        guarded=(refs | draft.closure_refs) - draft.unguarded,
        stars=tuple(draft.stars),
        setup=tuple(draft.setup),
        requirements=tuple(context.requirements),
        reads_files=frozenset(draft.reads_files),
        writes_files=frozenset(draft.writes_files),
        asks_files=draft.asks_files,
        makes_files=any(effects.MAKES_FILES.search(name) for name in draft.calls),
        imports=draft.imports,
        star_lines=draft.star_lines,
        modules=frozenset(draft.modules),
        doubts=tuple(dict.fromkeys(draft.doubts)),
        questions=tuple(draft.questions),
        lines=draft.lines,
        groups=walker.alias.all(),
        work=any(_works(statement, draft.setup) for statement in tree.body),
        empty=not tree.body,
        role=_role(draft.calls),
        diagnostics=tuple(context.diagnostics),
    )


def _role(calls: set[str]) -> Role:
    """What the cell is for: training outranks evaluating, that outranks loading."""
    roles = {ROLES[call] for call in calls if call in ROLES}
    ranked: tuple[Role, ...] = ("train", "evaluate", "load")
    return next((role for role in ranked if role in roles), "")


def _works(statement: ast.stmt, setup: list[str]) -> bool:
    """Whether a statement does more than prepare: import, define, set a constant, set up the process."""
    if isinstance(statement, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Pass)):
        return False
    if isinstance(statement, (ast.Assign, ast.AnnAssign)):
        value = statement.value
        plain = all(
            isinstance(t, ast.Name) for t in (statement.targets if isinstance(statement, ast.Assign) else [statement.target])
        )
        return not plain or not (value is None or isinstance(value, ast.Lambda) or _is_constant(value))
    if isinstance(statement, ast.Expr):
        if isinstance(statement.value, ast.Constant):
            return False
        magic = _magic_name(statement.value)
        if magic:
            return magic not in SETUP | REQUIREMENTS | SHOWS | MARKUP - IN_PLACE
        return not setup or ast.unparse(statement.value) not in setup
    return True


def _is_constant(node: ast.expr) -> bool:
    """A literal without any name or call in it."""
    return all(
        isinstance(part, (ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.UnaryOp, ast.USub, ast.UAdd, ast.Load))
        for part in ast.walk(node)
    )


def _magic_name(node: ast.expr) -> str:
    """Name of the magic that a statement runs; ''."""
    if not (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"run_line_magic", "run_cell_magic"}
    ):
        return ""
    name = node.args[0] if node.args else None
    return name.value if isinstance(name, ast.Constant) and isinstance(name.value, str) else ""

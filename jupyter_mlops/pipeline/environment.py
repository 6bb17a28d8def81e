"""What a notebook imports, and which steps cannot start without it: the pure half of capturing an environment.

Names of modules come from the source; which distribution has them, in which version, is asked of the kernel's interpreter
(``engine/packages.py``). Required is only what a cell imports unconditionally when it runs: an import in a function, behind
an ``if`` or where its failure is caught may never happen, and nobody is refused for it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from jupyter_mlops.dataflow.magics import IN_PLACE
from jupyter_mlops.notebook.document import Cell
from jupyter_mlops.notebook.magic import strip_product_lines
from jupyter_mlops.notebook.syntax import NotPython, translate
from jupyter_mlops.pipeline.pipeline import Pipeline

VERSION = 1
CAUGHT = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})
DEFERRED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.If, ast.For, ast.AsyncFor, ast.While, ast.Match)
RUN_MAGIC, CELL_MAGIC = frozenset({"run_line_magic", "run_cell_magic"}), 3
"""What IPython makes of ``%name`` and ``%%name``; a cell's magic has three arguments."""

INSTALLERS = ("pip install", "conda install", "mamba install", "uv pip", "uv add", "pip3 install", "pipmain")


MAKES_MODULES = re.compile(
    r"^\s*(?:!|%%(?!time|capture|step)|%(?!matplotlib|time|config|load_ext|autoreload|mlops|env))"
    r"|\bsys\.(?:path|modules|meta_path)|chdir|addsitedir|pyximport|import_ipynb|importlib|subprocess|os\.system|urlretrieve|\.py\b"
    r"|\bexec\(|extractall|write",
    re.MULTILINE,
)
"""What may make a module importable while the notebook runs."""


@dataclass(frozen=True, slots=True)
class Use:
    """One import: of ``module`` (``a.b``), and of what is named in it, which may be modules as well."""

    module: str
    members: tuple[str, ...]
    cell: int
    line: int
    required: bool
    binds: tuple[str, ...] = ()
    """Names of the notebook that it binds."""

    @property
    def top(self) -> str:
        """The first part of the name."""
        return self.module.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Distribution:
    """An installed distribution. ``source`` is index, editable, local, archive or vcs; ``url`` says where it came from then."""

    name: str
    version: str
    modules: tuple[str, ...]
    """Top-level modules of it that the notebook imports."""

    source: str = "index"
    url: str = ""
    commit: str = ""


@dataclass(frozen=True, slots=True)
class Environment:
    """What a notebook's kernel really imports. Documented in ``docs/formats.md``."""

    python: str
    """Full version, e.g. ``3.11.7``."""

    platform: str
    distributions: tuple[Distribution, ...] = ()
    local: tuple[str, ...] = ()
    """Modules that lie beside the notebook."""

    unknown: tuple[str, ...] = ()
    """Modules that are there, but belong to no distribution."""

    missing: tuple[Use, ...] = ()
    """Imports of modules that the kernel does not have."""

    steps: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Step → distributions that it cannot start without."""

    installs: bool = False
    """Whether a cell installs packages: then nothing can be said of what is missing before it ran."""


def imports_of(cells: Iterable[Cell]) -> list[Use]:
    """All imports of these code cells. A cell that does not parse has none: the scan says what is wrong with it."""
    return [use for cell in cells for use in imports_of_source(strip_product_lines(cell.source), cell.index)]


def imports_of_source(source: str, cell: int) -> list[Use]:
    """The imports of a source text, which may hold IPython's syntax."""
    return [
        Use(module, members, cell, line(row), required, binds)
        for tree, line in trees(source)
        for module, members, row, required, binds in _walk(tree.body, required=True)
    ]


def trees(source: str) -> Iterator[tuple[ast.Module, Callable[[int], int]]]:
    """The Python of a cell, and that inside of ``%time`` and its like, each with the way from its lines to the cell's."""
    try:
        python = translate(source)
    except NotPython:
        return
    yield python.tree, python.origin
    for node in ast.walk(python.tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in RUN_MAGIC):
            continue
        words = [word.value for word in node.args if isinstance(word, ast.Constant) and isinstance(word.value, str)]
        if len(words) == len(node.args) and words[0] in IN_PLACE:
            with suppress(NotPython):
                inner = translate(words[-1])
                first = python.origin(node.lineno) + (len(words) == CELL_MAGIC)
                yield inner.tree, lambda row, inner=inner, first=first: first - 1 + inner.origin(row)  # type: ignore[misc]


def _walk(nodes: Iterable[ast.AST], *, required: bool) -> Iterator[tuple[str, tuple[str, ...], int, bool, tuple[str, ...]]]:
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, (), node.lineno, required, (alias.asname or alias.name.partition(".")[0],)
        elif isinstance(node, ast.ImportFrom):
            if node.module and not node.level:
                names = tuple(alias.name for alias in node.names if alias.name != "*")
                yield node.module, names, node.lineno, required, tuple(alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Try):
            yield from _walk(node.body, required=required and not _catches(node.handlers))
            yield from _walk([*node.handlers, *node.orelse], required=False)
            yield from _walk(node.finalbody, required=required)
        else:
            sure = required and not isinstance(node, DEFERRED) and not _suppresses(node)
            yield from _walk(ast.iter_child_nodes(node), required=sure)


def _catches(handlers: Sequence[ast.ExceptHandler]) -> bool:
    """Whether a failing import would be caught."""
    return any(
        handler.type is None or CAUGHT & {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)}
        for handler in handlers
    )


def _suppresses(node: ast.AST) -> bool:
    """``with suppress(ImportError):``."""
    return isinstance(node, ast.With) and any("suppress" in ast.unparse(item.context_expr) for item in node.items)


def installs_packages(cells: Iterable[Cell]) -> bool:
    """Whether a cell installs something: ``%pip install``, ``!pip install`` and the like."""
    return any(word in cell.source for cell in cells for word in INSTALLERS)


def surely_missing(environment: Environment, pipeline: Pipeline, cells: Sequence[Cell]) -> tuple[Use, ...]:
    """Imports that must fail: the module is not there, nothing in the notebook could bring it about, and the step always runs.

    A notebook that runs shell commands, writes files or changes how modules are found may make a module as it goes; then
    nothing is sure, and the import is left to fail where it stands.
    """
    if environment.installs or any(MAKES_MODULES.search(cell.source) for cell in cells):
        return ()
    forgiven = {cell.index for cell in cells if "raises-exception" in cell.tags}
    forgiven |= {cell for step in pipeline.steps if step.options.when or step.options.each for cell in step.cells}
    return tuple(use for use in environment.missing if use.cell not in forgiven)


def required_by_steps(pipeline: Pipeline, uses: Iterable[Use]) -> dict[str, list[Use]]:
    """Step → imports that have to succeed in it: its own cells', and those whose names it is handed."""
    by_cell: dict[int, list[Use]] = {}
    for use in uses:
        if use.required:
            by_cell.setdefault(use.cell, []).append(use)
    found = {step.name: [use for cell in step.cells for use in by_cell.get(cell, ())] for step in pipeline.steps}
    for link in pipeline.links:
        step = pipeline.step_of(link.target)
        if step is not None:
            found[step] += [
                use for use in by_cell.get(link.source, ()) if set(use.binds) & set(link.names) and use not in found[step]
            ]
    return found


def to_json(environment: Environment) -> dict[str, Any]:
    """``environment`` of ``convert --json``, and ``environment.json`` of a bundle."""
    return {
        "version": VERSION,
        "python": environment.python,
        "platform": environment.platform,
        "distributions": [
            {
                "name": one.name, "version": one.version, "modules": list(one.modules), "source": one.source,
                **({"url": one.url} if one.url else {}), **({"commit": one.commit} if one.commit else {}),
            }
            for one in environment.distributions
        ],
        "local": list(environment.local),
        "unknown": list(environment.unknown),
        "missing": [{"module": use.module, "cell": use.cell, "line": use.line} for use in environment.missing],
        "steps": {name: list(needed) for name, needed in environment.steps.items()},
        "installs": environment.installs,
    }  # fmt: skip

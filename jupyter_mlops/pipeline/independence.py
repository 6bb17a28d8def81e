"""Which steps may run beside each other: what the source proves, and what is only likely and may be tried.

Two steps are independent if nothing that the earlier changes is handed to, asked for or changed by the later. The source proves
that only of plain code: no doubt, no call of unknown effect, no setting of the process, no file written. Everything else is left to
accounts of real runs (``registry/learned.py``) or, on this machine, to an attempt that is checked and thrown away if need be: such
a step is ``early``. A step that may act outside the session is neither (``outward.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from jupyter_mlops.dataflow.effects import MUTATORS
from jupyter_mlops.dataflow.facts import Analysis, CellFacts
from jupyter_mlops.dataflow.table import table
from jupyter_mlops.errors import Diagnostic
from jupyter_mlops.notebook.document import Cell
from jupyter_mlops.pipeline.outward import outward
from jupyter_mlops.pipeline.pipeline import Step
from jupyter_mlops.pipeline.quiet import quiet
from jupyter_mlops.pipeline.walks import Walk, walks

Pair = tuple[str, str]
"""Two steps, the earlier first."""

PLAIN = frozenset(
    """__future__ abc array base64 bisect builtins calendar cmath collections copy dataclasses datetime enum fnmatch fractions
    functools hashlib heapq itertools json keyword math numbers operator pprint re statistics string struct textwrap time
    types typing typing_extensions unicodedata zlib""".split()  # noqa: SIM905 - a table of words reads better as text
)
"""Modules whose functions touch nothing but their arguments."""

TABLED = frozenset({"numpy", "pandas"})
"""Modules of which the table of effects says which functions do."""

KNOWN = frozenset({"pure", "gives", "shares", "reads", "argument", "out", "changes", "takes", "inplace"})
"""Effects that stay with values."""

LEARNS = frozenset(
    name for name in MUTATORS if name.startswith(("fit", "partial_fit", "train", "step", "backward", "xavier", "send"))
)
"""Methods of models, which may draw random numbers, and of generators."""

OF_CALLER = frozenset({"query", "eval"})
"""Functions and methods that look names of the notebook up in a text, which need not stand in the source."""


@dataclass(frozen=True, slots=True)
class Independence:
    """What is known about the order of a pipeline's steps."""

    certain: frozenset[Pair] = frozenset()
    """Pairs that the source proves to be independent."""

    early: frozenset[str] = frozenset()
    """Steps that act on nothing outside, so that they may be tried before their turn."""

    versions: tuple[Diagnostic, ...] = ()
    """Names that two steps bind and that alone keep them from running beside each other."""


def independence(steps: Sequence[Step], cells: Iterable[Cell], analysis: Analysis) -> Independence:
    """What the source says.

    Args:
        steps: in document order, before steps without cells are put in.
        cells: the code cells that run.
        analysis: of these cells.
    """
    if any(doubt.kind == "history" for found in analysis.facts for doubt in found.doubts):
        return Independence()  # what the last result was depends on the order
    cells = tuple(cells)
    done = walks(cells)
    facts = {found.cell: found for found in analysis.facts}
    inside = {step.name for step in steps if _stays(step, facts, done)}
    plain = {step.name for step in steps if step.name in inside and all(_plain(facts[x], done[x]) for x in step.cells)}
    if len(plain) > 1:
        still = quiet(cells, facts)
        plain = {step.name for step in steps if step.name in plain and still.issuperset(step.cells)}
    pairs: set[Pair] = set()
    versions: list[Diagnostic] = []
    for place, later in enumerate(steps):
        for earlier in steps[:place]:
            if not {earlier.name, later.name} <= plain or waits(steps, later.name, earlier.name) or _shares(earlier, later, facts):
                continue
            both = _both(earlier, later, facts)
            if both is None:
                pairs.add((earlier.name, later.name))
            else:
                versions.append(_two_versions(earlier, later, both, facts))
    return Independence(frozenset(pairs), frozenset(inside), tuple(versions))


def _stays(step: Step, facts: Mapping[int, CellFacts], done: Mapping[int, Walk]) -> bool:
    """Whether a step acts on nothing outside; what registers a model or is under conditions has its own time."""
    options = step.options
    if options.outputs or options.each or options.when or options.final is not None or options.secrets or options.volumes:
        return False
    return not any(outward(facts[cell], done[cell]) for cell in step.cells)


def _plain(facts: CellFacts, walk: Walk) -> bool:
    """Whether the source says all that a cell does."""
    if facts.doubts or facts.questions or facts.setup or facts.requirements or facts.stars or facts.guarded or walk.magics:
        return False
    if any(bind.unstorable for bind in facts.defs.values()):
        return False
    if any(module.partition(".")[0] not in PLAIN | TABLED for module in walk.modules):
        return False  # an import may set the process up
    return all(_known(path) for path in walk.paths) and all(_method(name) for name in walk.methods)


def _known(path: str) -> bool:
    """Whether a name of a module, or what it stands for, touches nothing but its arguments."""
    module = path.partition(".")[0]
    if module in PLAIN:
        return path != "builtins.open" and not path.endswith(".*")
    owner, _, name = path.rpartition(".")
    if name in OF_CALLER:
        return False
    effects = {effect.kind for effect in table().of(owner, name)}
    return module in TABLED and (path == module or bool(table().class_of(path)) or (bool(effects) and effects <= KNOWN))


def _method(name: str) -> bool:
    """Whether a method of this name stays with its value and its arguments, in every class of the table."""
    effects = table().known("", name)
    return bool(effects) and effects <= KNOWN and name not in LEARNS | OF_CALLER


def waits(steps: Sequence[Step], later: str, earlier: str) -> bool:
    """Whether a step needs another, by links or by a declared order, be it through others."""
    needs = {step.name: step.needs for step in steps}
    seen: set[str] = set()
    todo = [later]
    while todo:
        for need in needs[todo.pop()]:
            if need == earlier:
                return True
            if need not in seen:
                seen.add(need)
                todo.append(need)
    return False


def _shares(earlier: Step, later: Step, facts: Mapping[int, CellFacts]) -> bool:
    """Whether the earlier step reads, and may have put elsewhere, what the later one changes in place."""
    read = {name for cell in earlier.cells for name in facts[cell].used | facts[cell].refs | facts[cell].closure_refs}
    return bool(read & {name for cell in later.cells for name in facts[cell].mutations})


def _both(earlier: Step, later: Step, facts: Mapping[int, CellFacts]) -> str | None:
    """A name that both steps change; the same import in both is none."""
    first, second = dict(_changes(earlier, facts)), dict(_changes(later, facts))
    return next((name for name in sorted(first.keys() & second.keys()) if not first[name] or first[name] != second[name]), None)


def _changes(step: Step, facts: Mapping[int, CellFacts]) -> Iterator[tuple[str, str]]:
    """(name that a step binds, changes or deletes, the module where that is all an import)."""
    for cell in step.cells:
        found = facts[cell]
        yield from ((name, bind.code.module if bind.code else "") for name, bind in found.defs.items())
        yield from ((name, "") for name in sorted(found.mutations | found.deletes))


def _two_versions(earlier: Step, later: Step, name: str, facts: Mapping[int, CellFacts]) -> Diagnostic:
    cell = next(cell for cell in later.cells if name in {x for x, _ in _changes(Step("", (cell,)), facts)})
    bind = facts[cell].defs.get(name)
    message = f"the steps {earlier.name} and {later.name} both make a version of {name}, so they run one after the other"
    fix = f"Give {name} another name in one of them, and they can run side by side."
    return Diagnostic("two-versions", "info", message, cell, bind.line if bind else None, fix)

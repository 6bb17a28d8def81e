"""Control flow of steps: ``each``, ``when`` and ``finally``, checked before anything runs.

A condition and a list are evaluated in the session, where their names are: at the end of the step before. Where no step
surely runs once before (the first step; a step behind one that fans out or may be skipped), a step without cells is put
in, which only brings the states together and evaluates. What has no sane meaning is refused with its cell.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from jupyter_mlops.dataflow.facts import Analysis, CellFacts
from jupyter_mlops.errors import Diagnostic
from jupyter_mlops.pipeline.names import STEP_LENGTH, unique
from jupyter_mlops.pipeline.pipeline import Parameter, Step

BEFORE = "before-"
"""Begins the name of a step without cells that evaluates what the next one asks."""


def loop_of(each: str) -> tuple[str, str]:
    """Name and expression of ``each``."""
    name, _, listed = each.partition(" in ")
    return name, listed


def literal_items(each: str) -> list[object] | None:
    """The items where they stand in ``each`` itself; None where the session has to be asked."""
    try:
        found = ast.literal_eval(loop_of(each)[1])
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    return list(found) if isinstance(found, (list, tuple)) else None


def is_unsure(step: Step) -> bool:
    """Whether a step may leave no state of its own, or several."""
    return bool(step.options.each or step.options.when)


def asks(step: Step) -> str:
    """The expression that the session is asked before this step; '' for none."""
    options = step.options
    if options.when:
        return options.when
    return loop_of(options.each)[1] if options.each and literal_items(options.each) is None else ""


def names_in(expression: str) -> frozenset[str]:
    """Names of the notebook that an expression reads."""
    tree = ast.parse(expression, mode="eval")
    bound = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    bound |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    read = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return frozenset(name for name in read - bound if not hasattr(builtins, name))


def with_evaluation(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps, with those without cells where an expression needs one."""
    found: list[Step] = []
    taken = [step.name for step in steps]
    for step in steps:
        before = found[-1] if found else None
        unsure = before is not None and is_unsure(before)
        if (asks(step) and before is None) or (is_unsure(step) and unsure):
            name = unique([*taken, f"{BEFORE}{step.name}"[:STEP_LENGTH].rstrip("-")])[-1]
            taken.append(name)
            found.append(Step(name, (), (before.name,) if before else (), f"before {step.title or step.name}"))
            step = replace(step, needs=(*step.needs, name))  # noqa: PLW2901
        elif before is not None and asks(step) and before.name not in step.needs:
            step = replace(step, needs=(*step.needs, before.name))  # noqa: PLW2901
        found.append(step)
    return tuple(found)


def check_control(steps: Sequence[Step], analysis: Analysis, parameters: Sequence[Parameter]) -> list[Diagnostic]:
    """Everything that is wrong with the control flow, each with the cell that asks for it."""
    facts = {found.cell: found for found in analysis.facts}
    found: list[Diagnostic] = []
    for place, step in enumerate(steps):
        options, cell = step.options, step.cells[0] if step.cells else None
        asked = [word for word in ("each", "when") if getattr(options, word)] + (["finally"] if options.final is not None else [])
        if len(asked) > 1:
            fix = "Let the list be empty where the step shall not run." if "finally" not in asked else "Keep finally alone."
            found.append(_refused(f"step {step.name} has {' and '.join(asked)}", cell, fix))
        if options.final is not None and place != len(steps) - 1:
            message = f"step {step.name} runs at the end (finally), but step {steps[place + 1].name} follows it in the notebook"
            found.append(_refused(message, cell, "Move its cells to the end of the notebook."))
        if expression := asks(step):
            found += _unknown_names(step, expression, steps[:place], facts, parameters)
        if options.each:
            found += _branch(step, facts)
    return found


def _refused(message: str, cell: int | None, fix: str, line: int | None = None) -> Diagnostic:
    return Diagnostic("control-flow", "error", message, cell, line, fix)


def _unknown_names(
    step: Step, expression: str, before: Sequence[Step], facts: Mapping[int, CellFacts], parameters: Sequence[Parameter]
) -> Iterator[Diagnostic]:
    """Names of an expression that nothing before the step binds, where that can be told from the source."""
    earlier = [facts[cell] for other in before for cell in other.cells]
    if any(cell.stars or cell.flags for cell in earlier):
        return
    known = {name for cell in earlier for name in cell.defs} | {parameter.name for parameter in parameters}
    known |= {loop_of(other.options.each)[0] for other in before if other.options.each}
    for name in sorted(names_in(expression) - known):
        message = f"{expression!r} of step {step.name} reads {name}, which no earlier step binds"
        yield _refused(message, step.cells[0], f"Bind {name} in an earlier step, or make it a parameter.")


def _branch(step: Step, facts: Mapping[int, CellFacts]) -> Iterator[Diagnostic]:
    """Cells that run once for each item neither bind the item's name nor change what came from before."""
    name = loop_of(step.options.each)[0]
    bound: set[str] = set()
    for cell in step.cells:
        fact = facts[cell]
        if name in fact.defs:
            fix = f"Bind {name} in an earlier step, where it serves the notebook; here it is the item."
            yield _refused(f"cell {cell} binds {name}, the item of {step.options.each!r}", cell, fix, fact.defs[name].line)
        for changed in sorted(fact.mutations - bound - set(fact.defs) - {name}):
            message = f"cell {cell} changes {changed} in place, of which each branch of step {step.name} has a copy of its own"
            fix = "Bind a new name in the branch; the next step gets the list of what each branch bound."
            yield _refused(message, cell, fix, fact.lines.get(changed))
        bound |= set(fact.defs)

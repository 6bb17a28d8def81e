"""What the analysis has to say to people, each finding with cell, line and a way on.

An error refuses the notebook: it cannot run as a pipeline anywhere. Everything that only limits what the plan knows is a
warning, since the session state decides values and never the plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from jupyter_mlops.dataflow.facts import CellFacts, Question, Severity
from jupyter_mlops.errors import Diagnostic

WHOLE_STATE = "Nothing has to be done: its step is given and hands on the whole state. Write it plainly to see its links."


def doubts_of(cells: Sequence[CellFacts], unresolved: Mapping[int, frozenset[str]]) -> tuple[Diagnostic, ...]:
    """All diagnostics of a notebook, by cell and line."""
    found = [diagnostic for facts in cells for diagnostic in facts.diagnostics]
    found += _unreadable(cells)
    found += _questions(cells)
    found += _undefined(cells, unresolved)
    return tuple(sorted(dict.fromkeys(found), key=lambda d: (d.cell or 0, d.line or 0, d.code)))


def _unreadable(cells: Sequence[CellFacts]) -> Iterator[Diagnostic]:
    for facts in cells:
        said = {(d.code, d.line) for d in facts.diagnostics}
        for doubt in facts.doubts:
            if doubt.kind == "history":
                message = f"cell {facts.cell} uses {doubt.what}, which depends on what was run before it"
                yield Diagnostic("history", "warning", message, facts.cell, doubt.line, "Give the value a name and use that.")
            elif doubt.kind == "dynamic":
                message = f"cell {facts.cell} uses {doubt.what}; which names it reads or binds cannot be read off the source"
                yield Diagnostic("dynamic", "warning", message, facts.cell, doubt.line, WHOLE_STATE)
            elif not {("unknown-magic", doubt.line), ("other-language", doubt.line)} & said:
                message = f"cell {facts.cell} uses {doubt.what}; what it reads and binds cannot be read off"
                yield Diagnostic("opaque", "warning", message, facts.cell, doubt.line, WHOLE_STATE)


def _questions(cells: Sequence[CellFacts]) -> Iterator[Diagnostic]:
    """A question asked for certain is an error; one in a function that nobody uses is only said."""
    used_after: set[str] = set()
    for facts in reversed(cells):
        used_after |= facts.used
        for question in facts.questions:
            yield _question(facts.cell, question, "error")
        for name, bind in facts.defs.items():
            for question in bind.code.questions if bind.code else ():
                yield _question(facts.cell, question, "error" if name in used_after else "warning")


def _question(cell: int, question: Question, severity: Severity) -> Diagnostic:
    code = "input-call" if question.name == "input" else "getpass-call"
    fix = (
        "Make it a parameter: assign a default in a cell tagged `parameters`."
        if code == "input-call"
        else "Use an environment variable from a secret: see `secrets` in docs/metadata.md."
    )
    message = f"cell {cell} asks a person with {question.name}(); nobody can answer in a pipeline"
    return Diagnostic(code, severity, message, cell, question.line, fix)


def _undefined(cells: Sequence[CellFacts], unresolved: Mapping[int, frozenset[str]]) -> Iterator[Diagnostic]:
    """Names that nobody binds, up to the first cell after which nobody can know.

    A name that the cell itself binds on some path (in a loop, say) is most often bound when it is read.
    """
    bound_in = {name: facts.cell for facts in reversed(cells) for name in facts.defs}
    for facts in cells:
        if facts.flags & {"opaque", "dynamic"}:
            return
        for name in sorted(unresolved.get(facts.cell, frozenset()) - facts.guarded - facts.type_refs - facts.conditional):
            line = facts.lines.get(name)
            later = bound_in.get(name)
            gone = [other.cell for other in cells if name in other.deletes and other.cell <= facts.cell]
            if later is not None and later > facts.cell:
                message = f"cell {facts.cell} reads {name}, which only cell {later} below it binds; the run stops here"
                fix = f"Cell {later} binds it: move that cell up."
                yield Diagnostic("bound-later", "warning", message, facts.cell, line, fix)
            elif gone:
                message = f"cell {facts.cell} reads {name}, which cell {gone[-1]} deletes; the run stops here"
                fix = f"Move this cell above cell {gone[-1]}, or take the del away."
                yield Diagnostic("deleted-name", "warning", message, facts.cell, line, fix)
            else:
                message = f"cell {facts.cell} reads {name}, which no cell above binds; the run stops here"
                yield Diagnostic("undefined-name", "warning", message, facts.cell, line, "Define it above, or correct the name.")

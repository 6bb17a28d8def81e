"""Parameters that another cell hides: a value set for a run has to reach the cells that use it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from jupyter_mlops.dataflow.facts import Analysis
from jupyter_mlops.errors import Diagnostic
from jupyter_mlops.pipeline.pipeline import Parameter


def shadowed(parameters: Iterable[Parameter], analysis: Analysis, cells: frozenset[int]) -> Iterator[Diagnostic]:
    """A warning where a cell binds the name of a parameter without looking at its value.

    Args:
        parameters: what a run may set.
        analysis: of the notebook.
        cells: the cells that define parameters; of two definitions among them another finding speaks.
    """
    named = {parameter.name: parameter for parameter in parameters}
    for facts in analysis.facts:
        if facts.cell in cells:
            continue
        for name in sorted(named.keys() & facts.defs.keys() - facts.refs - facts.closure_refs):
            parameter, line = named[name], facts.defs[name].line
            if facts.cell > parameter.cell:
                message = f"cell {facts.cell} binds {name} anew: what a run sets for the parameter {name} is lost there"
                fix = "Take the line away, or give the variable another name."
            else:
                message = f"cell {facts.cell} binds {name}, and the parameters cell {parameter.cell} below it replaces that value"
                fix = f"Take the line away: the value of a run, or the default in cell {parameter.cell}, counts."
            yield Diagnostic("shadowed-parameter", "warning", message, facts.cell, line, fix)

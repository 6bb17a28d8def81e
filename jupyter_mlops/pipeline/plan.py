"""A notebook becomes a pipeline: steps, what links them, parameters, options, and every doubt with its cell.

Static: nothing is run, and no value is guessed. Refused is only what cannot run as a pipeline anywhere; then every
reason is said at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from jupyter_mlops.dataflow.facts import Analysis
from jupyter_mlops.dataflow.link import analyse
from jupyter_mlops.errors import Diagnostic, Refused, Where, placed
from jupyter_mlops.notebook.document import Notebook
from jupyter_mlops.notebook.metadata import Requests, read_requests
from jupyter_mlops.pipeline.advice import advice
from jupyter_mlops.pipeline.control import check_control, with_evaluation
from jupyter_mlops.pipeline.gpu import gpu_use
from jupyter_mlops.pipeline.groups import Group, named_groups
from jupyter_mlops.pipeline.independence import independence
from jupyter_mlops.pipeline.names import pipeline_name, step_name, unique
from jupyter_mlops.pipeline.options import step_options
from jupyter_mlops.pipeline.order import declared_needs
from jupyter_mlops.pipeline.parameters import read_parameters
from jupyter_mlops.pipeline.pipeline import Link, Pipeline, Step
from jupyter_mlops.pipeline.propose import proposed_groups, unstorable_flows
from jupyter_mlops.pipeline.shadows import shadowed
from jupyter_mlops.pipeline.surroundings import Surroundings, absent


def plan(notebook: Notebook, around: Surroundings | None = None) -> Pipeline:
    """The pipeline of a notebook.

    Args:
        notebook: what was saved.
        around: what lies beside it; None: files and modules are not asked for.

    Raises:
        Refused: with all diagnostics, when one of them is an error.
    """
    requests = read_requests(notebook)
    runnable = [cell for cell in notebook.code if not requests.cells[cell.index].skip]
    cells = [cell.index for cell in runnable]
    analysis = analyse(runnable)
    gpu = gpu_use(runnable)
    found = [*requests.diagnostics, *analysis.diagnostics]
    if any(requests.cells[cell].step is not None for cell in cells):
        groups, problems = named_groups(cells, requests.cells)
        found += problems
    else:
        proposal = proposed_groups(notebook, cells, analysis, gpu)
        groups = list(proposal.groups)
        found += proposal.diagnostics
    parameters, problems = read_parameters(cell for cell in runnable if requests.cells[cell.index].parameters)
    found += problems
    steps, problems = _steps(groups, requests, analysis)
    found += check_control(steps, analysis, parameters)
    found += [*problems, *_crossing(steps, analysis), *advice(steps, runnable, gpu)]
    found += shadowed(parameters, analysis, frozenset(cell for cell in cells if requests.cells[cell].parameters))
    found += absent(analysis, around) if around is not None else ()
    order = independence(steps, runnable, analysis)
    found += order.versions
    found = sorted(dict.fromkeys(placed(found)), key=lambda d: (-1 if d.cell is None else d.cell, d.line or 0))
    name = f"{notebook.name}.ipynb"
    _refuse_errors(found, name)
    return Pipeline(
        name=pipeline_name(notebook.name),
        notebook=name,
        steps=with_evaluation(steps),
        links=tuple(Link(flow.source, flow.target, tuple(sorted(flow.names)), flow.kind) for flow in analysis.flows),
        parameters=parameters,
        diagnostics=tuple(found),
        kernel=notebook.kernel,
        python=_python(notebook),
        early=tuple(step.name for step in steps if step.name in order.early),
        independent=tuple(sorted(order.certain)),
    )


def _steps(groups: Sequence[Group], requests: Requests, analysis: Analysis) -> tuple[tuple[Step, ...], list[Diagnostic]]:
    """Steps with names, needs and options."""
    names = unique([step_name(group.title) for group in groups])
    step_of = {cell: place for place, group in enumerate(groups) for cell in group.cells}
    linked: list[set[int]] = [set() for _ in groups]
    for flow in analysis.flows:
        linked[step_of[flow.target]].add(step_of[flow.source])
    declared, found = declared_needs(groups, requests.cells)
    steps = []
    for place, group in enumerate(groups):
        needs = sorted((linked[place] | declared[place]) - {place})
        options, problems = step_options(requests.defaults, (requests.cells[cell] for cell in group.cells))
        found += problems
        pins = tuple(names[other] for other in sorted(declared[place] - {place}))
        steps.append(Step(names[place], group.cells, tuple(names[need] for need in needs), group.title, options, pins))
    return tuple(steps), found


def _crossing(steps: Iterable[Step], analysis: Analysis) -> list[Diagnostic]:
    """Values that no store can hold and that a later step reads: said before a run finds out."""
    step_of: Mapping[int, str] = {cell: step.name for step in steps for cell in step.cells}
    found = []
    for source, target, name, bind in unstorable_flows(analysis):
        if step_of[source] != step_of[target]:
            message = f"{name} of cell {source} is {bind.unstorable}, which cannot be handed to step {step_of[target]}"
            fix = "Make it in the step that uses it, put both cells into one step, or hand on a list or a file's name."
            found.append(Diagnostic("not-storable", "warning", message, source, bind.line, fix))
    return found


def _refuse_errors(found: Sequence[Diagnostic], notebook: str) -> None:
    errors = [diagnostic for diagnostic in found if diagnostic.severity == "error"]
    if not errors:
        return
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    raise Refused(first.message + more, first.code, first.fix, Where(notebook, first.cell, first.line), tuple(found))


def _python(notebook: Notebook) -> str:
    """Minor version of the Python that the notebook was last saved with, e.g. ``3.11``; an engine replaces it by its kernel's."""
    info = notebook.metadata.get("language_info")
    version = info.get("version") if isinstance(info, Mapping) else None
    match = re.match(r"(3\.\d+)\b", version) if isinstance(version, str) else None
    return match[1] if match else ""

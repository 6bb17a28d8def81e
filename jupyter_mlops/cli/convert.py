"""``jupyter mlops convert``: what a notebook becomes, without running or writing anything but the file asked for."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlops.cli.console import Console, finding
from jupyter_mlops.errors import Refused, WrongUsage
from jupyter_mlops.views import conversion_view

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench
    from jupyter_mlops.notebook.document import Notebook
    from jupyter_mlops.pipeline.pipeline import Parameter, Pipeline

EXAMPLES = """\
  jupyter mlops convert churn.ipynb                    steps, graph, parameters and doubts
  jupyter mlops convert churn.ipynb -o workflow.yaml   the Argo Workflow
  jupyter mlops convert churn.ipynb --push --target dev -o - | kubectl create -f -
  jupyter mlops convert churn.ipynb --to python -o churn.py   a plain script
  jupyter mlops convert churn.ipynb --json | jq .steps"""


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments."""
    parser.add_argument("notebook", type=Path, metavar="NOTEBOOK.ipynb")
    parser.add_argument("-o", "--output", metavar="FILE", help="write the Argo Workflow as YAML; - is standard output")
    parser.add_argument(
        "--to", choices=("argo", "python"), default="argo", help="what -o writes: an Argo Workflow, or a script (default: argo)"
    )
    parser.add_argument(
        "--target", metavar="NAME", help="write it for this cluster (default: for any, with its settings left open)"
    )
    parser.add_argument(
        "--push", action="store_true", help="store the notebook's code in the target's registry, for kubectl create -f"
    )


def run(arguments: argparse.Namespace, console: Console, bench: Workbench) -> int:
    """Convert, show, and write the Workflow if asked."""
    if arguments.output == "-" and console.as_json:
        raise WrongUsage("-o - and --json both want standard output", fix="Give a file: -o workflow.yaml.")
    if (arguments.target or arguments.push) and not arguments.output:
        raise WrongUsage(
            "--target and --push are about the Workflow that is written", fix="Say where to: -o workflow.yaml, or -o -."
        )
    if arguments.to == "python" and (arguments.target or arguments.push or not arguments.output):
        raise WrongUsage("--to python writes a script, and to no cluster", fix="Say where to: --to python -o script.py, or -o -.")
    try:
        notebook = bench.read(arguments.notebook)
        pipeline = bench.convert(notebook, arguments.notebook.parent)
    except Refused as refused:
        return _refused(refused, console)
    if arguments.to == "python":
        from jupyter_mlops.cli.export import python_script

        write_text(arguments.output, python_script(notebook, pipeline), console)
    elif arguments.output:
        from jupyter_mlops.workflow.yaml import dump

        there = bench.at(arguments.target) if arguments.target or arguments.push else bench
        _say_images(there, notebook, pipeline, arguments.notebook.parent, console)
        if arguments.target or arguments.push:
            from jupyter_mlops.fitting import ordered
            from jupyter_mlops.targets.imagefit import PATIENT

            pipeline = ordered(there, notebook, pipeline, PATIENT)
        folder = arguments.notebook.parent
        workflow = there.compile(notebook, pipeline, folder, push=arguments.push, tell=lambda found: console.note(finding(found)))
        write_text(arguments.output, dump(workflow), console)
    if console.as_json:
        from jupyter_mlops.packing import described
        from jupyter_mlops.registry.bundles import source_digest

        environment = described(bench.settings, notebook, pipeline, arguments.notebook.parent)
        console.emit({**conversion_view(pipeline, source_digest(notebook)), "environment": environment})
    elif arguments.output != "-":
        show(pipeline, console)
    return 0


def _say_images(bench: Workbench, notebook: Notebook, pipeline: Pipeline, folder: Path, console: Console) -> None:
    """Say what of the images of a cluster does not fit, and what data stays here. Raises Refused for another Python."""
    from jupyter_mlops.packing import described, left_behind
    from jupyter_mlops.targets.imagefit import PATIENT

    if bench.target.local:
        return
    images = bench.images(pipeline)
    if images.looking:
        console.note(f"looking at {', '.join(images.looking)}")
    environment = described(bench.settings, notebook, pipeline, folder)
    for found in (*images.findings(environment, PATIENT), *left_behind(environment, notebook.code)):
        console.note(finding(found))


def show(pipeline: Pipeline, console: Console) -> None:
    """The pipeline in words."""
    count = len(pipeline.steps)
    console.line(f"{pipeline.notebook} → pipeline {pipeline.name}: {count} step{'' if count == 1 else 's'}")
    console.line()
    console.table(
        ("STEP", "CELLS", "NEEDS", "TITLE"),
        [(step.name, ranges(step.cells), ", ".join(step.needs) or "-", step.title) for step in pipeline.steps],
    )
    if any(step.needs for step in pipeline.steps):
        console.line()
        console.line("graph")
        for line in graph(pipeline):
            console.line(f"  {line}")
    if pipeline.parameters:
        console.line()
        console.table(("PARAMETER", "TYPE", "DEFAULT", "CELL"), [_parameter_row(parameter) for parameter in pipeline.parameters])
    if pipeline.diagnostics:
        console.line()
        for diagnostic in pipeline.diagnostics:
            console.line(finding(diagnostic))


def graph(pipeline: Pipeline) -> list[str]:
    """Each step with the steps it needs and the names that flow: ``train ← prepare (X, y)``."""
    flowing: dict[tuple[str, str], list[str]] = {}
    for link in pipeline.links:
        source, target = pipeline.step_of(link.source), pipeline.step_of(link.target)
        if source and target and source != target:
            names = flowing.setdefault((source, target), [])
            names.extend(name for name in link.names if name not in names)
    lines = []
    for step in pipeline.steps:
        needs = [f"{need} ({_names(flowing[need, step.name])})" if flowing.get((need, step.name)) else need for need in step.needs]
        lines.append(f"{step.name} ← {', '.join(needs)}" if needs else step.name)
    return lines


def ranges(cells: Sequence[int]) -> str:
    """Cell numbers, runs of them drawn together: ``1-3, 6``."""
    parts: list[list[int]] = []
    for cell in cells:
        if parts and cell == parts[-1][1] + 1:
            parts[-1][1] = cell
        else:
            parts.append([cell, cell])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


def _names(names: Sequence[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _parameter_row(parameter: Parameter) -> tuple[str, str, str, str]:
    kind = parameter.type if not parameter.choices else "one of " + ", ".join(map(repr, parameter.choices))
    return parameter.name, kind, repr(parameter.default), str(parameter.cell)


def _refused(refused: Refused, console: Console) -> int:
    """The contract holds for refused notebooks too: the same keys, no steps, every finding."""
    console.error(refused)
    if console.as_json:
        error: dict[str, Any] = refused.to_dict()
        found = error.pop("diagnostics")
        console.emit({"steps": [], "links": [], "parameters": [], "diagnostics": found, "error": error})
    return refused.exit_code


def write_text(target: str, text: str, console: Console) -> None:
    """All or nothing: who watches the file never sees half of it. A file that is there keeps its mode, a link stays a link."""
    if target == "-":
        sys.stdout.write(text)
        return
    path = Path(target).resolve()
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~umask)
        Path(temporary).replace(path)
    except OSError as error:
        raise WrongUsage(
            f"cannot write {target}: {error.strerror}", fix="Choose a folder that exists and that you may write."
        ) from error
    console.note(f"wrote {target}")

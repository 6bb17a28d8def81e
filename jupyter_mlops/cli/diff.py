"""``jupyter mlops diff``: what a change of a notebook does to its pipeline."""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mlops.cli.console import Console
from jupyter_mlops.cli.convert import ranges
from jupyter_mlops.errors import NotFound, Refused, Where
from jupyter_mlops.notebook.read import parse

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench
    from jupyter_mlops.notebook.document import Notebook
    from jupyter_mlops.pipeline.diff import Diff, StepChange

EXAMPLES = """\
  jupyter mlops diff churn.ipynb                   since the last commit
  jupyter mlops diff old.ipynb churn.ipynb         between two notebooks
  jupyter mlops diff churn-x7k2p churn.ipynb       since a run
  jupyter mlops diff churn.ipynb --json | jq .reruns

exit codes: 0 no difference, 1 there is one, 2 refused or wrong usage"""

TARGETED = True

GIT_SECONDS = 30
"""Seconds that git may take."""


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments."""
    parser.add_argument("before", metavar="BEFORE", help="a notebook or a run; the only one given: compare it with git's HEAD")
    parser.add_argument("after", nargs="?", metavar="AFTER", help="a notebook or a run")


def run(arguments: argparse.Namespace, console: Console, bench: Workbench) -> int:
    """Compare, and show."""
    from jupyter_mlops.pipeline.diff import diff

    if arguments.after is None:
        sides = _committed(Path(arguments.before)), bench.read(Path(arguments.before))
    else:
        sides = _side(bench, arguments.before), _side(bench, arguments.after)
    try:
        found = diff((sides[0], bench.convert(sides[0])), (sides[1], bench.convert(sides[1])))
    except Refused as refused:
        console.error(refused)
        if console.as_json:
            console.emit({"error": refused.to_dict()})
        return refused.exit_code
    if console.as_json:
        console.emit(found.to_json())
    else:
        show(found, console)
    return 0 if found.same else 1


def _side(bench: Workbench, text: str) -> Notebook:
    """A notebook's file, or the notebook that a run ran."""
    path = Path(text)
    if path.suffix == ".ipynb" or path.exists():
        return bench.read(path)
    from jupyter_mlops.registry.deliveries import notebook_of_run

    found = notebook_of_run(bench.store, bench.engine.get(text).workflow)
    if found is None:
        raise NotFound(f"what {text} ran is not in the registry any more", code="notebook-unknown", fix="Name the notebook's file.")
    return found


def _committed(path: Path) -> Notebook:
    """The notebook as it was last committed."""
    if not path.is_file():
        raise NotFound(f"no notebook at {path}", fix="Check the path; notebooks end in .ipynb.")
    command = ["git", "show", f"HEAD:./{path.name}"]
    try:
        done = subprocess.run(command, cwd=path.resolve().parent, capture_output=True, timeout=GIT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _unknown(path, str(error)) from error
    if done.returncode != 0:
        raise _unknown(path, done.stderr.decode(errors="replace").strip())
    return parse(done.stdout.decode(), path.name)


def _unknown(path: Path, said: str) -> NotFound:
    return NotFound(
        f"git has no committed version of {path.name}: {said}",
        code="no-committed-version",
        fix="Commit it, or name two: jupyter mlops diff BEFORE.ipynb AFTER.ipynb",
        where=Where(path.name),
    )


def show(found: Diff, console: Console) -> None:
    """A difference in words: steps in order, with their lines; then links, parameters, and what runs again."""
    if found.same:
        console.line("no difference")
        return
    for step in found.steps:
        if step.change != "same":
            _show_step(step, console)
    for sign, links in (("+", found.links_added), ("-", found.links_removed)):
        for source, target, name in links:
            console.line(_coloured(f"{sign} link {source} → {target}: {name}", console))
    for name, (old, new) in found.parameters.items():
        told = " → ".join("none" if x is None else f"{x['type']} {x['default']!r}" for x in (old, new))
        console.line(f"parameter {name}: {told}")
    again = [step.name for step in found.steps if step.reruns]
    console.line(f"runs again: {', '.join(again) or 'nothing'}")


def _show_step(step: StepChange, console: Console) -> None:
    was = f" (was {step.before})" if step.before else ""
    cells = ranges(step.cells or step.cells_before)
    console.line(console.styled(f"step {step.name}{was}: {step.change}, cells {cells}", "bold"))
    for line in step.lines:
        console.line(f"  {_coloured(line, console)}")
    for key, (old, new) in (step.options or {}).items():
        console.line(f"  option {key}: {old!r} → {new!r}")


def _coloured(line: str, console: Console) -> str:
    style = {"+": "green", "-": "red", "@": "blue"}.get(line[:1])
    return console.styled(line, style) if style else line

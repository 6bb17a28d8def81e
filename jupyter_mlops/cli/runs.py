"""``jupyter mlops runs``: what ran and what runs."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlops.cli.console import Console, ago, duration
from jupyter_mlops.cli.convert import ranges
from jupyter_mlops.cli.keptfiles import pull, say_kept, what_it_kept
from jupyter_mlops.errors import PlatformError, WrongUsage
from jupyter_mlops.views import run_view, seconds

if TYPE_CHECKING:
    from jupyter_mlops.engine.base import Run, StepRun
    from jupyter_mlops.flow import Workbench

EXAMPLES = """\
  jupyter mlops runs                      the newest runs
  jupyter mlops runs --pipeline churn     those of one notebook
  jupyter mlops runs churn-x7k2p          one of them, step by step
  jupyter mlops runs churn-x7k2p --files out/   its notebook, logs, metrics, figures and files
  jupyter mlops runs --json | jq -r '.runs[0].name'"""

TARGETED = True


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments."""
    parser.add_argument("name", nargs="?", metavar="RUN", help="show this run")
    parser.add_argument(
        "--files", type=Path, metavar="FOLDER", help="write what the run kept into a folder: notebook, logs, artifacts"
    )
    parser.add_argument("--pipeline", metavar="NAME", help="only runs of this pipeline")
    parser.add_argument("--limit", type=int, default=20, metavar="N", help="at most N runs (default: 20)")


def run(arguments: argparse.Namespace, console: Console, bench: Workbench) -> int:
    """List, or show one."""
    if arguments.name:
        found = bench.engine.get(arguments.name)
        if console.as_json:
            from jupyter_mlops.registry.environments import environment_of_run

            environment = environment_of_run(bench.store, found.workflow)
            shown = {**run_view(found), "environment": environment, "deliveries": _deliveries(found, bench)}
            console.emit({**shown, **what_it_kept(found, bench)})
        else:
            show(found, console)
            say_deliveries(_deliveries(found, bench), console)
            say_kept(found, bench, console)
        if arguments.files is not None:
            pull(found, arguments.files, console, bench)
        return 0
    listed = bench.engine.list(pipeline=arguments.pipeline, limit=max(1, arguments.limit))
    if console.as_json:
        console.emit({"runs": [run_view(one) for one in listed]})
    elif not listed:
        console.note(f"No runs yet. Start one: jupyter mlops run NOTEBOOK.ipynb{arguments.aim}")
    else:
        console.table(("RUN", "PHASE", "STEPS", "TOOK", "STARTED", "NOTEBOOK"), [_row(one) for one in listed])
    return 0


def show(found: Run, console: Console) -> None:
    """One run in words."""
    phase = f"{found.phase}, paused" if found.paused else found.phase
    console.line(f"{found.name}: {phase}, started {ago(found.started or found.created)}, took {_took(found)}")
    if found.notebook:
        console.line(f"notebook: {found.notebook}")
    if found.executed:
        console.line(f"executed: {found.executed}")
    if found.resumed:
        console.line(f"resumed:  {found.resumed}")
    for name, value in found.parameters.items():
        console.line(f"parameter {name} = {value!r}")
    console.line()
    console.table(("STEP", "PHASE", "CELLS", "TOOK", "MESSAGE"), [_step_row(step) for step in found.steps])
    _say_problems(found, console)
    for name, metric in found.metrics.items():
        console.line(f"metric {name} = {metric:g}")
    for model in found.models:
        console.line(f"model {model['name']}:{model['tag']}")


def _deliveries(found: Run, bench: Workbench) -> dict[str, Any] | None:
    """What its steps were really delivered; None where no registry answers."""
    from jupyter_mlops.registry.deliveries import deliveries_of_run

    try:
        return deliveries_of_run(bench.store, found.pipeline, found.name, found.workflow)
    except (PlatformError, WrongUsage):
        return None


def say_deliveries(found: Mapping[str, Any] | None, console: Console) -> None:
    """What the plan did not say, in words; nothing where the plan was right in everything."""
    if not found:
        return
    for step in (one["step"] for one in found["steps"]):
        unplanned = [one for one in found["unplanned"] if one["step"] == step]
        alone = [one["name"] for one in unplanned if not one["with"]]
        along = [one["name"] for one in unplanned if one["with"]]
        unused = [one["name"] for one in found["unused"] if one["to"] == step]
        for names, said in (
            (alone, "delivered without a link in the plan"),
            (along, "delivered since they share parts with what was planned"),
            (unused, "planned and not delivered"),
        ):
            if names:
                console.line(f"{step}: {said}: {', '.join(names)}")


def _say_problems(found: Run, console: Console) -> None:
    """Why it failed, and why steps wait."""
    if found.failure:
        console.line()
        console.line(found.failure.message)
        for line in "\n".join(found.failure.traceback).splitlines():
            console.line(f"  {line}")
        if found.failure.fix:
            console.line(f"fix: {found.failure.fix}")
        for fact in found.failure.facts:
            console.line(f"said: {fact}")
    for step in found.steps:
        if step.cause is not None and step.phase == "Pending":
            console.line(f"{step.name} waits: {step.cause.message}")
            if step.cause.fix:
                console.line(f"fix: {step.cause.fix}")


def _row(found: Run) -> tuple[str, ...]:
    done = sum(step.phase == "Succeeded" for step in found.steps)
    notebook = (found.notebook or "").rsplit("/", 1)[-1]
    return found.name, found.phase, f"{done}/{len(found.steps)}", _took(found), ago(found.created), notebook


def _step_row(step: StepRun) -> tuple[str, ...]:
    took = "cached" if step.cached else duration(seconds(step.started, step.finished))
    message = step.message.splitlines()[0] if step.message else ""
    return step.name, step.phase, ranges(step.cells), took, message


def _took(found: Run) -> str:
    return duration(seconds(found.started, found.finished))

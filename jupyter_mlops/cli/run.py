"""``jupyter mlops run``: start a run, follow it, and say how it ended. The run itself does not depend on this process."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlops.cli.command import INTERRUPTED
from jupyter_mlops.cli.console import Console, duration, finding
from jupyter_mlops.cli.progress import show_progress
from jupyter_mlops.engine.base import DONE
from jupyter_mlops.errors import Refused, WrongUsage
from jupyter_mlops.views import seconds

if TYPE_CHECKING:
    from jupyter_mlops.engine.base import Failure, Run
    from jupyter_mlops.flow import Workbench

EXAMPLES = """\
  jupyter mlops run churn.ipynb                         run it here and wait
  jupyter mlops run churn.ipynb -p trees=50 -p seed=7   with other parameters
  jupyter mlops run churn.ipynb --detach                return at once; follow with `jupyter mlops logs RUN -f`
  jupyter mlops run churn.ipynb --target dev            on a cluster
  jupyter mlops run churn.ipynb --resume churn-x7k2p    take over the steps of that run that are as they were
  jupyter mlops run churn.ipynb --json | jq -r .phase

Ctrl+C ends the waiting, not the run; with --stop-on-interrupt it stops the run too."""

TARGETED = True


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments."""
    parser.add_argument("notebook", type=Path, metavar="NOTEBOOK.ipynb")
    parser.add_argument(
        "-p", "--parameter", action="append", default=[], metavar="NAME=VALUE", help="value of a parameter; repeat for more"
    )
    parser.add_argument("--kernel", metavar="NAME", help="kernelspec to use instead of the notebook's")
    parser.add_argument("--resume", metavar="RUN", help="take over finished steps of this run where nothing they depend on changed")
    following(parser)


def following(parser: argparse.ArgumentParser) -> None:
    """What commands share that start a run and wait for it."""
    parser.add_argument("--detach", action="store_true", help="return as soon as the run has started")
    parser.add_argument("--stop-on-interrupt", action="store_true", help="let Ctrl+C stop the run")


def run(arguments: argparse.Namespace, console: Console, bench: Workbench) -> int:
    """Start, follow, report."""
    values = assignments(arguments.parameter)
    try:
        started = bench.run(arguments.notebook, values, arguments.kernel, arguments.resume, lambda one: console.note(finding(one)))
    except Refused as refused:
        return say_refused(refused, console)
    return follow(started, arguments, console, bench)


def follow(started: Run, arguments: argparse.Namespace, console: Console, bench: Workbench) -> int:
    """Wait for a run that was just started, unless told not to, and say how it ended."""
    place = "" if bench.target.local else f" on {bench.target.name}"
    console.note(f"run {started.name} started{place}")
    if arguments.detach:
        return _detached(started, console, arguments.aim)
    try:
        final = show_progress(bench.engine, started, console)
    except KeyboardInterrupt:
        if not arguments.stop_on_interrupt:
            return _left(bench.engine.get(started.name), console, arguments.aim)
        console.note(f"stopping {started.name}")
        final = bench.engine.control(started.name, "stop")
    return finish(final, console, arguments.aim)


def assignments(texts: list[str]) -> dict[str, str]:
    """``NAME=VALUE`` pairs. Raises WrongUsage."""
    values: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise WrongUsage(f"-p takes NAME=VALUE, not {text!r}", fix="Write for example -p trees=50.")
        values[name] = value
    return values


def finish(final: Run, console: Console, aim: str = "") -> int:
    """Say how a run ended; the exit code."""
    if console.as_json:
        console.emit(document(final))
    else:
        _say(final, console, aim)
    return 0 if final.phase == "Succeeded" else 1


def document(run_now: Run) -> dict[str, Any]:
    """The JSON contract of ``run``."""
    return {
        "run": run_now.name,
        "phase": run_now.phase,
        "steps": [
            {
                "name": step.name,
                "phase": step.phase,
                "cells": list(step.cells),
                "seconds": seconds(step.started, step.finished),
                "cached": step.cached,
            }
            for step in run_now.steps
        ],
        "notebook": run_now.executed,
        "error": _error(run_now),
        "parameters": dict(run_now.parameters),
        "models": [dict(model) for model in run_now.models],
        "metrics": dict(run_now.metrics),
        "target": run_now.target,
        "resumed": run_now.resumed,
    }


def _error(run_now: Run) -> dict[str, Any] | None:
    failure = run_now.failure
    if failure is not None:
        return {
            "code": failure.code,
            "cell": failure.cell,
            "line": failure.line,
            "message": failure.message,
            "step": failure.step,
            "blame": failure.blame,
            "fix": failure.fix,
            "facts": list(failure.facts),
        }
    if run_now.phase in DONE and run_now.phase != "Succeeded":
        said = "the run was stopped" if run_now.phase == "Stopped" else "the run failed"
        return {"code": run_now.phase.lower(), "cell": None, "line": None, "message": said}
    return None


def _say(final: Run, console: Console, aim: str) -> None:
    took = duration(seconds(final.started or final.created, final.finished))
    colour = "green" if final.phase == "Succeeded" else "red"
    console.line(f"{final.name} {console.styled(final.phase, colour)} in {took}")
    failure = final.failure
    if failure is not None:
        console.line(f"  {failure.message}" + _place(failure))
        for line in "\n".join(failure.traceback).splitlines():
            console.line(f"    {line}")
        if failure.fix:
            console.line(f"  fix: {failure.fix}")
        for fact in failure.facts:
            console.line(f"  said: {fact}")
    for name, value in final.metrics.items():
        console.line(f"  metric    {name} = {value:g}")
    for model in final.models:
        reference = f"{model['name']}:{model['tag']}"
        console.line(f"  model     {reference}   deploy it: jupyter mlops deploy {reference}{aim}")
    if final.executed:
        console.line(f"  notebook  {final.executed}")


def _place(failure: Failure) -> str:
    """Where it failed, as far as the message does not say so already."""
    cell = None if failure.cell is None or f"cell {failure.cell}" in failure.message else f"cell {failure.cell}"
    line = f"line {failure.line}" if cell and failure.line is not None else None
    parts = [part for part in (f"step {failure.step}" if failure.step else None, cell, line) if part]
    return f" ({', '.join(parts)})" if parts else ""


def _detached(started: Run, console: Console, aim: str) -> int:
    if console.as_json:
        console.emit(document(started))
    else:
        console.line(started.name)
    _hints(started.name, console, aim)
    return 0


def _left(run_now: Run, console: Console, aim: str) -> int:
    console.note(f"\n{run_now.name} goes on.")
    _hints(run_now.name, console, aim)
    if console.as_json:
        console.emit(document(run_now))
    return INTERRUPTED


def _hints(name: str, console: Console, aim: str) -> None:
    console.note(f"  follow: jupyter mlops logs {name} -f{aim}")
    console.note(f"  stop:   jupyter mlops stop {name}{aim}")


def say_refused(refused: Refused, console: Console) -> int:
    """The contract's keys, so that a script finds ``error.code`` where it always is."""
    console.error(refused)
    if console.as_json:
        error = refused.to_dict()
        first = next((found for found in error["diagnostics"] if found["severity"] == "error"), None)
        if first is not None and error["cell"] is None:
            error |= {"cell": first["cell"], "line": first["line"]}
        console.emit({"run": None, "phase": "Error", "steps": [], "notebook": None, "error": error})
    return refused.exit_code

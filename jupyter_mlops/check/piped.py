"""The other side: the pipeline, on this machine's engine, in a scratch home with a registry of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_mlops.check.folders import View
from jupyter_mlops.check.side import DIED, Side, Stopped, Tell
from jupyter_mlops.engine.base import Run
from jupyter_mlops.engine.branches import group_of, label_of
from jupyter_mlops.engine.local.surroundings import view_path
from jupyter_mlops.errors import NotFound, PlatformError
from jupyter_mlops.flow import Workbench
from jupyter_mlops.oci.artifact import read_config
from jupyter_mlops.registry.deliveries import deliveries_of_run
from jupyter_mlops.registry.runs import run_repository

ENDED = "StepEnded"
"""What the engine writes into the executed notebook where a process ended without a word: no output of the notebook."""


def run_pipeline(bench: Workbench, view: View, name: str, parameters: Mapping[str, Any], kernel: str, tell: Tell) -> Side:
    """Run the notebook ``name`` of a view as a pipeline, and wait for it.

    Raises:
        Refused: it cannot be one.
        PlatformError: the engine cannot run it.
    """
    run = bench.run(view.folder / name, parameters, kernel or None)
    try:
        run = _followed(bench, run, tell)
    except BaseException:
        bench.engine.control(run.name, "stop")
        raise
    if run.failure is not None and run.failure.blame != "user":
        message, code, fix = run.failure.message, run.failure.code, run.failure.fix
        raise PlatformError(f"the pipeline could not be run: {message}", code, fix)
    work = view_path(bench.settings.storage.runs / run.name / "work", view.folder)
    return Side(
        outputs={cell: [one for one in shown if one.get("ename") != ENDED] for cell, shown in _outputs(run).items()},
        files=view.files(),
        folders=tuple(sorted((str(work), str(view.folder)), key=len, reverse=True)),
        state=_last_state(bench, run),
        stopped=_stopped(run, _reports(bench, run)),
        logged=tuple(_logged(bench, run)),
        metrics=run.metrics,
        deliveries=deliveries_of_run(bench.store, run.pipeline, run.name, run.workflow) or {},
    )


def _followed(bench: Workbench, started: Run, tell: Tell) -> Run:
    """The run once it is over, with a line for each step that starts."""
    said: set[str] = set()
    now = started
    for now in bench.engine.watch(started.name):
        for number, step in enumerate(now.steps, start=1):
            if step.phase != "Pending" and step.name not in said:
                said.add(step.name)
                tell(f"pipeline: step {step.name} ({number} of {len(now.steps)})")
    return now


def _reports(bench: Workbench, run: Run) -> dict[str, dict[str, Any]]:
    """Step → its report, in document order; those that left none are not there."""
    repository, found = run_repository(run.pipeline), {}
    for step in run.steps:
        try:
            manifest = bench.store.get_manifest(repository, f"report.{run.name}.{label_of(step.name)}")
        except NotFound:
            continue
        found[step.name] = read_config(bench.store, repository, manifest)
    return found


def _last_state(bench: Workbench, run: Run) -> str:
    """What the last step has reached, but for branches, which the step after them brings together; '' of a run that failed."""
    if run.phase != "Succeeded":
        return ""
    states = [str(report.get("state") or "") for step, report in _reports(bench, run).items() if not group_of(step)]
    return next((state for state in reversed(states) if state), "")


def _logged(bench: Workbench, run: Run) -> list[str]:
    return [
        f"{kind} {one['name']}"
        for report in _reports(bench, run).values()
        for kind in ("model", "dataset")
        for one in report.get(f"{kind}s") or ()
    ]


def _stopped(run: Run, reports: Mapping[str, Mapping[str, Any]]) -> Stopped | None:
    """Where and why it stopped; the report names the exception, the run's failure everything else."""
    if run.phase == "Succeeded":
        return None
    failure = run.failure
    if failure is None:
        return Stopped(None, None, f"the run ended as {run.phase}")
    if failure.cell is None and (cell := _cut_short(_outputs(run))) is not None:
        return Stopped(cell, None, DIED, failure.message)
    report = reports.get(failure.step or "", {}).get("failure") or {}
    return Stopped(failure.cell, failure.line, str(report.get("error") or failure.code), failure.message)


def _cut_short(outputs: Mapping[int, list[dict[str, Any]]]) -> int | None:
    """The cell in which the step's process ended without a word, as the engine has written it into the executed notebook."""
    return next((cell for cell, shown in outputs.items() if any(one.get("ename") == ENDED for one in shown)), None)


def _outputs(run: Run) -> dict[int, list[dict[str, Any]]]:
    """Outputs by cell, from the executed notebook."""
    if run.executed is None:
        return {}
    document = json.loads(Path(run.executed).read_text(encoding="utf-8"))
    return {index: list(cell["outputs"]) for index, cell in enumerate(document["cells"]) if cell.get("outputs")}

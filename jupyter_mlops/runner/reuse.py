"""Takes over what a step of an earlier run reached, where nothing that it depends on has changed.

A step's key is a digest for each thing that could make it come out differently; the earlier run wrote its own into its report.
All of them must be the same. What was reached is the whole state after that step, so that equal keys give equal sessions without
anything being loaded or compared. What lies outside (a web service, a database, the clock) has no digest: whoever resumes a run
says that it may be taken as it was.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import sys
import warnings
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlops.errors import Corrupt, NotFound
from jupyter_mlops.oci.artifact import layers_of, read_config
from jupyter_mlops.oci.canonical import parse_object
from jupyter_mlops.oci.names import REPORT, REPORT_OUTPUTS
from jupyter_mlops.oci.store import Store
from jupyter_mlops.runner.arguments import Arguments
from jupyter_mlops.runner.gather import Before
from jupyter_mlops.runner.plan import Plan, StepPlan, evaluated
from jupyter_mlops.runner.sources import runnable
from jupyter_mlops.session import files
from jupyter_mlops.session.session import load_state
from jupyter_mlops.session.state import State, this_python

if TYPE_CHECKING:
    from jupyter_mlops.runner.report import Report

SAID: Mapping[str, str] = {
    "source": "its cells have changed",
    "state": "what it is given by the steps before it has changed",
    "parameters": "its parameters have other values",
    "modules": "a module or a data file beside the notebook has changed",
    "files": "a file in the notebook's folder has changed",
    "environment": "its image, its packages or its environment variables have changed",
}
"""Part of a key → why a step runs again, in words."""

Key = Mapping[str, str]


@dataclass(frozen=True)
class Earlier:
    """What a step of an earlier run left: the config of its report, its outputs, and the state it reached."""

    report: Mapping[str, Any]
    outputs: Mapping[str, Any]
    state: State


def key_of(plan: Plan, step: StepPlan, arguments: Arguments, before: Before, root: Path, excluded: Iterable[Path]) -> Key:
    """The key of a step that has not started, in a working folder as the platform and the steps before left it."""
    given: dict[str, Any] = dict(sorted(arguments.parameters.items()))
    if step.each:  # the item is one more, whatever its place
        given = {"parameters": given, "item": arguments.item.partition(":")[2], "name": step.each}
    return {
        "source": _digest([*(_normal(runnable(plan.sources.get(cell, ""))) for cell in step.cells), *evaluated(step)]),
        "state": before.digest,
        "parameters": _digest(given),
        "modules": _digest(_contents(plan.files)),
        "files": _digest(_inputs(before.state, plan, files.look(root, excluded, step.rules))),
        "environment": _digest(_environment(step)),
    }


def find_earlier(store: Store, arguments: Arguments, key: Key) -> Earlier | str:
    """What the resumed run's step of the same name left, or why it cannot be taken over, in words.

    Raises:
        Unavailable and other errors of the store, except that something is not there or damaged.
    """
    repository = arguments.repository
    try:
        manifest = store.get_manifest(repository, f"report.{arguments.resume}.{arguments.label}")
        report = read_config(store, repository, manifest)
        if manifest.document.get("artifactType") != REPORT or report.get("phase") != "succeeded":
            return f"it did not succeed in {arguments.resume}"
        changed = [part for part in SAID if (report.get("key") or {}).get(part) != key[part]]
        if changed:
            return SAID[changed[0]]
        state = load_state(store, repository, str(report.get("state") or ""))
        if not report.get("state"):
            return f"{arguments.resume} has not kept what it reached"
        return Earlier(report, _outputs(store, repository, manifest), state)
    except NotFound:
        return f"{arguments.resume} has left nothing of it"
    except Corrupt as error:
        return f"what {arguments.resume} left of it is damaged: {error.message}"


def take_over(earlier: Earlier, report: Report) -> None:
    """Let a step's report say what the earlier one said, and that nothing was run."""
    found = earlier.report
    report.cached = True
    report.state = str(found["state"])
    report.cells = list(found.get("cells") or ())
    report.metrics = dict(found.get("metrics") or {})
    report.models = list(found.get("models") or ())
    report.datasets = list(found.get("datasets") or ())
    report.used, report.known = list(found.get("used") or ()), dict(found.get("known") or {})
    report.artifacts = list(found.get("artifacts") or ())
    report.account = dict(found.get("account") or {})
    report.warnings = list(found.get("warnings") or ())
    report.control = dict(found.get("control") or {})
    for name, cell in earlier.outputs.items():
        if name.isdecimal():
            report.outputs.cells[int(name)] = list(cell.get("outputs") or ())
            report.counts[int(name)] = cell.get("execution_count")
    report.outputs.updates.update(earlier.outputs.get("updates") or {})
    for name, value in report.metrics.items():
        report.log.event("metric", name=name, value=value)
    for model in report.models:
        report.log.event("model", **{field: model.get(field) for field in ("name", "tag", "digest")})


def restore_files(store: Store, repository: str, state: State, root: Path) -> None:
    """Bring the working folder to what it was after the step, where the folder outlives it (on one machine)."""
    files.restore(root, state.files, state.removed, store, repository)


def _outputs(store: Store, repository: str, manifest: Any) -> dict[str, Any]:
    for layer in layers_of(manifest):
        if layer.media_type == REPORT_OUTPUTS:
            with store.open_blob(repository, layer.digest) as stream:
                return parse_object(stream.read(), "the outputs of a step")
    return {}


def _normal(source: str) -> str:
    """A cell without comments and layout; one that is no plain Python as it is."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.dump(ast.parse(source))
    except (SyntaxError, ValueError, RecursionError):
        return source.strip()


def _contents(folder: Path) -> dict[str, str]:
    """Digests of the local modules that travel with the notebook."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def _inputs(before: State, plan: Plan, found: files.Snapshot) -> dict[str, list[int]]:
    """Size and time of every file that was there before the run: neither the notebook nor what travels or was made on the way."""
    ours = {plan.notebook, *_contents(plan.files), *before.files}
    return {name: [size, changed] for name, (size, changed, _, _) in sorted(found.stamps.items()) if name not in ours}


def _environment(step: StepPlan) -> dict[str, Any]:
    """Image, Python, packages and the variables that the step's own options set; of a secret only that it is there."""
    environ = {name: os.environ.get(name) if name not in step.secrets else name in os.environ for name in step.declared}
    return {"image": os.environ.get("MLOPS_IMAGE", ""), "python": this_python(), "packages": _packages(), "environ": environ}


def _packages() -> list[str]:
    """Names and versions of what is installed, as the names of its folders say; reading them all would take a second."""
    found: set[str] = set()
    for place in sys.path:
        with suppress(OSError):
            found |= {path.name for path in Path(place or ".").iterdir() if path.suffix in {".dist-info", ".egg-info"}}
    return sorted(found)


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()

"""A container template as a process of this machine: its command, environment and files.

A pod's emptyDir volumes are folders below the run's, and a mount path at the start of a path is replaced by its folder. The
working folder is the private view of the notebook's folder, and HOME stays the person's own: on this machine a step is to
find what the notebook's kernel finds (data sets, caches, configuration), where in a container there is nothing to find.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_mlops.engine.local.environment import inherited, secret_value
from jupyter_mlops.engine.local.folder import RunFolder
from jupyter_mlops.engine.local.manifest import Task
from jupyter_mlops.engine.local.template_text import replace

_PYTHON = ("python3", "python")
MARK = "MLOPS_POD"
"""Variable that every process of a step carries, by which its last child is found: ``<run>/<step>/<attempt>/``."""


@dataclass(frozen=True, slots=True)
class Pod:
    """One attempt of one step, ready to start."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    root: Path
    """Folder that holds the volumes."""

    outputs: Mapping[str, tuple[Path, str | None]]
    """Output parameter → the file it is read from and its default."""

    termination: Path
    """File of the termination message."""

    @property
    def mark(self) -> str:
        """The entry of the environment that every process of this attempt carries."""
        return f"{MARK}={self.env[MARK]}"

    @property
    def reports(self) -> tuple[Path, ...]:
        """Folders in which the step writes what it hands out; a runner's report lies beside its output parameter."""
        return tuple(dict.fromkeys(path.parent for path, _ in self.outputs.values()))


@dataclass(frozen=True, slots=True)
class Host:
    """What stands for the image on this machine."""

    interpreter: Sequence[str]
    """Command of the notebook kernel's Python, which stands for ``python3``."""

    cache: Path
    """Folder for unpacked bundles, shared by all runs."""

    environ: Mapping[str, str]
    """This machine's environment, of which a step sees an allow-list."""

    work: Path
    """The private view of the notebook's folder: the working folder."""

    claims: Path | None = None
    """Folder that holds one for each PersistentVolumeClaim; None: a claim is a folder of the run."""


def make_pod(
    task: Task,
    inputs: Mapping[str, str],
    common: Mapping[str, str],
    folder: RunFolder,
    host: Host,
    *,
    attempt: int = 0,
    early: bool = False,
) -> Pod:
    """Fill in a template and create its volumes, empty.

    Args:
        task: what to run.
        inputs: values of the template's inputs.
        common: ``{{workflow.…}}`` tags and their values.
        folder: the run's folder.
        host: what stands for the image.
        attempt: how many times the step has run before.
        early: whether it is tried before its turn.

    Raises:
        Refused: a secret that the step reads is not set here.
    """
    root = folder.early / task.name if early else folder.pod(task.name)
    shutil.rmtree(root, ignore_errors=True)
    own = {f"inputs.parameters.{name}": value for name, value in inputs.items()}
    own |= {"pod.name": f"{folder.name}-{task.name}", "retries": str(attempt)}
    container = replace(replace(dict(task.template.container), common), own)
    mounts = {}
    for mount in container.get("volumeMounts") or ():
        claim = task.template.claims.get(str(mount["name"]))
        place = host.claims / claim if claim and host.claims else root / mount["name"]
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        mounts[str(mount["mountPath"]).rstrip("/") or "/"] = place
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    termination = root / "termination-log"
    command = [*map(str, container["command"]), *(here(str(part), mounts) for part in container.get("args") or ())]
    if command[0] in _PYTHON:
        command[:1] = list(host.interpreter)
    env = {**inherited(host.environ), "PYTHONHASHSEED": "0", "PYTHONUNBUFFERED": "1", "MLOPS_CACHE": str(host.cache)}
    env |= _declared(container.get("env") or (), mounts, host.environ)
    env |= {"MLOPS_TERMINATION": str(termination), "MLOPS_SCRATCH": str(root)}
    env |= {MARK: f"{folder.name}/{task.name}/{'early' if early else attempt}/"}
    outputs = {
        output.name: (Path(here(replace(replace(output.path, common), own), mounts)), output.default)
        for output in task.template.outputs
    }
    return Pod(tuple(command), env, host.work, root, outputs, termination)


def here(path: str, mounts: Mapping[str, Path]) -> str:
    """A path of a container on this machine: the longest mount path that it starts with is replaced by its folder."""
    for mount in sorted(mounts, key=len, reverse=True):
        if path == mount or path.startswith(mount + "/"):
            return str(mounts[mount]) + path[len(mount) :]
    return path


def _declared(entries: Sequence[Mapping[str, Any]], mounts: Mapping[str, Path], environ: Mapping[str, str]) -> dict[str, str]:
    """Variables that the template sets; a HOME or cache inside a volume is the machine's own instead."""
    found: dict[str, str] = {}
    for entry in entries:
        name = str(entry["name"])
        source = entry.get("valueFrom")
        if source:
            value = secret_value(name, source["secretKeyRef"], environ)
            if value is not None:
                found[name] = value
            continue
        written = str(entry.get("value") or "")
        value = here(written, mounts)
        if value != written and name in {"HOME", "MLOPS_CACHE"}:
            continue
        found[name] = value
    return found

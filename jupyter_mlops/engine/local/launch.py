"""Brings a run's supervisor up, after what this machine cannot give has been said."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

from jupyter_mlops.engine.local.environment import secret_value
from jupyter_mlops.engine.local.folder import RunFolder
from jupyter_mlops.engine.local.machine import Machine
from jupyter_mlops.engine.local.manifest import Program
from jupyter_mlops.errors import MlopsError, PlatformError, StorageFull

_START_LIMIT = 30.0
"""Seconds that a supervisor may take to come up on a machine under load."""


def check_machine(program: Program) -> None:
    """Say what this machine cannot give before anything starts. Raises PlatformError or Refused."""
    machine = Machine()
    for task in program.tasks:
        machine.check(task.name, task.template.container)
        for variable in task.template.container.get("env") or ():
            if variable.get("valueFrom"):
                secret_value(str(variable["name"]), variable["valueFrom"]["secretKeyRef"], os.environ)


def start_supervisor(folder: RunFolder) -> None:
    """Returns when the supervisor has detached and recorded itself. Raises PlatformError if it does not come up."""
    command = [sys.executable, "-m", "jupyter_mlops.engine.local.supervisor", str(folder.path)]
    try:
        done = subprocess.run(
            command, cwd=folder.path, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            start_new_session=True, timeout=_START_LIMIT, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise PlatformError(
            "the run's supervisor did not start in time", code="not-started", fix="Look at the load of this machine, and try again."
        ) from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise PlatformError(f"the run's supervisor did not start: {said[0]}", code="not-started", fix="Run `jupyter mlops doctor`.")


def storage_error(error: OSError, where: Path) -> MlopsError:
    """The error of ours for one of the file system, where runs are kept."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        fix = "Free space on the disk, or delete runs that are no longer needed."
        return StorageFull(f"no room left for a run in {where}", fix=fix)
    message = f"the run's folder in {where} cannot be written: {error}"
    return PlatformError(message, code="not-writable", fix="Check its permissions.")

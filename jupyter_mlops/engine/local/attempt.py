"""A step that runs in its turn."""

from __future__ import annotations

from dataclasses import dataclass

from jupyter_mlops.engine.local.manifest import Task
from jupyter_mlops.engine.local.observe import Observed
from jupyter_mlops.engine.local.process import StepProcess


@dataclass(slots=True)
class Attempt:
    """What the supervisor knows of it."""

    task: Task
    node: str
    """Id of its node in the status."""

    number: int
    """How many times the step has run before."""

    process: StepProcess
    observed: Observed
    cut: str = ""
    """Why it is being ended before its time; '' while it is not."""

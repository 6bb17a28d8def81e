"""Which run may be gone on from with which notebook: the same pipeline, and a notebook that is here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mlops.errors import NotFound, WrongUsage

if TYPE_CHECKING:
    from jupyter_mlops.engine.base import Run


def check_same(earlier: Run, pipeline: str) -> None:
    """The run that is resumed is one of this pipeline.

    Raises:
        WrongUsage: code ``other-pipeline``.
    """
    if earlier.pipeline != pipeline:
        raise WrongUsage(
            f"{earlier.name} is a run of {earlier.pipeline}, not of {pipeline}",
            code="other-pipeline",
            fix=f"Resume a run of the same notebook: jupyter mlops runs --pipeline {pipeline}",
        )


def notebook_of(earlier: Run) -> Path:
    """Where the notebook of a run lies.

    Raises:
        NotFound: code ``notebook-unknown``: not on this machine.
    """
    if not earlier.notebook:
        raise NotFound(
            f"where the notebook of {earlier.name} lies is not known on this machine",
            code="notebook-unknown",
            fix=f"Name it: jupyter mlops run NOTEBOOK.ipynb --resume {earlier.name}",
        )
    return Path(earlier.notebook)

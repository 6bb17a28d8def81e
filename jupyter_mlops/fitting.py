"""Whether a notebook fits the place that it will run at, before anything is submitted: packages, what travels, images.

What ``run`` finds while it packs comes when the run has begun, and a refusal then comes late. This says the same beforehand, for
whoever shows a pipeline: nothing is written, nothing is pushed, and what cannot be known is said to be unknown and stops nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any

from jupyter_mlops.errors import Diagnostic, MlopsError, Refused
from jupyter_mlops.packing import described, lacking, left_behind
from jupyter_mlops.targets.imagefit import WAIT

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench
    from jupyter_mlops.notebook.document import Notebook
    from jupyter_mlops.pipeline.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class Fit:
    """What a bench's target finds in a notebook."""

    environment: dict[str, Any] | None
    """``environment`` of the REST interface; None where the notebook's kernel cannot be asked."""

    findings: tuple[Diagnostic, ...]
    """What does not fit, each with its fix; an error would refuse the run."""


def fit(bench: Workbench, notebook: Notebook, pipeline: Pipeline, folder: Path, seconds: float = WAIT) -> Fit:
    """Hold a pipeline against the bench's target.

    Args:
        bench: of the target.
        notebook: what would run.
        pipeline: its plan.
        folder: where the notebook lies.
        seconds: to wait for registries, all together.
    """
    images = bench.images(pipeline)
    environment = described(bench.settings, notebook, pipeline, folder)
    if bench.target.local:
        return Fit(environment, lacking(bench.settings, notebook, pipeline, folder))
    try:
        found = images.findings(environment, seconds)
    except Refused as refused:
        found = (Diagnostic(refused.code, "error", refused.message, None, None, refused.fix),)
    told = None if environment is None else {**environment, "images": images.told()}
    return Fit(told, (*found, *left_behind(environment, notebook.code)))


def ordered(bench: Workbench, notebook: Notebook, pipeline: Pipeline, seconds: float = WAIT) -> Pipeline:
    """The pipeline as a run would order it there now, with a note on each step that earlier runs let run beside another.

    The same pipeline where the registry of that place is not set, does not answer in time or does not let us in: then nothing is
    known of earlier runs, and document order is always right.

    Args:
        bench: of the target.
        notebook: what would run.
        pipeline: its plan.
        seconds: to wait for the registry.
    """
    from jupyter_mlops.registry.bundles import source_digest
    from jupyter_mlops.registry.learned import with_learned

    answer: SimpleQueue[Pipeline] = SimpleQueue()

    def look() -> None:
        try:
            found, notes = with_learned(bench.store, pipeline, source_digest(notebook), keep=False)
            answer.put(replace(found, diagnostics=(*found.diagnostics, *notes)))
        except MlopsError:
            answer.put(pipeline)

    Thread(target=look, name="mlops-learned", daemon=True).start()
    try:
        return answer.get(timeout=seconds)
    except Empty:
        return pipeline

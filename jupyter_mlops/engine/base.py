"""The port of engines: whatever can run a Workflow manifest.

A run is one Argo Workflow object, manifest and ``status`` together, on every engine: ``Run.workflow`` is that document and
all else is read from it, so that one decoder and one panel serve this machine and a cluster. ``testing/engine.py`` is the
conformance suite that each adapter passes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Phase = Literal["Pending", "Running", "Succeeded", "Failed", "Error", "Stopped", "Skipped"]
"""Argo's phases for a run or step, and ``Stopped`` for one that a person stopped (on Argo: Failed with shutdown Stop)."""

Verb = Literal["stop", "delete"]
DONE: frozenset[str] = frozenset({"Succeeded", "Failed", "Error", "Stopped", "Skipped"})


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a run failed, at the cell and line of the notebook where it did."""

    code: str
    message: str
    cell: int | None = None
    line: int | None = None
    step: str | None = None
    blame: str = "user"
    fix: str = ""
    traceback: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StepRun:
    """A step of a run as people see it. Times are seconds since the epoch; ``progress`` is (cells done, cells)."""

    name: str
    phase: Phase
    cells: tuple[int, ...] = ()
    needs: tuple[str, ...] = ()
    started: float | None = None
    finished: float | None = None
    progress: tuple[int, int] | None = None
    message: str = ""
    cached: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """One run. ``revision`` grows with every change, so that a watcher can tell news from a repetition."""

    name: str
    pipeline: str
    phase: Phase
    steps: tuple[StepRun, ...]
    created: float
    started: float | None = None
    finished: float | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    failure: Failure | None = None
    notebook: str | None = None
    """Path of the notebook that was run, where it is known on this machine."""

    executed: str | None = None
    """Path of the executed notebook once there is one."""

    models: tuple[Mapping[str, Any], ...] = ()
    """Models the run registered: ``{"name", "tag", "digest"}``."""

    metrics: Mapping[str, float] = field(default_factory=dict)
    source_digest: str = ""
    """Digest of the notebook's sources (no outputs): tells whether it has changed since."""

    revision: int = 0
    workflow: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a step's log. ``event`` holds a structured line (see ``docs/formats.md``), else None."""

    step: str
    text: str
    time: float | None = None
    event: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """A compiled Workflow and what only the submitting machine knows about it."""

    workflow: Mapping[str, Any]
    notebook: str | None = None
    """Path of the notebook, for the private view of its folder and for publishing files."""

    interpreter: Sequence[str] = ()
    """Command of the notebook kernel's Python, for engines that run processes."""


class Engine(Protocol):
    """Runs Workflow manifests. Errors are those of ``jupyter_mlops.errors``."""

    def submit(self, submission: Submission) -> Run:
        """Start a run and return it at once; nothing is lost when the caller goes away."""

    def get(self, name: str) -> Run:
        """The run as it is now; NotFound if there is none."""

    def list(self, *, pipeline: str | None = None, limit: int = 50, before: float | None = None) -> Sequence[Run]:
        """Newest first; ``before`` (creation time) pages on."""

    def watch(self, name: str) -> Iterator[Run]:
        """The run now, then at every change, until it is done."""

    def logs(self, name: str, *, step: str | None = None, follow: bool = False) -> Iterator[LogLine]:
        """Lines in the order in which they were written."""

    def control(self, name: str, verb: Verb) -> Run:
        """Stop or delete a run. Stopping a finished run is no error; deleting a running one stops it first."""

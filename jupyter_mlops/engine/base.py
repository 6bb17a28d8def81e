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

Verb = Literal["stop", "delete", "pause", "unpause", "approve"]
"""``pause`` starts no further step until ``unpause``; ``approve`` lets steps go on that wait for a person (suspend nodes)."""

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
    facts: tuple[str, ...] = ()
    """The platform's own words that this was read from, the telling one first; empty for the notebook's own exceptions."""


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
    cause: Failure | None = None
    """Why it failed, or, while it waits, why it cannot start."""

    failing: bool = False
    """Its container has failed already, though the engine calls it pending or running for a moment longer."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run. ``revision`` grows with every change, so that a watcher can tell news from a repetition."""

    name: str
    pipeline: str
    phase: Phase
    steps: tuple[StepRun, ...]
    """In document order."""

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
    target: str = "local"
    """Name of the target it runs on."""

    resumed: str | None = None
    """The run whose finished steps it took over."""

    paused: bool = False
    """No further step starts until somebody says so."""

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

    resume: str | None = None
    """A run of the same pipeline whose finished steps are taken over where nothing that they depend on has changed."""


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
        """Stop, delete, pause, unpause or approve. Stopping a finished run is no error; deleting a running one stops it first."""

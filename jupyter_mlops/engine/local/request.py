"""What only the submitting machine knows of a run: one value, as it lies in ``request.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from jupyter_mlops.settings import Settings, Steps, Storage, Workspace


@dataclass(frozen=True, slots=True)
class Request:
    """Written by the submitter, read by the supervisor and by every engine that finds the run later."""

    pipeline: str
    created: float
    """Seconds since the epoch."""

    store: str
    """Address of the registry in which the run is recorded."""

    settings: Settings
    notebook: str | None = None
    interpreter: tuple[str, ...] = ()
    supervisor: Mapping[str, Any] = field(default_factory=dict)
    """Identity of the supervisor's process; empty before it is up."""

    @property
    def home(self) -> Path | None:
        """The notebook's folder; None for a Workflow without a notebook."""
        return Path(self.notebook).parent if self.notebook else None

    def to_document(self) -> dict[str, Any]:
        """The JSON form; of the settings only what a run needs."""
        storage, workspace, steps = self.settings.storage, self.settings.workspace, self.settings.steps
        return {
            "version": 1,
            "pipeline": self.pipeline,
            "created": self.created,
            "store": self.store,
            "notebook": self.notebook,
            "interpreter": list(self.interpreter),
            "supervisor": dict(self.supervisor),
            "settings": {"home": str(storage.home), "keep_runs": storage.keep_runs, **asdict(workspace), **asdict(steps)},
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Request:
        """The value of a JSON form; raises KeyError or TypeError where it is not one of ours."""
        given = document["settings"]
        settings = Settings(
            storage=Storage(home=Path(given["home"]), keep_runs=int(given["keep_runs"])),
            workspace=Workspace(copy_limit=int(given["copy_limit"]), ignore=tuple(given["ignore"])),
            steps=Steps(
                stop_grace=float(given["stop_grace"]),
                termination_bytes=int(given["termination_bytes"]),
                early_after=float(given.get("early_after", -1.0)),
            ),
        )
        return cls(
            pipeline=str(document["pipeline"]),
            created=float(document["created"]),
            store=str(document["store"]),
            settings=settings,
            notebook=document.get("notebook"),
            interpreter=tuple(document.get("interpreter") or ()),
            supervisor=document.get("supervisor") or {},
        )

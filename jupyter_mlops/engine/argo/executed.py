"""The executed notebook of a run on a cluster, as a file on this machine: put together from what its steps reported.

The file is a cache: the reports in the registry are the truth while the run goes on, its record is afterwards.
"""

from __future__ import annotations

import gzip
import json
import threading
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jupyter_mlops.engine.branches import branch_of
from jupyter_mlops.engine.executed import ExecutedNotebook
from jupyter_mlops.engine.local.folder import replace_file
from jupyter_mlops.errors import MlopsError
from jupyter_mlops.oci.artifact import layers_of
from jupyter_mlops.oci.names import BUNDLE_CODE
from jupyter_mlops.oci.tar import read_member

if TYPE_CHECKING:
    from jupyter_mlops.engine.argo.reports import Report, Reports
    from jupyter_mlops.engine.base import Run
    from jupyter_mlops.oci.store import Store
    from jupyter_mlops.settings import Settings

KEPT = 4
"""Runs whose notebook is kept in memory while it grows."""

LARGEST_NOTEBOOK = 256 << 20
"""Bytes of a notebook without outputs that are read at most."""


class ExecutedFiles:
    """Executed notebooks below ``cache/executed/<target>/``."""

    def __init__(self, settings: Settings, store: Store, reports: Reports, target: str) -> None:
        self._folder = settings.storage.cache / "executed" / quote(target, safe="")
        self._home = settings.storage.home
        self._store, self._reports = store, reports
        self._growing: OrderedDict[str, tuple[ExecutedNotebook, dict[str, str]]] = OrderedDict()
        self._lock = threading.Lock()

    def existing(self, run: str) -> str | None:
        """The file, where there is one."""
        path = self._path(run)
        return str(path) if path.exists() else None

    def refresh(self, run: Run, bundle: str, reports: Mapping[str, Report]) -> str | None:
        """Bring the file to what has been reported by now; the file as it was where the registry does not answer.

        Args:
            run: the run.
            bundle: ``<repository>@sha256:…``.
            reports: the newest report of each step.
        """
        repository = bundle.partition("@")[0]
        with self._lock:
            notebook, taken = self._growing.setdefault(run.name, (ExecutedNotebook(), {}))
            self._growing.move_to_end(run.name)
            while len(self._growing) > KEPT:
                self._growing.popitem(last=False)
            with suppress(MlopsError, OSError, ValueError):
                changed = self._take(notebook, taken, run, repository, bundle, reports)
                if changed or not self._path(run.name).exists():
                    data = notebook.data()
                    if data is not None:
                        self.write(run.name, data)
        return self.existing(run.name)

    def write(self, run: str, data: bytes) -> str:
        """Put a file in place."""
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(self._path(run), data)
        return str(self._path(run))

    def note(self, run: str, notebook: str | None) -> None:
        """Remember where the notebook of a run lies on this machine."""
        if notebook:
            with suppress(OSError):
                self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                replace_file(self._folder / f"{run}.path", notebook.encode())

    def noted(self, run: str) -> str | None:
        """Where the notebook of a run lies, if it was submitted from here."""
        try:
            return (self._folder / f"{run}.path").read_text("utf-8") or None
        except (OSError, ValueError):
            return None

    def forget(self, run: str) -> None:
        """Delete what is here of a run."""
        with self._lock:
            self._growing.pop(run, None)
        for path in (self._path(run), self._folder / f"{run}.path"):
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def _path(self, run: str) -> Path:
        return self._folder / f"{run}.ipynb"

    def _take(
        self,
        notebook: ExecutedNotebook,
        taken: dict[str, str],
        run: Run,
        repository: str,
        bundle: str,
        reports: Mapping[str, Report],
    ) -> bool:
        """Take over what is new; whether there was anything."""
        changed = False
        for step in run.steps:
            report = reports.get(step.name)
            if report is not None and taken.get(step.name) != report.digest:
                if not notebook.known:
                    notebook.take_notebook(source_notebook(self._store, bundle))
                notebook.take_outputs(self._reports.outputs(repository, report), branch_of(step.name))
                taken[step.name] = report.digest
                changed = True
            if step.cause and step.cause.cell is not None and taken.get(f"{step.name} ended") != step.cause.message:
                notebook.end_cell(step.cause.cell, step.cause.message)
                taken[f"{step.name} ended"] = step.cause.message
                changed = True
        return changed


def source_notebook(store: Store, bundle: str) -> Mapping[str, Any]:
    """The notebook that ran, from the bundle. Raises MlopsError, ValueError."""
    repository, _, digest = bundle.partition("@")
    manifest = store.get_manifest(repository, digest)
    layer = next(layer for layer in layers_of(manifest) if layer.media_type == BUNDLE_CODE)
    with store.open_blob(repository, layer.digest) as stream, gzip.GzipFile(fileobj=stream) as plain:
        data = read_member(plain, "notebook.ipynb", LARGEST_NOTEBOOK)  # type: ignore[arg-type]  # reads like one
    found = json.loads(data or b"{}")
    return found if isinstance(found, dict) else {}

"""Which finished runs go when a new one starts, and how a run is deleted."""

from __future__ import annotations

import secrets
import shutil

from jupyter_mlops.engine.local.folder import RunFolder
from jupyter_mlops.oci.store import Store
from jupyter_mlops.settings import Settings


def prune(settings: Settings, store: str, pipeline: str) -> None:
    """Delete the oldest finished runs of a pipeline beyond ``keep_runs``."""


def delete_run(settings: Settings, store: Store, pipeline: str, folder: RunFolder) -> None:
    """Delete a finished run."""
    gone = folder.path.with_name(f".gone-{secrets.token_hex(8)}")
    folder.path.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)

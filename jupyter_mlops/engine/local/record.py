"""Writes the record of a finished run into the registry, where it outlives this machine's folder of runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyter_mlops.engine.decode import run_of
from jupyter_mlops.engine.local.folder import RunFolder
from jupyter_mlops.engine.local.request import Request
from jupyter_mlops.engine.runrecord import run_record
from jupyter_mlops.errors import MlopsError


def forget_attempts(request: Request, run: str, steps: Iterable[str]) -> None:
    """Take the tags off what steps reached before their turn: it is the steps' own by now, or nobody's."""
    from jupyter_mlops.oci.open import open_store
    from jupyter_mlops.registry.layout import registry_of
    from jupyter_mlops.registry.runs import run_repository

    for step in steps:
        with suppress(MlopsError, OSError):
            registry_of(open_store(request.store)).delete(run_repository(request.pipeline), f"state.{run}.{step}.early")


def record_run(folder: RunFolder, request: Request, document: Mapping[str, Any]) -> str:
    """Record a run as its document tells it; gives what went wrong in words, '' if nothing did.

    A registry that cannot take the record changes nothing about the run itself, so this raises nothing.
    """
    from jupyter_mlops.oci.open import open_store
    from jupyter_mlops.registry.runs import RunRecords

    executed = folder.executed if folder.executed.exists() else None
    run = run_of(document, {"notebook": request.notebook, "executed": None if executed is None else str(executed)})
    files: dict[str, Path | bytes] = {path.name: path for path in folder.logs.glob("*.log")}
    files["workflow.json"] = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    if executed is not None:
        files[executed.name] = executed
    try:
        RunRecords(open_store(request.store)).put(request.pipeline, folder.name, run_record(run), files)
    except (MlopsError, OSError) as error:
        return f"the run could not be recorded in the registry: {error}"
    return ""

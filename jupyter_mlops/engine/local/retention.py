"""Which finished runs go when a new one starts, and how a run is deleted.

Of each pipeline the newest ``keep_runs`` finished runs stay; a run that still goes on is never counted nor deleted. What a
run registered (models, datasets) is no part of it and stays.
"""

from __future__ import annotations

import secrets
import shutil
from contextlib import suppress

from jupyter_mlops.engine.local.folder import RunFolder
from jupyter_mlops.engine.local.recover import FINISHED
from jupyter_mlops.errors import MlopsError
from jupyter_mlops.oci.store import Store
from jupyter_mlops.settings import Settings


def prune(settings: Settings, store: Store, pipeline: str) -> list[str]:
    """Delete the oldest finished runs of a pipeline beyond ``keep_runs``; gives their names."""
    finished: list[tuple[float, RunFolder]] = []
    for path in settings.storage.runs.iterdir():
        folder = RunFolder(path)
        if path.name.startswith("."):
            continue
        with suppress(MlopsError, OSError, KeyError):
            request = folder.read_request()
            if request["pipeline"] == pipeline and (folder.read_workflow().get("status") or {}).get("phase") in FINISHED:
                finished.append((float(request["created"]), folder))
    gone = sorted(finished, key=lambda pair: -pair[0])[max(0, settings.storage.keep_runs) :]
    for _, folder in gone:
        with suppress(FileNotFoundError):  # another supervisor was first
            delete_run(store, pipeline, folder)
    return [folder.name for _, folder in gone]


def delete_run(store: Store, pipeline: str, folder: RunFolder) -> None:
    """Delete a finished run: what it left in the registry first, so that a failure there leaves a run to delete again.

    The folder goes at once under another name, so that nobody sees half of it, and then file by file.

    Raises:
        FileNotFoundError: somebody else deleted it meanwhile.
        MlopsError: the registry did not let go of it.
    """
    from jupyter_mlops.registry.runs import RunRecords

    RunRecords(store).delete(pipeline, folder.name)
    gone = folder.path.with_name(f".gone-{secrets.token_hex(8)}")
    folder.path.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)

"""All runs of a namespace as they change, for the events of a Jupyter Server: one watch for all of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from jupyter_mlops.engine.base import DONE

if TYPE_CHECKING:
    from jupyter_mlops.engine.argo.engine import ArgoEngine
    from jupyter_mlops.engine.argo.stage import Stage
    from jupyter_mlops.engine.base import Run


def changes(engine: ArgoEngine, stop: threading.Event) -> Iterator[Run]:
    """Every run there is, then each that changes, until ``stop`` is set.

    A run that was deleted is given once more; :func:`gone` tells it. Only runs that go on are kept in memory.

    Raises:
        NotAllowed: runs of the namespace may not be watched.
        Unavailable: the API server has not answered for a minute. Begin again.
    """
    seen: dict[str, Run] = {}
    with engine.stage() as stage:
        threading.Thread(target=_close_on, args=(stop, stage), name="mlops-watch-stop", daemon=True).start()
        for names in stage:
            for name in sorted(names):
                if name not in stage.workflows:
                    if (last := seen.pop(name, None)) is not None:
                        yield replace(last, revision=last.revision + 1, workflow=_DELETED)
                    continue
                run = engine.staged(stage, name)
                known = seen.get(name)
                seen[name] = replace(run, workflow={}, steps=run.steps if run.phase not in DONE else ())
                if run.phase in DONE:
                    stage.drop(name)
                if known is None or run.revision > known.revision:
                    yield run


def _close_on(stop: threading.Event, stage: Stage) -> None:
    stop.wait()
    stage.close()


_DELETED = {"metadata": {"deletionTimestamp": "deleted"}}


def gone(run: Run) -> bool:
    """Whether a run that ``changes`` gave was deleted."""
    return "deletionTimestamp" in (run.workflow.get("metadata") or {})

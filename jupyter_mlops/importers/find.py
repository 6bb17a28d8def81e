"""Which importer a source is for, asked of each in order: a pipeline or configuration first, then notebooks by their tags."""

from __future__ import annotations

from jupyter_mlops.errors import Refused, Where
from jupyter_mlops.importers.base import Importer, Source
from jupyter_mlops.importers.elyra import Elyra
from jupyter_mlops.importers.kale import Kale
from jupyter_mlops.importers.papermill import Papermill
from jupyter_mlops.importers.same import Same
from jupyter_mlops.importers.scheduler import Scheduler

IMPORTERS: tuple[Importer, ...] = (Elyra(), Scheduler(), Same(), Kale(), Papermill())


def importer_of(source: Source) -> Importer:
    """The importer of a source.

    Raises:
        Refused: code ``nothing-to-import``: an ordinary notebook; ``not-importable``: something else.
    """
    found = next((one for one in IMPORTERS if one.recognises(source)), None)
    if found is not None:
        return found
    if "cells" in source.document:
        message = f"{source.name} is an ordinary notebook: there is nothing of another tool in it"
        raise Refused(message, "nothing-to-import", f"Take it as it is: jupyter mlops convert {source.name}", Where(source.name))
    message = f"{source.name} is of no format that is known here"
    fix = "Kale notebooks, Elyra pipelines, papermill's notebooks, jupyter-scheduler's jobs and SAME notebooks can be imported."
    raise Refused(message, "not-importable", fix, Where(source.name))

"""Notebooks that papermill has executed: the values of that run become the defaults of the parameters.

Papermill puts a cell ``injected-parameters`` behind the one tagged ``parameters``, and notes about its run into the metadata
of the notebook and of every cell. A notebook that only has the tag needs no import: the tag means the same here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyter_mlops.importers.base import JSON, Account, Imported, Source, mapping, objects
from jupyter_mlops.importers.cells import PARAMETERS, copied, finished, set_tags, tags_of, text_of
from jupyter_mlops.importers.parameters import INJECTED, give, literals

NOTES = "papermill"
"""The key of papermill's notes."""


class Papermill:
    """Executed notebooks of papermill, and of those tools that use its tags (jupyter-scheduler, ploomber-engine)."""

    def recognises(self, source: Source) -> bool:
        """By its notes, or by a cell that it injected."""
        noted = NOTES in mapping(source.document.get("metadata"))
        return noted or any(INJECTED in tags_of(cell) for cell in objects(source.document.get("cells")))

    def convert(self, source: Source) -> Imported:
        """The notebook without papermill's notes, with the injected values as defaults."""
        account = Account()
        document = copied(source.document)
        _notes(document.setdefault("metadata", {}).pop(NOTES, None), account)
        for cell in document["cells"]:
            if isinstance(cell.get("metadata"), dict):
                cell["metadata"].pop(NOTES, None)
        for place in [i for i, cell in enumerate(document["cells"]) if INJECTED in tags_of(cell)]:
            _injected(document["cells"], place, account)
        return Imported("papermill", finished(document), source.stem, tuple(account.items))


def _notes(notes: Any, account: Account) -> None:
    for key, value in notes.items() if isinstance(notes, Mapping) else ():
        if key in {"parameters", "default_parameters"}:
            account.not_needed(f"papermill.{key}", "the cells say the same")
        elif key == "exception" and value:
            account.lost("papermill.exception", "that run failed", "Look at the cell that raised before you run it.")
        else:
            account.not_needed(f"papermill.{key}", "a note about one execution")


def _injected(cells: list[JSON], place: int, account: Account) -> None:
    """Merge one injected cell into the cell of parameters, or let it be one itself."""
    values = literals(text_of(cells[place]))
    owned = any(PARAMETERS in tags_of(cell) for cell in cells[:place])
    if values is None or not owned:
        set_tags(cells[place], [PARAMETERS if tag == INJECTED else tag for tag in tags_of(cells[place])])
        account.taken(INJECTED, "a cell of parameters", place)
        return
    del cells[place]
    for name in values:
        account.taken(f"{INJECTED} {name}", f"the default of {name}: {values[name]!r}", place)
    account.taken(INJECTED, give(cells, values), place)

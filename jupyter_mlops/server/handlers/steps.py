"""Changes to the steps of a notebook as it is open in the browser: the edits of its cells come back, and nothing is saved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_mlops.errors import WrongUsage
from jupyter_mlops.server import notebooks
from jupyter_mlops.server.handlers.base import MlopsHandler
from jupyter_mlops.server.handlers.convert import NOTEBOOK_LIMIT
from jupyter_mlops.server.requests import Join, Pin, Put, Rename, Reset, Skip, Split, StepsRequest, Unpin, Unskip

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench
    from jupyter_mlops.notebook.document import Notebook
    from jupyter_mlops.pipeline.edit import CellEdit

OfCells = Skip | Unskip | Put | Reset
OfSteps = Split | Rename | Pin | Unpin
Change = OfCells | OfSteps | Join


class StepsHandler(MlopsHandler):
    """``/steps``."""

    @property
    def body_limit(self) -> int:
        """A notebook comes along."""
        return NOTEBOOK_LIMIT

    @web.authenticated
    @authorized("read", "mlops:runs")
    async def post(self) -> None:
        """The cells to change so that the steps are those that are wanted."""
        asked = self.body_as(StepsRequest)
        name = notebooks.local_name(asked.path)
        self.answer({"edits": await self.work(changed, self.bench, asked.content, name, asked.change)})


def changed(bench: Workbench, content: Mapping[str, Any], name: str, change: Change) -> list[dict[str, Any]]:
    """``{"cell", "metadata", "source"}`` of each cell that changes: its whole metadata, as small as it can be.

    Args:
        bench: plans the notebook.
        content: the document.
        name: its file's name.
        change: what is wanted.

    Raises:
        WrongUsage: a step or cell is not there, a name is taken, a value does not fit, or the last step is not after the first.
        Refused: the notebook cannot be a pipeline.
    """
    if isinstance(change, Join):
        return _between(content, _joined(bench, content, name, change))
    from jupyter_mlops.pipeline.edit import applied

    notebook = notebooks.validated(content, name)
    return _between(content, applied(content, _edits(bench, notebook, change)))


def _edits(bench: Workbench, notebook: Notebook, change: OfCells | OfSteps) -> tuple[CellEdit, ...]:
    from jupyter_mlops.pipeline import edit

    if isinstance(change, OfCells):
        return _of_cells(notebook, change)
    pipeline = bench.convert(notebook)
    if isinstance(change, Split):
        return edit.write(notebook, edit.split(pipeline, change.cell, change.name))
    if isinstance(change, Rename):
        return edit.write(notebook, edit.rename(pipeline, change.step, change.name))
    act = edit.pin if isinstance(change, Pin) else edit.unpin
    return act(notebook, pipeline, change.first, change.last)


def _of_cells(notebook: Notebook, change: OfCells) -> tuple[CellEdit, ...]:
    """What can be asked also where the notebook cannot be planned: it may be what mends it."""
    from jupyter_mlops.pipeline import edit

    if isinstance(change, Reset):
        return edit.reset(notebook)
    if isinstance(change, Put):
        return edit.put(notebook, change.cell, change.key, change.value)
    act = edit.skip if isinstance(change, Skip) else edit.unskip
    return act(notebook, change.cells)


def _joined(bench: Workbench, content: Mapping[str, Any], name: str, change: Join) -> Mapping[str, Any]:
    """The document in which two steps, and those between them, are one: neighbour after neighbour."""
    from jupyter_mlops.pipeline.edit import applied, join, write

    document: Mapping[str, Any] = content
    while True:
        notebook = notebooks.validated(document, name)
        pipeline = bench.convert(notebook)
        steps = [step.name for step in pipeline.steps]
        if document is not content and change.last not in steps:
            return document
        if change.first not in steps or change.last not in steps[steps.index(change.first) + 1 :]:
            raise WrongUsage(
                f"the step {change.last} is not after the step {change.first}; there are {', '.join(steps) or 'none'}",
                fix="Convert the notebook again: its steps may be others now.",
            )
        following = steps[steps.index(change.first) + 1]
        document = applied(document, write(notebook, join(pipeline, change.first, following)))


def _between(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    pairs = enumerate(zip(before["cells"], after["cells"], strict=True))
    return [
        {"cell": index, "metadata": new["metadata"], "source": "".join(new["source"])} for index, (old, new) in pairs if old != new
    ]

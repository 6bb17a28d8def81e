"""Steps made one, in a notebook as it is open in the browser: the edits of its cells come back, and nothing is saved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_mlops.errors import WrongUsage
from jupyter_mlops.server import notebooks
from jupyter_mlops.server.handlers.base import MlopsHandler
from jupyter_mlops.server.handlers.convert import NOTEBOOK_LIMIT
from jupyter_mlops.server.requests import JoinRequest

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench


class JoinsHandler(MlopsHandler):
    """``/joins``."""

    @property
    def body_limit(self) -> int:
        """A notebook comes along."""
        return NOTEBOOK_LIMIT

    @web.authenticated
    @authorized("read", "mlops:runs")
    async def post(self) -> None:
        """The cells to change so that two steps, and those between them, become one."""
        asked = self.body_as(JoinRequest)
        name = notebooks.local_name(asked.path)
        self.answer({"edits": await self.work(joined, self.bench, asked.content, name, asked.first, asked.last)})


def joined(bench: Workbench, content: Mapping[str, Any], name: str, first: str, last: str) -> list[dict[str, Any]]:
    """``{"cell", "metadata", "source"}`` of each cell that changes: its whole metadata, as small as it can be.

    Args:
        bench: plans the notebook.
        content: the document.
        name: its file's name.
        first: the step whose name stays.
        last: a later step; what lies between is joined too.

    Raises:
        WrongUsage: a step is not there, or the last is not after the first.
        Refused: the notebook cannot be a pipeline.
    """
    from jupyter_mlops.pipeline.edit import applied, join, write

    document: Mapping[str, Any] = content
    while True:
        notebook = notebooks.validated(document, name)
        pipeline = bench.convert(notebook)
        steps = [step.name for step in pipeline.steps]
        if document is not content and last not in steps:
            return _edits(content, document)
        if first not in steps or last not in steps[steps.index(first) + 1 :]:
            raise WrongUsage(
                f"the step {last} is not after the step {first}; there are {', '.join(steps) or 'none'}",
                fix="Convert the notebook again, and look into the kernel once more.",
            )
        following = steps[steps.index(first) + 1]
        document = applied(document, write(notebook, join(pipeline, first, following)))


def _edits(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    pairs = enumerate(zip(before["cells"], after["cells"], strict=True))
    return [
        {"cell": index, "metadata": new["metadata"], "source": "".join(new["source"])} for index, (old, new) in pairs if old != new
    ]

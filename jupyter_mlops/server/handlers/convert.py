"""A notebook as a pipeline and as a Workflow. Neither writes anything nor runs a line of the notebook."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_mlops.server import notebooks
from jupyter_mlops.server.handlers.base import MlopsHandler
from jupyter_mlops.server.requests import ConvertRequest
from jupyter_mlops.views import conversion_view

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench
    from jupyter_mlops.notebook.document import Notebook

NOTEBOOK_LIMIT = 128 << 20
"""Bytes of a notebook sent along."""


class _NotebookHandler(MlopsHandler):
    """Reads the notebook that the request is about."""

    @property
    def body_limit(self) -> int:
        """Outputs with pictures are part of a notebook."""
        return NOTEBOOK_LIMIT

    async def notebook(self, asked: ConvertRequest) -> Notebook:
        """From the request where it holds the content, else from the contents service."""
        if asked.content is not None:
            return await self.work(notebooks.validated, asked.content, notebooks.local_name(asked.path))
        return await notebooks.read(self.contents_manager, asked.path)


class ConvertHandler(_NotebookHandler):
    """``/convert``."""

    @web.authenticated
    @authorized("read", "mlops:runs")
    async def post(self) -> None:
        """Steps, links, parameters and doubts; for a target that is named also the environment, and what does not fit there."""
        asked = self.body_as(ConvertRequest)
        notebook = await self.notebook(asked)
        folder = await notebooks.folder_of(self.contents_manager, asked.path)
        if self.get_query_argument("target", None):
            self.answer(await self.ask(convert_for, notebook, folder))
        else:
            self.answer(await self.work(convert, self.bench, notebook, folder))


class WorkflowHandler(_NotebookHandler):
    """``/workflow``."""

    @web.authenticated
    @authorized("read", "mlops:runs")
    async def post(self) -> None:
        """The Argo Workflow as YAML."""
        asked = self.body_as(ConvertRequest)
        notebook = await self.notebook(asked)
        folder = await notebooks.folder_of(self.contents_manager, asked.path)
        named = bool(self.get_query_argument("target", None))
        self.answer_yaml(await self.ask(workflow_text, notebook, folder, named=named))


def convert(bench: Workbench, notebook: Notebook, folder: Path | None = None) -> dict[str, Any]:
    """The conversion in its JSON form. Raises Refused."""
    from jupyter_mlops.registry.bundles import source_digest

    return conversion_view(bench.convert(notebook, folder), source_digest(notebook))


def convert_for(bench: Workbench, notebook: Notebook, folder: Path | None) -> dict[str, Any]:
    """The same for the bench's target, with what does not fit there and the environment; a folder elsewhere has none."""
    from jupyter_mlops.fitting import Fit, fit, ordered
    from jupyter_mlops.registry.bundles import source_digest

    pipeline = ordered(bench, notebook, bench.convert(notebook, folder))
    found = Fit(None, ()) if folder is None else fit(bench, notebook, pipeline, folder)
    told = replace(pipeline, diagnostics=(*pipeline.diagnostics, *found.findings))
    return {**conversion_view(told, source_digest(notebook)), "environment": found.environment}


def workflow_text(bench: Workbench, notebook: Notebook, folder: Path | None, *, named: bool = False) -> str:
    """The Workflow's YAML, as the command line writes it; for a target that was ``named`` in the order that its runs taught.

    Raises:
        Refused: the notebook.
    """
    from jupyter_mlops.fitting import ordered
    from jupyter_mlops.workflow.yaml import dump

    pipeline = bench.convert(notebook)
    return dump(bench.compile(notebook, ordered(bench, notebook, pipeline) if named else pipeline, folder))

"""Runs: start, list, look at, stop, pause, approve, delete. Names are checked by the routes: no piece of a path reaches a file."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_mlops.engine.base import DONE
from jupyter_mlops.errors import Diagnostic, NotFound, Where, WrongUsage
from jupyter_mlops.pipeline.contract import diagnostic_json
from jupyter_mlops.server import notebooks
from jupyter_mlops.server.handlers.base import MlopsHandler
from jupyter_mlops.server.places import CHANGING
from jupyter_mlops.server.requests import RunRequest
from jupyter_mlops.views import log_view, run_view

if TYPE_CHECKING:
    from pathlib import Path

    from jupyter_mlops.engine.base import Engine, Run, Verb
    from jupyter_mlops.flow import Workbench

MOST_RUNS = 200
MOST_LINES = 10_000


class _RunHandler(MlopsHandler):
    """Shows runs with paths as the file browser has them."""

    def shown(self, run: Run) -> dict[str, Any]:
        """The run in its JSON form; a path outside of Jupyter's folder is not told."""
        where = {key: notebooks.shown_path(self.contents_manager, getattr(run, key)) for key in ("notebook", "executed")}
        if run.executed and where["executed"] is None:
            where["executed"] = f"{run.name}.ipynb"
        return {**run_view(run), **where}

    async def control(self, name: str, verb: Verb) -> Run:
        """One verb on a run, and the news at once."""
        changed = await self.act(lambda bench: bench.engine.control(name, verb))
        self.done(verb, "run", name)
        return changed


class RunsHandler(_RunHandler):
    """``/runs``."""

    @web.authenticated
    @authorized("read", "mlops:runs")
    async def get(self) -> None:
        """A page of runs, newest first."""
        limit = self.whole("limit", 50, 1, MOST_RUNS)
        pipeline = self.get_query_argument("pipeline", None)
        before = self._before()
        found = await self.ask(lambda bench: bench.engine.list(pipeline=pipeline, limit=limit + 1, before=before))
        page = found[:limit]
        following = page[-1].created if len(found) > limit else None
        self.answer({"runs": [self.shown(run) for run in page], "next": following})

    @web.authenticated
    @authorized("execute", "mlops:runs")
    async def post(self) -> None:
        """Start a run of a saved notebook."""
        asked = self.body_as(RunRequest)
        path = await notebooks.folder_path(self.contents_manager, asked.path)
        place = await self.place(asked.target)
        found: list[Diagnostic] = []
        call = partial(_start, path=path, asked=asked, tell=found.append)
        run = await self.at(place, CHANGING, call)
        self.done("start", "run", run.name, run.source_digest, place.name)
        self.set_header("Location", f"{self.request.path}/{run.name}")
        self.answer({**self.shown(run), "diagnostics": [diagnostic_json(one) for one in found]}, 201)

    def _before(self) -> float | None:
        text = self.get_query_argument("before", None)
        try:
            return None if text is None else float(text)
        except ValueError as error:
            raise WrongUsage(
                f"before must be a time in seconds, not {text!r}", fix="Pass what `next` said.", where=Where(field="before")
            ) from error


class RunHandler(_RunHandler):
    """``/runs/{run}``."""

    @web.authenticated
    @authorized("read", "mlops:runs")
    async def get(self, run: str) -> None:
        """The run."""
        self.answer(self.shown(await self.ask(lambda bench: bench.engine.get(run))))

    @web.authenticated
    @authorized("write", "mlops:runs")
    async def delete(self, run: str) -> None:
        """Delete the run; a running one is stopped first. Models that it made stay."""
        await self.control(run, "delete")
        self.gone()


class RunStopHandler(_RunHandler):
    """``/runs/{run}/stop``."""

    @web.authenticated
    @authorized("execute", "mlops:runs")
    async def post(self, run: str) -> None:
        """Stop the run."""
        self.answer(self.shown(await self.control(run, "stop")))


class RunPauseHandler(_RunHandler):
    """``/runs/{run}/pause``."""

    @web.authenticated
    @authorized("execute", "mlops:runs")
    async def post(self, run: str) -> None:
        """Start no further step of the run."""
        self.answer(self.shown(await self.control(run, "pause")))


class RunUnpauseHandler(_RunHandler):
    """``/runs/{run}/unpause``."""

    @web.authenticated
    @authorized("execute", "mlops:runs")
    async def post(self, run: str) -> None:
        """Let a paused run go on."""
        self.answer(self.shown(await self.control(run, "unpause")))


class RunApproveHandler(_RunHandler):
    """``/runs/{run}/approve``."""

    @web.authenticated
    @authorized("execute", "mlops:runs")
    async def post(self, run: str) -> None:
        """Let the steps go on that wait for a person."""
        self.answer(self.shown(await self.control(run, "approve")))


class RunLogsHandler(MlopsHandler):
    """``/runs/{run}/logs``."""

    @web.authenticated
    @authorized("read", "mlops:runs")
    async def get(self, run: str) -> None:
        """Lines from an offset on; what the step printed, without the structured lines between."""
        offset = self.whole("offset", 0, 0, 1 << 40)
        limit = self.whole("limit", 2000, 1, MOST_LINES)
        step = self.get_query_argument("step", None)
        self.answer(await self.ask(lambda bench: log_page(bench.engine, run, step, offset, limit)))


class RunNotebookHandler(MlopsHandler):
    """``/runs/{run}/notebook``."""

    @web.authenticated
    @authorized("read", "mlops:runs")
    async def get(self, run: str) -> None:
        """The executed notebook so far, byte for byte."""
        self.finish(await self.ask(lambda bench: executed_bytes(bench.engine, run)))


class RunWorkflowHandler(MlopsHandler):
    """``/runs/{run}/workflow``."""

    @web.authenticated
    @authorized("read", "mlops:runs")
    async def get(self, run: str) -> None:
        """The Workflow with its status."""
        self.answer_yaml(await self.ask(lambda bench: workflow_text(bench.engine, run)))


def _start(bench: Workbench, path: Path, asked: RunRequest, tell: Callable[[Diagnostic], None]) -> Run:
    """Start what a request asks for; a resumed run has its own parameters where the request says none."""
    if asked.resume is not None:
        return bench.resume(asked.resume, path, asked.parameters, tell)
    return bench.run(path, asked.parameters, asked.kernel, tell=tell)


def log_page(engine: Engine, name: str, step: str | None, offset: int, limit: int) -> dict[str, Any]:
    """A page of a run's log. ``done`` is decided before reading, so that no line written meanwhile is lost."""
    finished = engine.get(name).phase in DONE
    printed = (line for line in engine.logs(name, step=step) if line.event is None)
    lines = [log_view(line) for line in islice(printed, offset, offset + limit)]
    return {"lines": lines, "offset": offset + len(lines), "done": finished and len(lines) < limit}


def executed_bytes(engine: Engine, name: str) -> bytes:
    """The executed notebook. Raises NotFound while there is none."""
    from pathlib import Path

    path = engine.get(name).executed
    try:
        if path:
            return Path(path).read_bytes()
    except FileNotFoundError:
        pass
    raise NotFound(f"{name} has no executed notebook yet", fix="It appears when the first cell has run.")


def workflow_text(engine: Engine, name: str) -> str:
    """The Workflow's YAML."""
    from jupyter_mlops.workflow.yaml import dump

    return dump(engine.get(name).workflow)

"""What a run keeps beside its record: names and sizes, values of metrics while it goes on, and one file at a time.

A file is somebody's text: of what a browser would run, nothing is shown. Pictures that cannot hold a program are given as what
they are, anything else as bytes to be saved.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_mlops.engine.base import DONE, Engine
from jupyter_mlops.errors import WrongUsage
from jupyter_mlops.server.handlers.base import MlopsHandler

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench

PICTURES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp"}
"""Suffix → media type of what is shown. No SVG: it may hold a program."""

LARGEST = 64 << 20
"""Bytes of a file at most that go through the notebook server; larger ones are written by the command line."""


class RunFilesHandler(MlopsHandler):
    """``/runs/{run}/files``."""

    @web.authenticated
    @authorized("read", "mlops:runs")
    async def get(self, run: str) -> None:
        """Names of the files that the run keeps, and all values of its metrics so far."""
        self.answer(await self.ask(lambda bench: kept_so_far(bench, run)))


class RunFileHandler(MlopsHandler):
    """``/runs/{run}/file``."""

    @web.authenticated
    @authorized("read", "mlops:runs")
    async def get(self, run: str) -> None:
        """One file, verified."""
        name = self.get_query_argument("name")
        data = await self.ask(lambda bench: file_of(bench, run, name))
        path = PurePosixPath(name)
        kind = PICTURES.get(path.suffix.lower(), "application/octet-stream")
        self.set_header("Content-Security-Policy", "sandbox; default-src 'none'")
        if path.suffix.lower() not in PICTURES:
            self.set_header("Content-Disposition", f"attachment; filename*=UTF-8''{quote(path.name, safe='')}")
        self.finish(data, set_content_type=kind)


def kept_so_far(bench: Workbench, name: str) -> dict[str, Any]:
    """As :func:`jupyter_mlops.registry.runs.kept`; of a run that goes on, the values that its steps have told by now."""
    from jupyter_mlops.registry.runs import kept

    run = bench.engine.get(name)
    found = kept(bench.store, run.pipeline, name)
    if not found["series"] and run.phase not in DONE:
        found["series"] = [point.to_json() for point in told(bench.engine, name)]
    return found


def told(engine: Engine, name: str) -> list[Any]:
    """The points that the logs of a run's steps hold, as far as they have come."""
    from jupyter_mlops.registry.series import point_of

    lines = (line for line in engine.logs(name) if line.event is not None and line.event.get("event") == "metric")
    points = (point_of(line.event or {}, task=line.step) for line in lines)
    return [point for point in points if point is not None]


def file_of(bench: Workbench, name: str, title: str) -> bytes:
    """The bytes of a file that a run keeps.

    Raises:
        NotFound: no such run, or it keeps no such file.
        WrongUsage: code ``file-too-large``.
        Corrupt: it is damaged.
    """
    from jupyter_mlops.registry.runs import RunRecords

    records, pipeline = RunRecords(bench.store), bench.engine.get(name).pipeline
    size = records.files(pipeline, name).get(title, 0)
    if size > LARGEST:
        raise WrongUsage(
            f"{title} has {size} bytes, more than {LARGEST}",
            code="file-too-large",
            fix=f"Write the run's files into a folder: jupyter mlops runs {name} --files FOLDER",
        )
    with records.open(pipeline, name, title) as stream:
        return stream.read()

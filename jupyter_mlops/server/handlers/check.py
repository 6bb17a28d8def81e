"""Checks of notebooks: start, look at, stop. The check itself is a process of its own, which this server may outlive or not."""

from __future__ import annotations

from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_mlops.server import notebooks
from jupyter_mlops.server.handlers.base import MlopsHandler
from jupyter_mlops.server.requests import CheckRequest


class _CheckHandler(MlopsHandler):
    """Shows checks with paths as the file browser has them."""

    def shown(self, found: dict[str, Any]) -> dict[str, Any]:
        """The check in its JSON form."""
        return {**found, "notebook": notebooks.shown_path(self.contents_manager, found["notebook"])}


class ChecksHandler(_CheckHandler):
    """``/checks``."""

    @web.authenticated
    @authorized("read", "mlops:runs")
    async def get(self) -> None:
        """The last check of each notebook, or of one."""
        from jupyter_mlops.check.jobs import every

        path = self.get_query_argument("notebook", None)
        found = [self.shown(one) for one in await self.work(every, self.bench)]
        wanted = None if path is None else notebooks.local_name(path)
        self.answer({"checks": [one for one in found if wanted is None or one["notebook"] == wanted]})

    @web.authenticated
    @authorized("execute", "mlops:runs")
    async def post(self) -> None:
        """Start to check a saved notebook."""
        from jupyter_mlops.check.jobs import start

        asked = self.body_as(CheckRequest)
        path = await notebooks.folder_path(self.contents_manager, asked.path)
        found = await self.work(start, self.bench, path, asked.parameters, asked.kernel)
        self.done("start", "check", found["name"], found["source_digest"])
        self.answer(self.shown(found), 201)


class CheckHandler(_CheckHandler):
    """``/checks/{check}``."""

    @web.authenticated
    @authorized("read", "mlops:runs")
    async def get(self, check: str) -> None:
        """How far it is, and what it found."""
        from jupyter_mlops.check.jobs import get

        self.answer(self.shown(await self.work(get, self.bench, check)))


class CheckStopHandler(_CheckHandler):
    """``/checks/{check}/stop``."""

    @web.authenticated
    @authorized("execute", "mlops:runs")
    async def post(self, check: str) -> None:
        """Ask it to stop."""
        from jupyter_mlops.check.jobs import stop

        found = await self.work(stop, self.bench, check)
        self.done("stop", "check", check)
        self.answer(self.shown(found))

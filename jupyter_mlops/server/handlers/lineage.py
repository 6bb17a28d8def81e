"""Where a version comes from, and what was made of it."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_mlops.errors import Where, WrongUsage
from jupyter_mlops.registry.lineage import to_json
from jupyter_mlops.server.handlers.base import MlopsHandler

DIRECTIONS = ("up", "down")


class LineageHandler(MlopsHandler):
    """``/lineage``."""

    @web.authenticated
    @authorized("read", "mlops:lineage")
    async def get(self) -> None:
        """The tree of a version: what made it (``up``), or what was made of it (``down``)."""
        reference, direction = self.get_query_argument("of"), self.get_query_argument("direction", "up")
        if direction not in DIRECTIONS:
            raise WrongUsage(f"direction is {direction!r}", fix="Ask for up or down.", where=Where(field="direction"))
        found = await self.ask(lambda bench: getattr(bench.lineage, direction)(bench.lineage.find(reference)))
        self.answer(to_json(found))

"""Values that somebody types into the form of a cell: why they do not fit, before the notebook is converted.

The reader of the metadata answers, so that the form and the conversion say the same, and no rule is written twice.
"""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_mlops.notebook.metadata import unfit
from jupyter_mlops.notebook.schema import json_schema
from jupyter_mlops.server.handlers.base import MlopsHandler
from jupyter_mlops.server.requests import OptionsRequest


class OptionsHandler(MlopsHandler):
    """``/options``."""

    @web.authenticated
    @authorized("read", "mlops:runs")
    async def get(self) -> None:
        """The JSON schema of the keys, for other forms and editors."""
        self.answer(json_schema())

    @web.authenticated
    @authorized("read", "mlops:runs")
    async def post(self) -> None:
        """What was expected of each value that does not fit, by its key."""
        self.answer({"unfit": unfit(self.body_as(OptionsRequest).options)})

"""Registered models: list, look at, name by an alias, delete a version that nothing serves."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_mlops.registry.modeldiff import compare
from jupyter_mlops.registry.models import to_json
from jupyter_mlops.registry.pages import MODELS, VERSIONS, page
from jupyter_mlops.server.handlers.base import MlopsHandler
from jupyter_mlops.server.requests import AliasRequest

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench

MOST = 1000
"""Models of a page, and versions of a model there, at most."""


class ModelsHandler(MlopsHandler):
    """``/models``."""

    @web.authenticated
    @authorized("read", "mlops:models")
    async def get(self) -> None:
        """The first models that are looked for, by name, with their newest versions."""
        search, limit = self.get_query_argument("search", ""), self.whole("limit", MODELS, 1, MOST)
        versions = self.whole("versions", VERSIONS, 1, MOST)
        found = await self.ask(lambda bench: page(bench.models, search, limit=limit, versions=versions))
        self.answer(found.to_json())


class ModelHandler(MlopsHandler):
    """``/models/{model}``."""

    @web.authenticated
    @authorized("read", "mlops:models")
    async def get(self, model: str) -> None:
        """One model, newest version first."""
        self.answer(to_json(await self.ask(lambda bench: bench.models.get(model))))


class HistoryHandler(MlopsHandler):
    """``/models/{model}/history``."""

    @web.authenticated
    @authorized("read", "mlops:models")
    async def get(self, model: str) -> None:
        """Who moved an alias or deleted a version, when and why."""
        found = await self.ask(lambda bench: bench.models.history(model))
        self.answer({"name": model, "events": [dict(event) for event in found]})


class DiffHandler(MlopsHandler):
    """``/models/{model}/diff``."""

    @web.authenticated
    @authorized("read", "mlops:models")
    async def get(self, model: str) -> None:
        """What differs between two versions, without fetching either."""
        one, other = self.get_query_argument("from"), self.get_query_argument("to")

        def compared(bench: Workbench) -> dict[str, Any]:
            before, after = (bench.models.find(f"{model}:{tag}") for tag in (one, other))
            found = compare(before, after, bench.models.files(before), bench.models.files(after))
            return {"from": before.reference, "to": after.reference, "differences": [asdict(each) for each in found]}

        self.answer(await self.ask(compared))


class AliasHandler(MlopsHandler):
    """``/models/{model}/aliases/{alias}``."""

    @web.authenticated
    @authorized("write", "mlops:models")
    async def put(self, model: str, alias: str) -> None:
        """Let an alias name a version."""
        asked = self.body_as(AliasRequest)
        version = await self.act(lambda bench: bench.models.set_alias(model, alias, asked.tag, reason=asked.reason))
        self.done("alias", "model", f"{model}:{alias}", version.digest)
        self.answer(to_json(await self.ask(lambda bench: bench.models.get(model))))

    @web.authenticated
    @authorized("write", "mlops:models")
    async def delete(self, model: str, alias: str) -> None:
        """Take an alias away."""
        reason = self.get_query_argument("reason", "")
        await self.act(lambda bench: bench.models.remove_alias(model, alias, reason=reason))
        self.done("alias", "model", f"{model}:{alias}")
        self.gone()


class VersionHandler(MlopsHandler):
    """``/models/{model}/versions/{tag}``."""

    @web.authenticated
    @authorized("write", "mlops:models")
    async def delete(self, model: str, tag: str) -> None:
        """Delete a version. Conflict while a service uses it."""
        await self.act(lambda bench: bench.delete_model(model, tag))
        self.done("delete", "model", f"{model}:{tag}")
        self.gone()

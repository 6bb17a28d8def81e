"""Registered models: list, look at, name by an alias, delete a version that nothing serves."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_mlops.registry.models import to_json
from jupyter_mlops.server.handlers.base import MlopsHandler
from jupyter_mlops.server.requests import AliasRequest


class ModelsHandler(MlopsHandler):
    """``/models``."""

    @web.authenticated
    @authorized("read", "mlops:models")
    async def get(self) -> None:
        """All models."""
        found = await self.ask(lambda bench: bench.models.list())
        self.answer({"models": [to_json(model) for model in found]})


class ModelHandler(MlopsHandler):
    """``/models/{model}``."""

    @web.authenticated
    @authorized("read", "mlops:models")
    async def get(self, model: str) -> None:
        """One model, newest version first."""
        self.answer(to_json(await self.ask(lambda bench: bench.models.get(model))))


class AliasHandler(MlopsHandler):
    """``/models/{model}/aliases/{alias}``."""

    @web.authenticated
    @authorized("write", "mlops:models")
    async def put(self, model: str, alias: str) -> None:
        """Let an alias name a version."""
        asked = self.body_as(AliasRequest)
        version = await self.act(lambda bench: bench.models.set_alias(model, alias, asked.tag))
        self.done("alias", "model", f"{model}:{alias}", version.digest)
        self.answer(to_json(await self.ask(lambda bench: bench.models.get(model))))


class VersionHandler(MlopsHandler):
    """``/models/{model}/versions/{tag}``."""

    @web.authenticated
    @authorized("write", "mlops:models")
    async def delete(self, model: str, tag: str) -> None:
        """Delete a version. Conflict while a service uses it."""
        await self.act(lambda bench: bench.delete_model(model, tag))
        self.done("delete", "model", f"{model}:{tag}")
        self.gone()

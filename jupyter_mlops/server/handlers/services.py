"""Services: deploy, list, look at, stop, start, delete, test. Their ``url`` is the front door of this very server."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.utils import url_escape, url_path_join
from tornado import web

from jupyter_mlops.server.handlers.base import MlopsHandler
from jupyter_mlops.server.requests import PredictRequest, ServiceRequest
from jupyter_mlops.serving.decode import model_reference
from jupyter_mlops.views import service_view

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench
    from jupyter_mlops.serving.base import Service, Verb

MOST_LINES = 10_000


class _ServiceHandler(MlopsHandler):
    """Shows services with their front door."""

    def shown(self, service: Service) -> dict[str, Any]:
        """The service in its JSON form. Its own address needs a token that stays in the server; the front door needs Jupyter's."""
        door = url_path_join(self.base_url, "jupyter-mlops", "serve", url_escape(service.namespace), url_escape(service.name))
        return {**service_view(service), "url": door}

    async def control(self, namespace: str, service: str, verb: Verb) -> Service:
        """One verb on a service, and the news at once."""
        changed = await self.work(self.bench.services.control, service, verb, namespace)
        self.done(verb, "service", f"{namespace}/{service}")
        return changed


class ServicesHandler(_ServiceHandler):
    """``/services``."""

    @web.authenticated
    @authorized("read", "mlops:services")
    async def get(self) -> None:
        """All services."""
        self.answer({"services": [self.shown(service) for service in await self.work(self.bench.services.list)]})

    @web.authenticated
    @authorized("execute", "mlops:services")
    async def post(self) -> None:
        """Deploy a model."""
        asked = self.body_as(ServiceRequest)
        service = await self.work(self.bench.deploy, asked.model, asked.name, asked.namespace)
        self.done("deploy", "service", f"{service.namespace}/{service.name}", model_reference(service.document))
        self.set_header("Location", f"{self.request.path}/{url_escape(service.namespace)}/{url_escape(service.name)}")
        self.answer(self.shown(service), 201)


class ServiceHandler(_ServiceHandler):
    """``/services/{namespace}/{service}``."""

    @web.authenticated
    @authorized("read", "mlops:services")
    async def get(self, namespace: str, service: str) -> None:
        """The service."""
        self.answer(self.shown(await self.work(self.bench.services.get, service, namespace)))

    @web.authenticated
    @authorized("write", "mlops:services")
    async def delete(self, namespace: str, service: str) -> None:
        """Delete the service; the model stays."""
        await self.control(namespace, service, "delete")
        self.gone()


class ServiceStopHandler(_ServiceHandler):
    """``/services/{namespace}/{service}/stop``."""

    @web.authenticated
    @authorized("execute", "mlops:services")
    async def post(self, namespace: str, service: str) -> None:
        """Stop the model server; the service can be started again."""
        self.answer(self.shown(await self.control(namespace, service, "stop")))


class ServiceStartHandler(_ServiceHandler):
    """``/services/{namespace}/{service}/start``."""

    @web.authenticated
    @authorized("execute", "mlops:services")
    async def post(self, namespace: str, service: str) -> None:
        """Start a stopped service."""
        self.answer(self.shown(await self.control(namespace, service, "start")))


class ServiceLogsHandler(MlopsHandler):
    """``/services/{namespace}/{service}/logs``."""

    @web.authenticated
    @authorized("read", "mlops:services")
    async def get(self, namespace: str, service: str) -> None:
        """Lines of the model server from an offset on."""
        offset = self.whole("offset", 0, 0, 1 << 40)
        limit = self.whole("limit", 2000, 1, MOST_LINES)
        self.answer(await self.work(log_page, self.bench, namespace, service, offset, limit))


class SampleHandler(MlopsHandler):
    """``/services/{namespace}/{service}/sample``."""

    @web.authenticated
    @authorized("read", "mlops:services")
    async def get(self, namespace: str, service: str) -> None:
        """Rows that the model takes, recorded when it was trained."""
        self.answer({"instances": await self.work(self.bench.sample, service, namespace)})


class PredictHandler(MlopsHandler):
    """``/services/{namespace}/{service}/predict``."""

    @property
    def body_limit(self) -> int:
        """Rows: as many as the model server takes."""
        return self.bench.settings.serving.body_limit

    @web.authenticated
    @authorized("execute", "mlops:services")
    async def post(self, namespace: str, service: str) -> None:
        """Predict rows, or the recorded sample."""
        asked = self.body_as(PredictRequest)
        data = None if asked.instances is None else {"instances": asked.instances}
        found = await self.call_out(self.bench.predict, service, data, namespace)
        self.answer({"predictions": found.predictions, "milliseconds": found.milliseconds})


def log_page(bench: Workbench, namespace: str, service: str, offset: int, limit: int) -> dict[str, Any]:
    """A page of a model server's log. ``done``: it is stopped, so nothing follows."""
    stopped = bench.services.get(service, namespace).phase == "Stopped"
    found = [{"step": service, "text": line} for line in islice(bench.services.logs(service, namespace), offset, offset + limit)]
    return {"lines": found, "offset": offset + len(found), "done": stopped and len(found) < limit}

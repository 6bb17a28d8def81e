"""Services: deploy, list, look at, stop, start, delete, test. Their ``url`` is the front door of this very server."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.utils import url_escape, url_path_join
from tornado import web

from jupyter_mlops.errors import NotFound
from jupyter_mlops.server.handlers.base import MlopsHandler
from jupyter_mlops.server.places import CHANGING
from jupyter_mlops.server.requests import PredictRequest, ServiceRequest
from jupyter_mlops.serving.decode import model_reference
from jupyter_mlops.settings import LOCAL
from jupyter_mlops.views import service_view

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench
    from jupyter_mlops.serving.base import Service, Verb

MOST_LINES = 10_000
CONTAINER = re.compile(r"\[([a-z0-9][-a-z0-9/.]*)\] ?")
"""What a line of another container than the model server's begins with."""


class _ServiceHandler(MlopsHandler):
    """Shows services with their front door."""

    def shown(self, service: Service) -> dict[str, Any]:
        """The service in its JSON form.

        On this machine its own address needs a token that stays in the server; the front door needs Jupyter's. A cluster's
        service has the address that KServe gave it.
        """
        view = {**service_view(service), **mode_of(service)}
        if service.target != LOCAL:
            return view
        door = url_path_join(self.base_url, "jupyter-mlops", "serve", url_escape(service.namespace), url_escape(service.name))
        return {**view, "url": door}

    async def control(self, namespace: str, service: str, verb: Verb) -> Service:
        """One verb on a service, and the news at once."""
        changed = await self.act(lambda bench: bench.services.control(service, verb, namespace))
        self.done(verb, "service", f"{namespace}/{service}")
        return changed


class ServicesHandler(_ServiceHandler):
    """``/services``."""

    @web.authenticated
    @authorized("read", "mlops:services")
    async def get(self) -> None:
        """All services."""
        found = await self.ask(lambda bench: bench.services.list())
        self.answer({"services": [self.shown(service) for service in found]})

    @web.authenticated
    @authorized("execute", "mlops:services")
    async def post(self) -> None:
        """Deploy a model."""
        asked = self.body_as(ServiceRequest)
        place = await self.place(asked.target)
        service = await self.at(place, CHANGING, lambda bench: deploy(bench, asked))
        self.done("deploy", "service", f"{service.namespace}/{service.name}", model_reference(service.document), place.name)
        self.set_header("Location", f"{self.request.path}/{url_escape(service.namespace)}/{url_escape(service.name)}")
        self.answer(self.shown(service), 201)


class ServiceHandler(_ServiceHandler):
    """``/services/{namespace}/{service}``."""

    @web.authenticated
    @authorized("read", "mlops:services")
    async def get(self, namespace: str, service: str) -> None:
        """The service."""
        self.answer(self.shown(await self.ask(lambda bench: bench.services.get(service, namespace))))

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
        self.answer(await self.ask(log_page, namespace, service, offset, limit))


class SampleHandler(MlopsHandler):
    """``/services/{namespace}/{service}/sample``."""

    @web.authenticated
    @authorized("read", "mlops:services")
    async def get(self, namespace: str, service: str) -> None:
        """Rows that the model takes, recorded when it was trained."""
        self.answer({"instances": await self.ask(lambda bench: bench.sample(service, namespace))})


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
        found = await self.call_out(lambda bench: bench.predict(service, data, namespace))
        self.answer({"predictions": found.predictions, "milliseconds": found.milliseconds})


class DeploymentHandler(MlopsHandler):
    """``/deployment``."""

    @web.authenticated
    @authorized("read", "mlops:services")
    async def get(self) -> None:
        """How a model would be served on the target, found out and not configured, with the reason."""
        runtime = self.get_query_argument("runtime", "")
        self.answer(await self.ask(deployment, self.get_query_argument("model", ""), runtime))


def deploy(bench: Workbench, asked: ServiceRequest) -> Service:
    """Deploy what a request asks for."""
    options: dict[str, Any] = {key: getattr(asked, key) for key in ("mode", "image", "gpu", "runtime")}
    options["resources"] = {"memory": asked.memory} if asked.memory else None
    return bench.deploy(asked.model, asked.name, asked.namespace, **options)


def deployment(bench: Workbench, model: str, runtime: str) -> dict[str, Any]:
    """The mode that a deployment gets, and what can be chosen. Raises what the cluster raises, and NotFound for a model."""
    if bench.target.local:
        return {"mode": "", "reason": "", "image": "", "runtimes": []}
    from jupyter_mlops.serving.kserve.backend import KServeBackend
    from jupyter_mlops.serving.kserve.facts import check_kserve
    from jupyter_mlops.serving.kserve.runtimes import runtimes

    backend = bench.services
    check_kserve(bench.cluster)
    found = runtimes(bench.cluster, bench.namespace).found
    view: dict[str, Any] = {"image": _image(bench, model), "runtimes": sorted(each.name for each in found)}
    if not isinstance(backend, KServeBackend):
        return {**view, "mode": "", "reason": ""}
    mode = backend.mode(shell=_has_shell(bench, model), puller=not runtime)
    return {**view, "mode": mode.name, "reason": mode.reason}


def _image(bench: Workbench, model: str) -> str:
    """The image that serves a model where nobody chooses one: what ``deploy`` would take."""
    from jupyter_mlops.serving.kserve.predictor import image_of

    if not model:
        return bench.target.image
    try:
        return bench.target.mirrored(image_of(bench.models.find(model), bench.target))
    except NotFound:
        return bench.target.image


def _has_shell(bench: Workbench, model: str) -> bool:
    """Whether the model's image brings a shell; one that is not in the cluster's registry yet is copied as it is here."""
    from jupyter_mlops.serving.kserve.image import has_shell

    if not model:
        return False
    try:
        return has_shell(bench.store, bench.models.find(model))
    except NotFound:
        return False


def mode_of(service: Service) -> dict[str, str]:
    """How a service's model got into its pod, and why that way."""
    from jupyter_mlops.oci.names import LABEL

    notes = (service.document.get("metadata") or {}).get("annotations") or {}
    return {"mode": str(notes.get(f"{LABEL}mode") or ""), "mode_reason": str(notes.get(f"{LABEL}mode-reason") or "")}


def log_page(bench: Workbench, namespace: str, service: str, offset: int, limit: int) -> dict[str, Any]:
    """A page of a model server's log. ``done``: it is stopped, so nothing follows."""
    stopped = bench.services.get(service, namespace).phase == "Stopped"
    lines = islice(bench.services.logs(service, namespace), offset, offset + limit)
    found = [_line(service, line, local=bench.target.local) for line in lines]
    return {"lines": found, "offset": offset + len(found), "done": stopped and len(found) < limit}


def _line(service: str, line: str, *, local: bool) -> dict[str, str]:
    """A line with the container that said it; the model server's own stand as they are."""
    named = None if local else CONTAINER.match(line)
    return {"step": service, "text": line} if named is None else {"step": named[1], "text": line[named.end() :]}

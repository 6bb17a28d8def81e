"""The routes: V1, V2 with its repository extension, health, and the documents.

Sources: KServe's V1 protocol and the Open Inference Protocol (V2); where two servers differ, what a caller can act on was
chosen (400 with the reason, 404 with the names that exist).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from jupyter_mlops.errors import PlatformError, Unavailable
from jupyter_mlops.serving.server import openapi
from jupyter_mlops.serving.server.handlers import BodyHandler, Handler, Missing, parse
from jupyter_mlops.serving.server.metrics import CONTENT_TYPE
from jupyter_mlops.serving.server.model import Model, Observe

VERSION = r"(?:/versions/([^/]+))?"
EXTENSIONS = ["model_repository"]


class Live(Handler):
    """``GET /v2/health/live``."""

    def get(self) -> None:
        """The process answers."""
        self.answer({"live": True})


class Ready(Handler):
    """``GET /v2/health/ready``."""

    def get(self) -> None:
        """All models are loaded."""
        ready = all(model.state == "ready" for model in self.context.models.values()) and not self.context.draining
        self.answer({"ready": ready}, 200 if ready else 503)


class Server(Handler):
    """``GET /v2``."""

    def get(self) -> None:
        """Server metadata."""
        self.answer({"name": "jupyter-mlops", "version": self.context.version, "extensions": EXTENSIONS})


class Names(Handler):
    """``GET /v1/models``."""

    def get(self) -> None:
        """Names of the models."""
        self.answer({"models": list(self.context.models)})


class ModelReady(Handler):
    """``GET /v1/models/M`` and ``/v2/models/M/ready``."""

    def get(self, name: str, version: str | None = None) -> None:
        """Whether it can be called."""
        model = self.model(name, version)
        self.answer({"name": name, "ready": model.state == "ready"}, 200 if model.state == "ready" else 503)


class Metadata(Handler):
    """``GET /v2/models/M``."""

    def get(self, name: str, version: str | None = None) -> None:
        """The recorded signature."""
        model = self.model(name, version)
        if model.state != "ready":
            raise Unavailable(f"model '{name}' is {model.state}")
        self.answer(
            {
                "name": name,
                "versions": [model.version],
                "platform": f"jupyter-mlops_{model.card.get('format', 'python')}",
                "inputs": _inputs(model),
                "outputs": [tensor.to_dict() for tensor in model.signature.outputs],
            }
        )


def _inputs(model: Model) -> list[dict[str, Any]]:
    signature = model.signature
    described = [tensor.to_dict() for tensor in signature.inputs if tensor.datatype]
    if signature.kind == "tensor" and described and signature.shape:
        described[0]["shape"] = list(signature.shape)
    return described


class Call(BodyHandler):
    """A call of the model; subclasses say in which protocol."""

    def protocol(self, model: Model) -> Callable[[Any, Observe], dict[str, Any]]:
        """The method of the model that answers."""
        raise NotImplementedError

    async def post(self, name: str, version: str | None = None) -> None:
        """Answer with predictions."""
        model = self.model(name, version)
        observe = self.context.observers[name]
        body = self.body()
        work = partial(self._work, model, observe)
        self.answer(await model.run(work, body))

    def _work(self, model: Model, observe: Observe, body: bytes) -> dict[str, Any]:
        return self.protocol(model)(parse(body), observe)

    def on_finish(self) -> None:
        """Count the answer of a model that exists; names made up by callers make no series."""
        super().on_finish()
        if self.path_args and self.path_args[0] in self.context.models:
            self.context.metrics.answered(self.path_args[0], self.get_status())


class Predict(Call):
    """``POST /v1/models/M:predict``."""

    def protocol(self, model: Model) -> Callable[[Any, Observe], dict[str, Any]]:
        """V1."""
        return model.instances


class Infer(Call):
    """``POST /v2/models/M/infer``."""

    def protocol(self, model: Model) -> Callable[[Any, Observe], dict[str, Any]]:
        """V2."""
        return model.infer


class Index(BodyHandler):
    """``POST /v2/repository/index``."""

    def post(self) -> None:
        """Every model with its state; with ``{"ready": true}`` only those that can be called."""
        body = self.body()
        only = isinstance(asked := parse(body) if body else {}, dict) and asked.get("ready") is True
        states = {"loading": "LOADING", "ready": "READY", "unloaded": "UNAVAILABLE", "failed": "UNAVAILABLE"}
        self.answer(
            [
                {"name": model.name, "version": model.version, "state": states[model.state], "reason": model.reason}
                for model in self.context.models.values()
                if model.state == "ready" or not only
            ]
        )


class Load(BodyHandler):
    """``POST /v2/repository/models/M/load``."""

    async def post(self, name: str) -> None:
        """Load it again, after an unload or a change."""
        model = self.model(name)
        try:
            await asyncio.get_running_loop().run_in_executor(None, model.load)
        except (Exception, SystemExit) as error:
            raise PlatformError(f"model '{name}' could not be loaded: {type(error).__name__}: {error}") from error
        self.answer({"name": name, "load": True})


class Unload(BodyHandler):
    """``POST /v2/repository/models/M/unload``."""

    def post(self, name: str) -> None:
        """Let go of it; calls get 503 until it is loaded again."""
        self.model(name).unload()
        self.answer({"name": name, "unload": True})


class Scrape(Handler):
    """``GET /metrics``."""

    def get(self) -> None:
        """Prometheus' text exposition."""
        self.set_header("Content-Type", CONTENT_TYPE)
        self.finish(self.context.metrics.text())


class OpenAPI(Handler):
    """``GET /openapi.json``."""

    def get(self) -> None:
        """The document with a request that works."""
        self.answer(openapi.document(list(self.context.models.values()), self.context.version))


class Docs(Handler):
    """``GET /docs``."""

    def get(self) -> None:
        """The same for people; the policy lets the page load nothing."""
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        self.finish(openapi.page(list(self.context.models.values()), self.context.version))


ROUTES: list[tuple[str, type[Handler]]] = [
    (r"/v1/models/?", Names),
    (r"/v1/models/([^/:]+):predict", Predict),
    (r"/v1/models/([^/:]+)", ModelReady),
    (r"/v2/?", Server),
    (r"/v2/health/live", Live),
    (r"/v2/health/ready", Ready),
    (rf"/v2/models/([^/]+){VERSION}/infer", Infer),
    (rf"/v2/models/([^/]+){VERSION}/ready", ModelReady),
    (rf"/v2/models/([^/]+){VERSION}", Metadata),
    (r"/v2/repository/index", Index),
    (r"/v2/repository/models/([^/]+)/load", Load),
    (r"/v2/repository/models/([^/]+)/unload", Unload),
    (r"/metrics", Scrape),
    (r"/openapi.json", OpenAPI),
    (r"/docs/?", Docs),
    (r".*", Missing),
]

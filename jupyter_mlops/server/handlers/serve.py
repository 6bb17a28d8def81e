"""The front door of services: who is logged in to Jupyter reaches a model server, nobody else does.

A model server listens for this machine alone, behind a secret that never leaves it. Requests come in under Jupyter's own
address with Jupyter's own authentication and cross-site protection. Only the paths of a model server go through, only the
headers that its protocol knows, and nothing it answers is ever shown as a page of Jupyter's origin.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlencode

from jupyter_server.auth.decorator import authorized
from tornado import web
from tornado.web import HTTPError

from jupyter_mlops.server.handlers.base import MlopsHandler
from jupyter_mlops.serving.base import Request, Response

PATHS = re.compile(r"(?:v1|v2)(?:/[A-Za-z0-9._:@-]+)*|metrics|docs|openapi\.json|health(?:/(?:live|ready))?")
"""What may be asked for: the V1 and V2 protocols, metrics, and the description of the service."""

REQUEST_HEADERS = ("Accept", "Content-Type", "Inference-Header-Content-Length", "X-Request-Id", "Traceparent")
ANSWER_HEADERS = ("Inference-Header-Content-Length", "X-Request-Id")
PLAIN_TYPES = frozenset(
    {"application/json", "application/yaml", "text/plain", "application/openmetrics-text", "application/octet-stream"}
)
"""Content types handed on as they are; a page of a model server is handed on as bytes, so that no browser runs it here."""


class ServeHandler(MlopsHandler):
    """``/jupyter-mlops/serve/{namespace}/{service}/…``."""

    @property
    def body_limit(self) -> int:
        """As much as the model server takes."""
        return self.bench.settings.serving.body_limit

    @web.authenticated
    @authorized("read", "mlops:services")
    async def get(self, namespace: str, service: str, path: str) -> None:
        """Metadata, health, metrics, description."""
        await self._hand_on(namespace, service, path)

    @web.authenticated
    @authorized("execute", "mlops:services")
    async def post(self, namespace: str, service: str, path: str) -> None:
        """A prediction."""
        await self._hand_on(namespace, service, path)

    async def _hand_on(self, namespace: str, service: str, path: str) -> None:
        if not PATHS.fullmatch(path) or ".." in path:
            raise HTTPError(404, f"{service} serves v1/…, v2/…, metrics, docs, openapi.json and health here")
        pairs = [pair for pair in parse_qsl(self.request.query, keep_blank_values=True) if pair[0] != "target"]
        query = f"?{urlencode(pairs)}" if pairs else ""
        headers = {name: self.request.headers[name] for name in REQUEST_HEADERS if name in self.request.headers}
        request = Request(str(self.request.method), f"/{path}{query}", self.request.body or b"", headers)
        self._hand_back(await self.call_out(lambda bench: bench.services.call(service, request, namespace)))

    def _hand_back(self, response: Response) -> None:
        said = {name.lower(): value for name, value in response.headers.items()}
        content_type = said.get("content-type", "application/json")
        if content_type.partition(";")[0].strip().lower() not in PLAIN_TYPES:
            content_type = "application/octet-stream"
        for name in ANSWER_HEADERS:
            if name.lower() in said:
                self.set_header(name, said[name.lower()])
        self.set_status(response.status)
        self.finish(response.body, set_content_type=content_type)

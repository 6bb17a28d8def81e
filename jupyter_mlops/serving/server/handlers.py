"""What every handler shares: the token, JSON in and out, the body's limit, and errors without tracebacks."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
from dataclasses import dataclass, field
from typing import Any

import tornado.web

from jupyter_mlops.errors import MlopsError, NotFound, PredictionRejected
from jupyter_mlops.serving.server.metrics import Metrics
from jupyter_mlops.serving.server.model import Model, Observe
from jupyter_mlops.serving.server.outputs import dumps

log = logging.getLogger("jupyter_mlops.serving")


class TooLarge(PredictionRejected):
    """The body is above the limit."""

    default_code = "too-large"
    status = 413


class Unauthorized(MlopsError):
    """No token, or not this server's."""

    default_code = "unauthorized"
    status = 401


class Unsupported(PredictionRejected):
    """The body is in a form that is not read here."""

    default_code = "unsupported"
    status = 415


@dataclass
class Context:
    """What the handlers of one server share."""

    models: dict[str, Model]
    metrics: Metrics
    token: str
    body_limit: int
    version: str
    observers: dict[str, Observe] = field(default_factory=dict)
    draining: bool = False
    active: set[int] = field(default_factory=set)
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    def begin(self, handler: object) -> None:
        """A request came in."""
        self.active.add(id(handler))
        self.idle.clear()

    def end(self, handler: object) -> None:
        """A request was answered or given up; telling it twice is no error."""
        self.active.discard(id(handler))
        if not self.active:
            self.idle.set()


class Handler(tornado.web.RequestHandler):
    """Base of all handlers."""

    context: Context

    def initialize(self, context: Context) -> None:
        """Tornado's own constructor hook."""
        self.context = context
        context.begin(self)

    def prepare(self) -> None:
        """Let in only who has the token; compared in constant time."""
        if self.context.draining:
            self.set_header("Connection", "close")
        wanted = self.context.token
        if wanted and not hmac.compare_digest(self.request.headers.get("Authorization", "").encode(), f"Bearer {wanted}".encode()):
            raise Unauthorized("send the header 'Authorization: Bearer TOKEN' with this service's token")

    def set_default_headers(self) -> None:
        """No version of anything in the headers, and no guessing of types."""
        self.clear_header("Server")
        self.set_header("X-Content-Type-Options", "nosniff")

    def answer(self, value: Any, status: int = 200) -> None:
        """Send JSON."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(dumps(value))

    def model(self, name: str, version: str | None = None) -> Model:
        """The model of this name. Raises NotFound with those that are here."""
        models = self.context.models
        if name not in models:
            raise NotFound(f"model '{name}' is not here; loaded: {', '.join(models) or 'none'}")
        model = models[name]
        if version is not None and version != model.version:
            raise NotFound(f"model '{name}' has no version '{version}'; there is: {model.version}")
        return model

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Every error is ``{"error": sentence}``."""
        error = kwargs["exc_info"][1] if "exc_info" in kwargs else None
        if isinstance(error, MlopsError):
            self.answer({"error": error.message}, error.status)
        elif isinstance(error, tornado.web.HTTPError):
            self.answer({"error": f"{self.request.method} {self.request.path}: {error.reason or self._reason}"}, status_code)
        else:
            self.answer({"error": "the server failed; its log has the traceback"}, 500)

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Mistakes of callers are not news; everything else goes to the log with its traceback."""
        if not isinstance(value, MlopsError | tornado.web.HTTPError):
            log.error("request failed", exc_info=(typ, value, tb))

    def on_finish(self) -> None:
        """It is answered."""
        self.context.end(self)

    def on_connection_close(self) -> None:
        """The caller went away, maybe before it had sent all."""
        self.context.end(self)


class Missing(Handler):
    """Any path that is not a route."""

    def prepare(self) -> None:
        """Say what there is."""
        super().prepare()
        raise NotFound(f"no route {self.request.path}; see /docs")


@tornado.web.stream_request_body
class BodyHandler(Handler):
    """A handler that reads a body, chunked or not, up to the limit.

    The body is counted here and not left to tornado, which ends a connection that is over its limit without an answer.
    """

    def initialize(self, context: Context) -> None:
        """An empty body so far."""
        super().initialize(context)
        self._chunks: list[bytes] = []
        self._size = 0

    def prepare(self) -> None:
        """Refuse what is announced as too large, or cannot be read, before it is sent."""
        super().prepare()
        if self.request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise Unsupported("Content-Encoding is not supported; send plain JSON")
        if self.request.headers.get("Inference-Header-Content-Length"):
            raise Unsupported("binary tensors are not supported; send them as JSON")
        length = self.request.headers.get("Content-Length", "")
        if length.isdigit():
            self._check(int(length))

    def data_received(self, chunk: bytes) -> None:
        """Keep a piece of the body, unless it is too much already. An exception here would end the connection unanswered."""
        self._size += len(chunk)
        if self._size <= self.context.body_limit:
            self._chunks.append(chunk)
        else:
            self._chunks.clear()

    def _check(self, size: int) -> None:
        if size > self.context.body_limit:
            self.set_header("Connection", "close")
            raise TooLarge(f"the body has more than {self.context.body_limit} bytes; send fewer rows at a time")

    def body(self) -> bytes:
        """The whole body. Raises TooLarge for one that grew above the limit while it was sent in chunks."""
        self._check(self._size)
        return b"".join(self._chunks)


def parse(body: bytes) -> Any:
    """JSON of a body. Raises PredictionRejected with line and column."""
    if not body:
        raise PredictionRejected("the body is empty; send JSON")
    try:
        return json.loads(body)
    except UnicodeDecodeError as error:
        raise PredictionRejected(f"the body is not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise PredictionRejected(f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise PredictionRejected("the body is nested too deeply") from error

"""What all requests of ``/v2/`` have in common: who may, how lists are paged, and errors in the form of the specification."""

from __future__ import annotations

import json
import logging
from typing import Any, cast
from urllib.parse import quote, urlencode

from tornado import web
from tornado.http1connection import HTTP1Connection

from jupyter_mlops.errors import MlopsError, NotAllowed, WrongUsage
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.registry.access import Access
from jupyter_mlops.registry.uploads import Uploads

LARGEST = 1 << 43
"""Bytes of one request: the largest layer."""

PAGE = 1000
"""Tags or repositories in one answer."""

UNHEARD = 4 << 20
"""Bytes of a body at most that are taken, and thrown away, from who may not send them."""

CODES = {
    "blob-unknown": "BLOB_UNKNOWN",
    "manifest-unknown": "MANIFEST_UNKNOWN",
    "name-unknown": "NAME_UNKNOWN",
    "upload-unknown": "BLOB_UPLOAD_UNKNOWN",
    "upload-range": "BLOB_UPLOAD_INVALID",
    "invalid-name": "NAME_INVALID",
    "invalid-digest": "DIGEST_INVALID",
    "manifest-invalid": "MANIFEST_INVALID",
    "manifest-too-large": "SIZE_INVALID",
    "too-many-uploads": "TOOMANYREQUESTS",
    "blob-needed": "DENIED",
    "login-required": "UNAUTHORIZED",
    "not-allowed": "DENIED",
    "read-only-token": "DENIED",
    "precondition-failed": "PRECONDITION_FAILED",
}
"""Our code → the specification's; others are UNKNOWN."""

STATUS = {
    "upload-range": 416,
    "manifest-too-large": 413,
    "too-many-uploads": 429,
    "corrupt": 500,
    "login-required": 401,
    "precondition-failed": 412,
}
_LOG = logging.getLogger(__name__)


class Handler(web.RequestHandler):
    """What all have in common: who may, which folder, and errors in the specification's form."""

    streams = False
    """Whether the handler takes bodies piece by piece."""

    layout: Layout
    uploads: Uploads
    access: Access
    refused: NotAllowed | None = None
    """Why this request is not served."""

    cut = False
    """Whether the connection ends with the answer, since the body is not waited for."""

    def initialize(self, layout: Layout, uploads: Uploads, access: Access) -> None:
        """Set by the application."""
        self.layout, self.uploads, self.access = layout, uploads, access

    def set_default_headers(self) -> None:
        """Clients look for the version; the server's own is nobody's business."""
        self.clear_header("Server")
        self.set_header("Docker-Distribution-API-Version", "registry/2.0")

    def prepare(self) -> None:
        """Refuse who may not.

        Where bodies are streamed, an answer in ``prepare`` comes before the body, even before none, and tornado ends the
        connection with it: a client that still sends, or sends its next request, sees that and no answer. So the answer
        takes the place of the method, which runs after the body; too large a body is not waited for.
        """
        repository = self.path_args[0] if self.path_args else ""
        self.refused = self.access.refusal(self.request.method or "", self.request.headers, repository)
        if self.refused is None:
            return
        size = self.request.headers.get("Content-Length", "0")
        heard = size.isdecimal() and int(size) <= UNHEARD and "Transfer-Encoding" not in self.request.headers
        if not self.streams:
            raise self.refused
        if not heard:
            self.cut = True
            raise self.refused
        setattr(self, (self.request.method or "get").lower(), self._refuse)

    def _refuse(self, *_: str) -> None:
        """What a refused request does in the place of its method."""
        assert self.refused is not None
        raise self.refused

    def compute_etag(self) -> None:
        """Digests are set where there is one."""

    def fail(self, status: int, code: str, message: str) -> None:
        """End with an error."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps({"errors": [{"code": code, "message": message}]}))

    def write_error(self, status_code: int, **more: Any) -> None:
        """Errors of ours with their code; anything else without its details."""
        error = more.get("exc_info", (None, None))[1]
        if isinstance(error, MlopsError):
            self.set_header("X-Fix", quote(error.fix))
            if self.cut:
                self.set_header("Connection", "close")
            if error.code == "login-required":
                self.set_header("WWW-Authenticate", 'Basic realm="jupyter-mlops"')
            self.fail(STATUS.get(error.code, error.status), CODES.get(error.code, "UNKNOWN"), str(error))
        else:
            unsupported = status_code == 405  # noqa: PLR2004 - method not allowed
            self.fail(status_code, "UNSUPPORTED" if unsupported else "UNKNOWN", self._reason)

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """An error of ours is an answer, not a traceback."""
        if isinstance(value, MlopsError):
            _LOG.info("%s %s: %s", self.request.method, self.request.path, value)
        else:
            super().log_exception(typ, value, tb)

    def page(self, names: list[str]) -> list[str]:
        """The part of a sorted list that ``n`` and ``last`` ask for; ``Link`` leads on."""
        last = self.get_query_argument("last", "")
        text = self.get_query_argument("n", str(PAGE))
        if not text.isdecimal():
            raise WrongUsage(f"n={text!r} is not a number", code="wrong-usage", fix="Give how many to list.")
        count = min(int(text), PAGE)
        rest = [name for name in names if name > last]
        if count and len(rest) > count:
            query = urlencode({"n": count, "last": rest[count - 1]})
            self.set_header("Link", f'<{self.request.path}?{query}>; rel="next"')
        return rest[:count]

    def not_modified(self) -> None:
        """Answer 304: the client has it."""
        self.set_status(304)
        self.clear_header("Content-Length")
        self.finish()

    def created(self, location: str, digest: str) -> None:
        """Answer 201."""
        self.set_status(201)
        self.set_header("Location", location)
        self.set_header("Docker-Content-Digest", digest)

    def take_large_body(self) -> None:
        """Lift the limit of bodies for this request, whose handler takes it piece by piece."""
        cast("HTTP1Connection", self.request.connection).set_max_body_size(LARGEST)

"""Calls of a model server through the API server's proxy, with the caller's own credentials.

It needs no ingress, gateway or login page, and works from a laptop as from a pod. What the API server says itself is told
from what the model server says: the first is a ``Status`` object, and means that the call did not arrive.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from jupyter_mlops.cluster.base import Cluster, Reply
from jupyter_mlops.errors import NotAllowed, NotFound, PlatformError, Unavailable, WrongUsage
from jupyter_mlops.serving.base import Request, Response
from jupyter_mlops.serving.client import DROPPED

SETTLE = 10.0
"""Seconds in which a refused connection is tried again: a service is Ready up to a second before its address answers."""

PAUSE = 0.2
FORBIDDEN, MISSING, UNAVAILABLE = 403, 404, 503
NOT_ARRIVED = ("connection refused", "no endpoints available", "no route to host", "no such host")
"""Words of the API server that mean that nothing was sent, so that sending again repeats nothing."""


def call(
    cluster: Cluster,
    name: str,
    namespace: str,
    request: Request,
    *,
    worth: Callable[[], bool] = lambda: True,
    timeout: float = 60.0,
) -> Response:
    """Send one request to the model server.

    Args:
        cluster: which, and who calls.
        name: the service; its Service is ``<name>-predictor``.
        namespace: of the service.
        request: what is sent.
        worth: asked after a refused connection: whether to try again for ``SETTLE`` seconds, as for a service that is ready.
        timeout: seconds for the answer.

    Raises:
        NotAllowed: code ``proxy-forbidden``: the caller may not use the proxy.
        Unavailable: the call did not arrive, or was not answered.
        WrongUsage: method or path cannot be those of a request.
    """
    if not request.method.isalpha() or not request.path.startswith("/"):
        raise WrongUsage(f"{request.method} {request.path!r} is not a request", fix="Use a method like POST and a path from '/'.")
    headers = {key: value for key, value in request.headers.items() if key.lower() not in DROPPED}
    if request.body:
        headers.setdefault("Content-Type", "application/json")
    until: float | None = None
    while True:
        reply = _send(cluster, name, namespace, request, headers, timeout)
        said = api_server_words(reply)
        if said is None:
            return Response(reply.status, reply.body, {k: v for k, v in reply.headers.items() if k.lower() not in DROPPED})
        if until is None:
            until = time.monotonic() + (SETTLE if _not_arrived(said) and worth() else 0.0)
        if not _not_arrived(said) or time.monotonic() + PAUSE > until:
            raise _error(name, namespace, reply.status, said)
        time.sleep(PAUSE)


def _not_arrived(said: str) -> bool:
    return any(words in said for words in NOT_ARRIVED)


def _send(cluster: Cluster, name: str, namespace: str, request: Request, headers: Mapping[str, str], timeout: float) -> Reply:
    service = f"{name}-predictor"
    try:
        return cluster.proxy(
            service, 80, request.method, request.path, body=request.body, headers=headers, namespace=namespace, timeout=timeout
        )
    except NotAllowed as error:
        raise _error(name, namespace, FORBIDDEN, error.message) from error
    except NotFound as error:
        raise _error(name, namespace, MISSING, error.message) from error


def api_server_words(reply: Reply) -> str | None:
    """What the API server itself says, if it is it who answered; None for an answer of the model server."""
    try:
        document: Any = json.loads(reply.body)
    except ValueError:
        plain = reply.body[:400].decode(errors="replace")
        return plain if reply.status == UNAVAILABLE and "trying to reach service" in plain else None
    if isinstance(document, dict) and document.get("kind") == "Status" and document.get("apiVersion") == "v1":
        return str(document.get("message") or document.get("reason") or f"status {reply.status}")
    return None


def _error(name: str, namespace: str, status: int, said: str) -> PlatformError | NotAllowed:
    if status == FORBIDDEN:
        return NotAllowed(
            f"you may not call services of namespace '{namespace}' through the API server: {said}",
            code="proxy-forbidden",
            fix=f"Ask for the right to create 'services/proxy' in '{namespace}', or call its address from a pod of the cluster.",
        )
    if status == MISSING:
        return Unavailable(f"service '{name}' has no address yet: {said}", fix="It is starting: try again in a moment.")
    return Unavailable(f"service '{name}' does not answer: {said}", fix="Look at its state and its log, then try again.")

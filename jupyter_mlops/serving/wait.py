"""Wait until a service is ready, or until it is known that it will not be."""

from __future__ import annotations

import time
from collections import deque

from jupyter_mlops.errors import Conflict, PlatformError, Unavailable
from jupyter_mlops.serving.base import Backend, Service
from jupyter_mlops.serving.diagnose import diagnose

POLL_SECONDS = 0.05
"""Between two looks; a look reads one small file on this machine."""


def until_ready(backend: Backend, name: str, namespace: str, timeout: float) -> Service:
    """The service once it is ready.

    Args:
        backend: where it runs.
        name: the service.
        namespace: its namespace.
        timeout: seconds to wait at most.

    Raises:
        PlatformError: it failed; the message is the cause, the code that of ``diagnose``.
        Conflict: the port it was given is taken.
        Unavailable: it is stopped, or not ready in time.
        NotFound: there is no such service.
    """
    until = time.monotonic() + timeout
    while True:
        service = backend.get(name, namespace)
        if service.ready:
            return service
        if service.phase == "Failed":
            failure = (service.document.get("status", {}).get("modelStatus") or {}).get("lastFailureInfo") or {}
            cause = diagnose(str(failure.get("message", "")), failure.get("exitCode"))
            kind = Conflict if cause.code == "port-in-use" else PlatformError
            raise kind(f"service '{name}' failed: {cause.message}", code=cause.code, fix=cause.fix)
        if service.phase == "Stopped":
            raise Unavailable(f"service '{name}' is stopped", fix="Start it.")
        if time.monotonic() >= until:
            last = deque(backend.logs(name, namespace), maxlen=1)
            said = f"; its log ends with: {last[0]}" if last else ""
            raise Unavailable(
                f"service '{name}' is not ready after {timeout:g} s ({service.phase.lower()}){said}",
                fix="It goes on starting: look again later, or read its log.",
            )
        time.sleep(POLL_SECONDS)

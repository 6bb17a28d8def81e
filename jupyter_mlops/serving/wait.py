"""Wait until a service is ready, or until it is known that it will not be."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Protocol, runtime_checkable

from jupyter_mlops.errors import Conflict, PlatformError, Unavailable
from jupyter_mlops.serving.base import Backend, Service
from jupyter_mlops.serving.diagnose import diagnose

POLL_SECONDS = 0.05
"""Between two looks; a look reads one small file on this machine."""


@runtime_checkable
class Settling(Protocol):
    """A backend that tells of changes, so that nobody has to poll."""

    def settle(self, name: str, namespace: str, timeout: float) -> Iterator[Service]:
        """The service whenever it changed, first as it is now; ends after ``timeout`` seconds."""


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
    service = None
    with closing(_states(backend, name, namespace, timeout)) as states:  # what listens ends here, and not when it is collected
        for service in states:
            if service.ready:
                return service
            if service.phase == "Failed":
                raise _failed(service)
            if service.phase == "Stopped":
                raise Unavailable(f"service '{name}' is stopped", fix="Start it.")
    phase = service.phase.lower() if service else "gone"
    raise Unavailable(
        f"service '{name}' is not ready after {timeout:g} s ({phase}){_last_word(backend, name, namespace, service)}",
        fix=(service.fix if service else "") or "It goes on starting: look again later, or read its log.",
    )


def _states(backend: Backend, name: str, namespace: str, timeout: float) -> Generator[Service, None, None]:
    """The service, again and again until the time is over."""
    if isinstance(backend, Settling):
        yield from backend.settle(name, namespace, timeout)
        return
    until = time.monotonic() + timeout
    while True:
        yield backend.get(name, namespace)
        if time.monotonic() >= until:
            return
        time.sleep(POLL_SECONDS)


def _failed(service: Service) -> PlatformError | Conflict:
    """The cause as an error: as the backend decoded it, else from the end of the log that the status holds."""
    if service.code:
        return PlatformError(f"service '{service.name}' failed: {service.message}", code=service.code, fix=service.fix)
    failure = (service.document.get("status", {}).get("modelStatus") or {}).get("lastFailureInfo") or {}
    cause = diagnose(str(failure.get("message", "")), failure.get("exitCode"))
    kind = Conflict if cause.code == "port-in-use" else PlatformError
    return kind(f"service '{service.name}' failed: {cause.message}", code=cause.code, fix=cause.fix)


def _last_word(backend: Backend, name: str, namespace: str, service: Service | None) -> str:
    """What is known of why it takes so long: the cause, else the last line of the log."""
    if service and service.code:
        return f": {service.message}"
    last = deque(backend.logs(name, namespace), maxlen=1)
    return f"; its log ends with: {last[0]}" if last else ""

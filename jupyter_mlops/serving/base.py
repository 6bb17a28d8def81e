"""The port of serving: an InferenceService document in, the same document with a status out.

The document is KServe's ``serving.kserve.io/v1beta1`` on this machine and on a cluster; ``Service`` is what people see of
it, decoded by one function for both. ``testing/serving.py`` is the conformance suite.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Verb = Literal["stop", "start", "delete"]


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of the status; ``status`` is True, False or Unknown, as Kubernetes writes them."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    time: float | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """An endpoint as people see it. ``phase``: Pending, Loading, Ready, Failed or Stopped."""

    name: str
    namespace: str
    phase: str
    ready: bool
    url: str
    model: str
    """The model's name and tag or digest, e.g. ``churn@sha256:…``."""

    created: float
    conditions: tuple[Condition, ...] = ()
    message: str = ""
    fix: str = ""
    blame: str = ""
    facts: tuple[str, ...] = ()
    """The platform's own words behind ``message``, the telling one first."""

    target: str = "local"
    document: Mapping[str, Any] = field(default_factory=dict)
    code: str = ""
    """Of the cause behind ``message``; a row of ``docs/errors.md``."""

    ours: bool = True
    """False for a service of a cluster that others made: it can be looked at and called, never changed."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP call to the model server behind a service; ``path`` like ``/v2/models/churn/infer``."""

    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Response:
    """What the model server answered, unchanged."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Backend(Protocol):
    """Keeps InferenceServices running. Errors are those of ``jupyter_mlops.errors``."""

    def apply(self, document: Mapping[str, Any]) -> Service:
        """Create or change a service and return at once; ``get`` tells when it is ready."""

    def get(self, name: str, namespace: str = "default") -> Service:
        """The service as it is now; NotFound if there is none."""

    def list(self) -> Sequence[Service]:
        """All services, by namespace and name."""

    def logs(self, name: str, namespace: str = "default", *, follow: bool = False) -> Iterator[str]:
        """Lines of the model server's log, those of earlier starts included."""

    def control(self, name: str, verb: Verb, namespace: str = "default") -> Service:
        """Stop, start or delete."""

    def call(self, name: str, request: Request, namespace: str = "default") -> Response:
        """Send one request to the model server; Unavailable if it is not ready."""

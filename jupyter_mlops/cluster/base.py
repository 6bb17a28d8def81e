"""The port of clusters: documents in, documents out, and watching.

Documents are plain dictionaries, since what a cluster knows more than we do must survive a round trip. Errors are those of
``jupyter_mlops.errors``, with the API server's own words in the message: NotFound, Conflict (exists, or changed meanwhile),
NotAllowed (401, 403; ``cluster-login`` and ``cluster-forbidden``), Refused (422, or a field it does not know; ``where.field``
names it), Unavailable (does not answer). ``testing/cluster.py`` has a cluster in memory that passes the same suite.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object; ``group`` is '' for the core ones."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """As ``apiVersion`` says it."""
        return f"{self.group}/{self.version}" if self.group else self.version


WORKFLOWS = Kind("argoproj.io", "v1alpha1", "workflows", "Workflow")
INFERENCE_SERVICES = Kind("serving.kserve.io", "v1beta1", "inferenceservices", "InferenceService")
SERVING_RUNTIMES = Kind("serving.kserve.io", "v1alpha1", "servingruntimes", "ServingRuntime")
CLUSTER_SERVING_RUNTIMES = Kind(
    "serving.kserve.io", "v1alpha1", "clusterservingruntimes", "ClusterServingRuntime", namespaced=False
)
PODS = Kind("", "v1", "pods", "Pod")
EVENTS = Kind("", "v1", "events", "Event")
CONFIG_MAPS = Kind("", "v1", "configmaps", "ConfigMap")
SECRETS = Kind("", "v1", "secrets", "Secret")
SERVICES = Kind("", "v1", "services", "Service")
SERVICE_ACCOUNTS = Kind("", "v1", "serviceaccounts", "ServiceAccount")
NAMESPACES = Kind("", "v1", "namespaces", "Namespace", namespaced=False)
NODES = Kind("", "v1", "nodes", "Node", namespaced=False)
DEPLOYMENTS = Kind("apps", "v1", "deployments", "Deployment")
LEASES = Kind("coordination.k8s.io", "v1", "leases", "Lease")
CRDS = Kind("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False)


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list. ``version`` is where a watch goes on from, ``more`` the token of the next page or ''."""

    items: tuple[Document, ...]
    version: str = ""
    more: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One event of a watch. ``ALL`` is a whole list: at the start, and again whenever the watch had to begin anew."""

    type: Literal["ALL", "ADDED", "MODIFIED", "DELETED"]
    items: tuple[Document, ...]
    """The one object that changed; for ``ALL`` every object there is now."""


@dataclass(frozen=True, slots=True)
class Question:
    """Whether somebody may do something. ``account`` is ``system:serviceaccount:<namespace>:<name>``; '' asks for oneself."""

    verb: str
    kind: Kind
    namespace: str
    subresource: str = ""
    name: str = ""
    account: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer to a question; ``known`` is False where the asker may not even ask."""

    allowed: bool
    reason: str = ""
    known: bool = True


@dataclass(frozen=True, slots=True)
class Reply:
    """What a Service of the cluster answered through the API server's proxy, unchanged."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Cluster(Protocol):
    """One API server with one identity. Safe to use from many threads; ``namespace=None`` is the cluster's default one."""

    @property
    def context(self) -> str:
        """Name of the kubeconfig's context; ``in-cluster`` for a pod's own service account."""

    @property
    def namespace(self) -> str:
        """The context's (or pod's) namespace."""

    @property
    def server(self) -> str:
        """Address of the API server."""

    def get(self, kind: Kind, name: str, namespace: str | None = None) -> Document:
        """One object."""

    def list(
        self, kind: Kind, namespace: str | None = None, *, labels: str = "", fields: str = "", limit: int = 0, more: str = ""
    ) -> Page:
        """Objects by label and field selectors; ``limit`` 0 reads all pages.

        Raises:
            NotFound: code ``no-such-kind`` where the cluster lacks the kind.
        """

    def create(self, kind: Kind, document: Document, namespace: str | None = None, *, dry_run: bool = False) -> Document:
        """Create, after the API server took it with ``dryRun=All&fieldValidation=Strict``; ``dry_run`` stops there."""

    def apply(self, kind: Kind, document: Document, namespace: str | None = None) -> Document:
        """Server-side apply as field manager ``jupyter-mlops``, dry run first; takes over fields that others hold."""

    def patch(
        self, kind: Kind, name: str, patch: Document | Sequence[Document], namespace: str | None = None, *, subresource: str = ""
    ) -> Document:
        """A merge patch (mapping; with ``metadata.resourceVersion`` only on that version) or a JSON patch (sequence)."""

    def delete(self, kind: Kind, name: str, namespace: str | None = None, *, uid: str = "", wait: bool = False) -> None:
        """Delete in the background; only the object with this ``uid`` where one is given."""

    def watch(
        self, kind: Kind, namespace: str | None = None, *, labels: str = "", fields: str = "", timeout: float | None = None
    ) -> Iterator[Change]:
        """First ``ALL``, then every change, over broken connections and 410 Gone; ends after ``timeout`` seconds without a change.

        Closing the generator from the thread that iterates ends the connection; ``Unavailable`` is raised only when the server
        has not answered for a minute.
        """

    def logs(
        self, pod: str, container: str, namespace: str | None = None, *, follow: bool = False, previous: bool = False, tail: int = 0
    ) -> Iterator[str]:
        """Lines of a container's log, each with the timestamp that kubelet puts in front (RFC 3339, then a space)."""

    def events(self, name: str, namespace: str | None = None, *, kind: str = "") -> Sequence[Document]:
        """Core events about an object, oldest first."""

    def ask(self, questions: Sequence[Question]) -> Sequence[Answer]:
        """Access reviews, all at once in the pool."""

    def proxy(
        self,
        service: str,
        port: int,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        namespace: str | None = None,
        timeout: float = 60.0,
    ) -> Reply:
        """One HTTP call to a Service through the API server, with the caller's own credentials."""

    def kinds(self, group: str) -> Mapping[str, str]:
        """Plural → preferred version of a group's kinds; empty where the group is not there."""

    def has_field(self, kind: Kind, path: str) -> bool | None:
        """Whether the cluster's schema knows a field (``spec.canary``); None where it keeps no schema of the kind."""

    def version(self) -> tuple[int, int]:
        """Major and minor version of Kubernetes."""

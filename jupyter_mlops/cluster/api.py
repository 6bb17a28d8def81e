"""The port of clusters on a real API server: documents go in and come out, everything else is next door."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from jupyter_mlops.cluster.base import EVENTS, Answer, Change, Document, Kind, Page, Question, Reply
from jupyter_mlops.cluster.failures import Asked, explain, status_of
from jupyter_mlops.cluster.following import LogStream
from jupyter_mlops.cluster.kubeconfig import Access
from jupyter_mlops.cluster.paths import DRY_RUN, STRICT, object_path, proxy_path, with_query
from jupyter_mlops.cluster.questions import answer_all
from jupyter_mlops.cluster.schema import Schemas
from jupyter_mlops.cluster.session import Session, login_hint
from jupyter_mlops.cluster.times import event_time
from jupyter_mlops.cluster.watching import Watch, wait_until_gone
from jupyter_mlops.cluster.wire import Wire
from jupyter_mlops.errors import Conflict, Refused, WrongUsage

PAGE = 250
"""Objects read in one request where all are wanted."""

_TEST_FAILED = "the server rejected our request due to an error in our request"
"""All that an API server says where an operation of a JSON patch does not apply: a ``test`` fails, a path is not there."""


class ApiCluster:
    """One API server with one identity. Safe for threads: what is shared is the wire and a cache of schemas."""

    def __init__(self, access: Access, open_session: Callable[[], Session], namespace: str = "") -> None:
        """``open_session`` logs in, each time anew; ``namespace`` counts instead of the context's own."""
        self._access = access
        self._namespace = namespace or access.namespace
        self._wire = Wire(access.server, open_session, login_hint(access))
        self._schemas = Schemas(self._wire)

    def __repr__(self) -> str:
        """Which cluster; nothing of the credentials."""
        return f"ApiCluster(context={self.context!r}, server={self.server!r}, namespace={self.namespace!r})"

    @property
    def context(self) -> str:
        """Name of the kubeconfig's context; ``in-cluster`` for a pod's own service account."""
        return self._access.context

    @property
    def namespace(self) -> str:
        """The context's (or pod's) namespace."""
        return self._namespace

    @property
    def server(self) -> str:
        """Address of the API server."""
        return self._access.server

    def get(self, kind: Kind, name: str, namespace: str | None = None) -> Document:
        """One object."""
        place = self._place(kind, namespace)
        return self._wire.json("GET", object_path(kind, place, name), asked=self._asked(kind))

    def list(
        self, kind: Kind, namespace: str | None = None, *, labels: str = "", fields: str = "", limit: int = 0, more: str = ""
    ) -> Page:
        """Objects by label and field selectors; ``limit`` 0 reads all pages, namespace '' is all namespaces."""
        place = self._place(kind, namespace)
        if limit:
            return self._page(kind, place, labels, fields, limit, more)
        try:
            return self._all(kind, place, labels, fields, more)
        except Conflict:  # the pages grew too old while they were read: once more, from the beginning
            if more:
                raise
            return self._all(kind, place, labels, fields, "")

    def create(self, kind: Kind, document: Document, namespace: str | None = None, *, dry_run: bool = False) -> Document:
        """Create, after the API server took it with ``dryRun=All&fieldValidation=Strict``; ``dry_run`` stops there."""
        place, whole = self._place(kind, namespace, document), _complete(kind, document)
        path, asked = object_path(kind, place), self._asked(kind)
        with self._schemas.suggesting(kind):
            tried = self._tried(lambda: self._wire.json("POST", with_query(path, STRICT | DRY_RUN), whole, asked=asked, twice=True))
            if dry_run and tried is not None:
                return tried
            if dry_run:
                raise WrongUsage(
                    "a webhook of this cluster cannot be asked for a trial", code="no-dry-run", fix="Create it without a trial."
                )
            return self._wire.json("POST", with_query(path, STRICT), whole, asked=asked)

    def apply(self, kind: Kind, document: Document, namespace: str | None = None) -> Document:
        """Server-side apply as field manager ``jupyter-mlops``, dry run first; takes over fields that others hold."""
        place, name = self._place(kind, namespace, document), _name(document)
        if not name:
            raise WrongUsage("what is applied needs a metadata.name", code="invalid-document", fix="Give it a name, or create it.")
        whole = _complete(kind, document)
        whole["metadata"] = {key: value for key, value in whole.get("metadata", {}).items() if key != "managedFields"}
        path, asked = object_path(kind, place, name), self._asked(kind)
        query = {**STRICT, "force": "true"}

        def send(query: Mapping[str, str]) -> dict[str, Any]:
            return self._wire.json(
                "PATCH", with_query(path, query), whole, asked=asked, content_type="application/apply-patch+yaml", twice=True
            )

        with self._schemas.suggesting(kind):
            self._tried(lambda: send(query | DRY_RUN))
            return send(query)

    def patch(
        self, kind: Kind, name: str, patch: Document | Sequence[Document], namespace: str | None = None, *, subresource: str = ""
    ) -> Document:
        """A merge patch (mapping; with ``metadata.resourceVersion`` only on that version) or a JSON patch (sequence)."""
        place = self._place(kind, namespace)
        form = "application/merge-patch+json" if isinstance(patch, Mapping) else "application/json-patch+json"
        path = with_query(object_path(kind, place, name, subresource), STRICT)
        try:
            with self._schemas.suggesting(kind):
                return self._wire.json("PATCH", path, patch, asked=self._asked(kind), content_type=form)
        except Refused as error:
            if isinstance(patch, Mapping) or error.message != _TEST_FAILED:
                raise
            raise Conflict(
                f"{name} is not as the patch expects it", code="conflict", fix="Read it again and repeat the change."
            ) from None

    def delete(self, kind: Kind, name: str, namespace: str | None = None, *, uid: str = "", wait: bool = False) -> None:
        """Delete in the background; only the object with this ``uid`` where one is given."""
        place = self._place(kind, namespace)
        options: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if uid:
            options["preconditions"] = {"uid": uid}
        path, asked = object_path(kind, place, name), self._asked(kind)
        answer = self._wire.json("DELETE", path, options, asked=asked)
        if wait:
            gone = uid or str((answer.get("metadata") or {}).get("uid") or (answer.get("details") or {}).get("uid") or "")
            wait_until_gone(self, kind, name, place, gone)

    def watch(
        self, kind: Kind, namespace: str | None = None, *, labels: str = "", fields: str = "", timeout: float | None = None
    ) -> Iterator[Change]:
        """First ``ALL``, then every change; its ``close()`` may be called from any thread."""
        place = self._place(kind, namespace)
        query = {"labelSelector": labels, "fieldSelector": fields}
        return Watch(
            self._wire,
            with_query(object_path(kind, place), query),
            lambda: self.list(kind, place, labels=labels, fields=fields),
            self._asked(kind),
            timeout,
        )

    def logs(
        self, pod: str, container: str, namespace: str | None = None, *, follow: bool = False, previous: bool = False, tail: int = 0
    ) -> Iterator[str]:
        """Lines of a container's log with kubelet's timestamps; its ``close()`` may be called from any thread."""
        place = self._namespace if namespace is None else namespace
        return LogStream(self, self._wire, pod, container, place, follow=follow, previous=previous, tail=tail)

    def events(self, name: str, namespace: str | None = None, *, kind: str = "") -> Sequence[Document]:
        """Core events about an object, oldest first."""
        fields = f"involvedObject.name={name}" + (f",involvedObject.kind={kind}" if kind else "")
        return sorted(self.list(EVENTS, namespace, fields=fields).items, key=event_time)

    def ask(self, questions: Sequence[Question]) -> Sequence[Answer]:
        """Access reviews, all at once in the pool."""
        return answer_all(self._wire, questions)

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
        place = self._namespace if namespace is None else namespace
        given = {key.lower(): value for key, value in (headers or {}).items() if key.lower() not in {"authorization", "host"}}
        answer = self._wire.send(
            method,
            proxy_path(service, port, place, path),
            body if body or method in {"POST", "PUT", "PATCH"} else None,
            given,
            twice=method in {"GET", "HEAD"},
            timeout=timeout,
        )
        if answer.status >= 400 and status_of(answer.body) is not None:  # noqa: PLR2004 - all errors are above
            raise explain(answer.status, answer.body, answer.headers, self._wire.asked("services"))
        return Reply(answer.status, answer.body, answer.headers)

    def kinds(self, group: str) -> Mapping[str, str]:
        """Plural → preferred version of a group's kinds; empty where the group is not there."""
        return self._schemas.kinds(group)

    def has_field(self, kind: Kind, path: str) -> bool | None:
        """Whether the cluster's schema knows a field (``spec.canary``); None where it keeps no schema of the kind."""
        return self._schemas.has_field(kind, path)

    def version(self) -> tuple[int, int]:
        """Major and minor version of Kubernetes."""
        return self._schemas.version()

    def _place(self, kind: Kind, namespace: str | None, document: Document | None = None) -> str:
        """The namespace that is meant: the one given, else the document's own, else the default one; '' is all."""
        if not kind.namespaced:
            return ""
        if namespace is not None:
            return namespace
        own = (document or {}).get("metadata") or {}
        return str(own.get("namespace") or self._namespace)

    def _asked(self, kind: Kind) -> Asked:
        """The kind, for errors."""
        return self._wire.asked(f"{kind.plural}.{kind.group}" if kind.group else kind.plural, kind.group)

    def _page(self, kind: Kind, place: str, labels: str, fields: str, limit: int, more: str) -> Page:
        """One page of a list."""
        query: dict[str, str | int] = {"labelSelector": labels, "fieldSelector": fields, "limit": limit, "continue": more}
        answer = self._wire.json("GET", with_query(object_path(kind, place), query), asked=self._asked(kind))
        known = {"apiVersion": kind.api_version, "kind": kind.kind}  # core lists leave them out of their items
        items = tuple(item if item.get("kind") else {**known, **item} for item in answer.get("items") or [])
        metadata = answer.get("metadata") or {}
        return Page(items, str(metadata.get("resourceVersion") or ""), str(metadata.get("continue") or ""))

    def _all(self, kind: Kind, place: str, labels: str, fields: str, more: str) -> Page:
        """Every page of a list, as of one version."""
        items: list[Document] = []
        while True:
            page = self._page(kind, place, labels, fields, PAGE, more)
            items += page.items
            more = page.more
            if not more:
                return Page(tuple(items), page.version)

    @staticmethod
    def _tried(send: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
        """A dry run; None where a webhook of the cluster takes none, so that only the real request can tell."""
        try:
            return send()
        except (Refused, WrongUsage) as error:
            if "does not support dry run" not in error.message:
                raise
            return None


def _complete(kind: Kind, document: Document) -> dict[str, Any]:
    """The document with its kind, as an API server wants it; one of another kind is a mistake of ours or the user's."""
    if document.get("kind", kind.kind) != kind.kind:
        raise WrongUsage(f"a {document['kind']} is not a {kind.kind}", code="invalid-document", fix=f"Give a {kind.kind}.")
    return {"apiVersion": kind.api_version, "kind": kind.kind, **document}


def _name(document: Document) -> str:
    """Its name, '' where the server makes one."""
    return str((document.get("metadata") or {}).get("name") or "")

"""A cluster in memory: the port of clusters, and a side by which tests are everybody else in it.

It passes the conformance suite that a real one passes (``cluster_suite.py``), so what works on it works there, as far as the
port goes. Tests play the controllers, kubelet and administrators: they put objects, write logs, forbid, break::

    cluster = FakeCluster()
    cluster.then(lambda: cluster.put(PODS, running("churn-1")), lambda: cluster.put(PODS, failed("churn-1")))
    run = ArgoEngine(cluster).follow(...)  # each time it would wait, the next thing happens

Nothing sleeps: ``then`` runs where a watch or a followed log would wait, and ``impatient`` ends those with a timeout at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jupyter_mlops.cluster.base import EVENTS, PODS, Answer, Change, Cluster, Document, Kind, Page, Question, Reply
from jupyter_mlops.cluster.times import event_time
from jupyter_mlops.errors import Conflict, NotFound, WrongUsage
from jupyter_mlops.testing.cluster_rules import has_own_status, merged, patched
from jupyter_mlops.testing.cluster_stage import KINDS, Asked, Behaviour, Call, Stage, name_of
from jupyter_mlops.testing.cluster_streams import FakeLog, FakeWatch

__all__ = ["KINDS", "Asked", "Behaviour", "Call", "FakeCluster"]


class FakeCluster(Stage):
    """The port, in memory. Safe for threads. What tests do to it is in ``Stage``."""

    @property
    def context(self) -> str:
        """Name of the context."""
        return self.own_context

    @property
    def namespace(self) -> str:
        """The default namespace."""
        return self.own_namespace

    @property
    def server(self) -> str:
        """An address that no name server knows."""
        return self.own_server

    def get(self, kind: Kind, name: str, namespace: str | None = None) -> Document:
        """One object."""
        place = self.enter("get", kind, name, namespace)
        return self.store.get(kind, place, name)

    def list(
        self, kind: Kind, namespace: str | None = None, *, labels: str = "", fields: str = "", limit: int = 0, more: str = ""
    ) -> Page:
        """Objects by selectors, in pages of one snapshot."""
        place = self.enter("list", kind, "", namespace)
        with self.store.turn:
            if more and more not in self.pages:
                raise Conflict("The provided continue parameter is too old", code="list-expired", fix="Read the list again.")
            found = self.pages.pop(more) if more else self.selected(kind, place, labels, fields)
            items, rest = (found[:limit], found[limit:]) if limit else (found, [])
            token = f"page-{next(self.numbers)}" if rest else ""
            if token:
                self.pages[token] = rest
            return Page(tuple(items), self.store.version, token)

    def create(self, kind: Kind, document: Document, namespace: str | None = None, *, dry_run: bool = False) -> Document:
        """Create, unless something of ``behaviour.admission`` refuses it."""
        place = self.enter("create", kind, name_of(document), namespace, document)
        self.admit(kind, document)
        return self.store.add(kind, place, document, dry_run=dry_run)

    def apply(self, kind: Kind, document: Document, namespace: str | None = None) -> Document:
        """Merge into what is there, or create. Lists are replaced, where a real cluster merges those with keys."""
        name = name_of(document)
        if not name:
            raise WrongUsage("what is applied needs a metadata.name", code="invalid-document", fix="Give it a name, or create it.")
        place = self.enter("apply", kind, name, namespace, document)
        self.admit(kind, document)
        with self.store.turn:
            try:
                there = self.store.get(kind, place, name)
            except NotFound:
                return self.store.add(kind, place, document)
            return self.store.replace(kind, place, name, _kept_status(kind, there, merged(there, document)))

    def patch(
        self, kind: Kind, name: str, patch: Document | Sequence[Document], namespace: str | None = None, *, subresource: str = ""
    ) -> Document:
        """A merge patch or a JSON patch."""
        place = self.enter("patch", kind, name, namespace, patch, subresource)
        with self.store.turn:
            there = self.store.get(kind, place, name)
            result = patched(there, patch, name)
            if not isinstance(patch, Mapping):
                result["metadata"].pop("resourceVersion", None)
            if subresource == "status":
                result = {**there, "metadata": result["metadata"], "status": result.get("status")}
            else:
                result = _kept_status(kind, there, result)
            self.admit(kind, result)
            return self.store.replace(kind, place, name, result)

    def delete(self, kind: Kind, name: str, namespace: str | None = None, *, uid: str = "", wait: bool = False) -> None:
        """Delete at once, with what it owns; ``wait`` waits for finalizers."""
        place = self.enter("delete", kind, name, namespace)
        self.store.remove(kind, place, name, uid)
        if wait:
            for change in FakeWatch(self, kind, place, "", f"metadata.name={name}", None):
                if change.type == "DELETED" or not change.items:
                    return

    def watch(
        self, kind: Kind, namespace: str | None = None, *, labels: str = "", fields: str = "", timeout: float | None = None
    ) -> Iterator[Change]:
        """First ``ALL``, then every change; its ``close()`` may be called from any thread."""
        place = self.enter("watch", kind, "", namespace)
        return FakeWatch(self, kind, place, labels, fields, timeout)

    def logs(
        self, pod: str, container: str, namespace: str | None = None, *, follow: bool = False, previous: bool = False, tail: int = 0
    ) -> Iterator[str]:
        """What ``write_log`` wrote; a followed log ends when the container's status says that it ended."""
        place = self.enter("get", PODS, pod, namespace, container, "log")
        return FakeLog(self, pod, container, place, follow=follow, previous=previous, tail=tail)

    def events(self, name: str, namespace: str | None = None, *, kind: str = "") -> Sequence[Document]:
        """Core events about an object, oldest first."""
        fields = f"involvedObject.name={name}" + (f",involvedObject.kind={kind}" if kind else "")
        return sorted(self.list(EVENTS, namespace, fields=fields).items, key=event_time)

    def ask(self, questions: Sequence[Question]) -> Sequence[Answer]:
        """As ``forbid`` and ``behaviour.answer`` say; allowed otherwise."""
        self.fail("ask", None, "")
        answers = []
        for question in questions:
            given = self.behaviour.answer(question)
            denied = self.denial(question.verb, question.kind, question.subresource, question.account)
            answers.append(Answer(allowed=False, reason=denied) if denied else given or Answer(allowed=True))
        return answers

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
        timeout: float = 60.0,  # noqa: ARG002 - nothing is slow here
    ) -> Reply:
        """One call to what ``serve`` put there."""
        place = self.enter("proxy", None, service, namespace, body)
        handler = self.services.get((place, service, port))
        if handler is None:
            raise NotFound(f'services "{service}" not found', fix="It was deleted, or has another name or namespace.")
        return handler(Asked(method, path, body, {key.lower(): value for key, value in (headers or {}).items()}))

    def kinds(self, group: str) -> Mapping[str, str]:
        """Plural → version of the kinds it has."""
        self.fail("kinds", None, group)
        return {kind.plural: kind.version for kind in self._kinds.values() if kind.group == group}

    def has_field(self, kind: Kind, path: str) -> bool | None:
        """As ``behaviour.fields`` says."""
        self.fail("has_field", kind, path)
        known = self.behaviour.fields.get(kind.plural)
        return None if known is None else any(field == path or field.startswith(f"{path}.") for field in known)

    def version(self) -> tuple[int, int]:
        """As ``behaviour.kubernetes`` says."""
        self.fail("version", None, "")
        return self.behaviour.kubernetes


def _kept_status(kind: Kind, there: Document, result: dict[str, Any]) -> dict[str, Any]:
    """The result with the status as it was, for kinds whose status is a subresource."""
    if has_own_status(kind):
        result.pop("status", None)
        if "status" in there:
            result["status"] = there["status"]
    return result


if TYPE_CHECKING:
    _IS_A_CLUSTER: Cluster = FakeCluster()

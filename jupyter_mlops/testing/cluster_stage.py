"""The side of a cluster in memory by which tests are everybody else in it: controllers, kubelet, administrators, accidents."""

from __future__ import annotations

import copy
import itertools
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jupyter_mlops.cluster import base
from jupyter_mlops.cluster.base import EVENTS, NAMESPACES, Answer, Document, Kind, Question, Reply
from jupyter_mlops.errors import MlopsError, NotAllowed, NotFound
from jupyter_mlops.testing.cluster_rules import fields_match, full_name, labels_match, merged, no_kind
from jupyter_mlops.testing.cluster_store import Store, now
from jupyter_mlops.testing.cluster_streams import Logs

KINDS = tuple(value for value in vars(base).values() if isinstance(value, Kind))
"""Every kind that the product names; a cluster with Argo and KServe has them all."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the port, as tests look at them."""

    method: str
    kind: Kind | None = None
    name: str = ""
    namespace: str = ""
    body: Any = None


@dataclass(frozen=True, slots=True)
class Asked:
    """One HTTP call that arrived at a Service."""

    method: str
    path: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(slots=True)
class _Fault:
    """An error that the next matching calls raise."""

    error: MlopsError
    method: str
    kind: Kind | None
    name: str
    times: int


@dataclass(slots=True)
class Behaviour:
    """How the cluster behaves; tests set what they need."""

    kubernetes: tuple[int, int] = (1, 35)
    impatient: bool = False
    """Watches with a timeout end as soon as there is nothing more, instead of waiting for it."""

    fields: dict[str, frozenset[str]] = field(default_factory=dict)
    """Plural → paths of fields that its schema knows; kinds that are not named keep no schema."""

    answer: Callable[[Question], Answer | None] = lambda _question: None
    """Answers questions that ``forbid`` leaves open; None allows."""

    admission: list[Callable[[Kind, Document], MlopsError | None]] = field(default_factory=list)
    """Webhooks and schemas: each may refuse what is created or changed, trials included."""


class Stage:
    """What tests do to a cluster. ``calls`` holds every call of the port, ``behaviour`` says how it answers."""

    def __init__(
        self,
        *,
        namespace: str = "ml",
        context: str = "fake",
        server: str = "https://cluster.invalid:6443",
        kinds: Sequence[Kind] = KINDS,
        namespaces: Sequence[str] = (),
    ) -> None:
        """A cluster with these kinds and namespaces (and the default one), and nothing in them."""
        self.own_context, self.own_namespace, self.own_server = context, namespace, server
        self._kinds = {(kind.group, kind.plural): kind for kind in (*kinds, NAMESPACES)}
        self._faults: list[_Fault] = []
        self._forbidden: list[tuple[str, Kind | None, str, str]] = []
        self.services: dict[tuple[str, str, int], Callable[[Asked], Reply]] = {}
        self.pages: dict[str, list[dict[str, Any]]] = {}
        self._script: deque[Callable[[], object]] = deque()
        self.numbers = itertools.count(1)
        self.expired = 0
        self.calls: list[Call] = []
        self.behaviour = Behaviour()
        self.store = Store()
        self.container_logs = Logs(self.store)
        for name in dict.fromkeys(("default", namespace, *namespaces)):
            self.store.add(NAMESPACES, "", {"metadata": {"name": name}, "status": {"phase": "Active"}})

    def put(self, kind: Kind, document: Document, namespace: str | None = None) -> Document:
        """Set an object as its controller would: status included, nothing forbidden, merged into what is there."""
        place = self.place(kind, namespace, document)
        with self.store.turn:
            try:
                there = self.store.get(kind, place, name_of(document))
            except NotFound:
                return self.store.add(kind, place, document)
            whole = merged(there, document)
            whole["metadata"].pop("resourceVersion", None)
            return self.store.replace(kind, place, name_of(document), whole)

    def remove(self, kind: Kind, name: str, namespace: str | None = None) -> None:
        """Delete an object as somebody else would, finalizers or not."""
        place = self.place(kind, namespace, {})
        with self.store.turn:
            if self.store.get(kind, place, name)["metadata"].get("finalizers"):
                self.put(kind, {"metadata": {"name": name, "finalizers": None}}, place)
            self.store.remove(kind, place, name)

    def add_event(
        self,
        about: str,
        reason: str,
        message: str,
        *,
        kind: str = "Pod",
        type_: str = "Warning",
        namespace: str | None = None,
        at: str = "",
    ) -> Document:
        """An event about an object, as kubelet or the scheduler writes it."""
        place = self.own_namespace if namespace is None else namespace
        event = {
            "metadata": {"generateName": f"{about}."},
            "involvedObject": {"kind": kind, "name": about, "namespace": place},
            "reason": reason,
            "message": message,
            "type": type_,
            "lastTimestamp": at or now(),
        }
        return self.store.add(EVENTS, place, event)

    def write_log(self, pod: str, container: str, *lines: str, namespace: str | None = None, previous: bool = False) -> None:
        """Lines of a container; timestamps are put in front."""
        self.container_logs.write(self.own_namespace if namespace is None else namespace, pod, container, lines, previous=previous)

    def end_log(self, pod: str, container: str, namespace: str | None = None) -> None:
        """The container ended, as far as its log goes."""
        self.container_logs.end(self.own_namespace if namespace is None else namespace, pod, container)

    def serve(self, service: str, port: int, handler: Callable[[Asked], Reply], namespace: str | None = None) -> None:
        """Answer calls to a Service."""
        self.services[self.own_namespace if namespace is None else namespace, service, port] = handler

    def fail_next(self, error: MlopsError, method: str = "", kind: Kind | None = None, name: str = "", times: int = 1) -> None:
        """Raise an error from the next calls that match (all if nothing is given).

        ``next`` is the method of a watch's next change, also of one that is under way.
        """
        self._faults.append(_Fault(error, method, kind, name, times))

    def forbid(self, verb: str = "*", kind: Kind | None = None, subresource: str = "", account: str = "") -> None:
        """Take a right from oneself ('' as account) or a service account; calls fail and questions are answered so."""
        self._forbidden.append((verb, kind, subresource, account))

    def then(self, *actions: Callable[[], object]) -> None:
        """What happens next, one at a time, each when a watch or a followed log would wait."""
        self._script.extend(actions)

    def expire(self) -> None:
        """Forget the history: watches begin anew with ``ALL``, pages of lists cannot be read on."""
        with self.store.turn:
            self.pages.clear()
            self.expired = next(self.numbers)
            self.store.wake()

    def act(self) -> bool:
        """Let the next thing of ``then`` happen; False if there is none."""
        try:
            action = self._script.popleft()
        except IndexError:
            return False
        action()
        return True

    def scripted(self) -> bool:
        """Whether something is still to happen."""
        return bool(self._script)

    def enter(
        self, method: str, kind: Kind | None, name: str, namespace: str | None, body: Any = None, subresource: str = ""
    ) -> str:
        """Record a call, let it fail if it shall, and say its namespace."""
        document = body if isinstance(body, Mapping) and method in {"create", "apply"} else {}
        place = self.place(kind, namespace, document) if kind else (self.own_namespace if namespace is None else namespace)
        self.calls.append(Call(method, kind, name, place, copy.deepcopy(body)))
        self.fail(method, kind, name)
        if kind is None:
            return place
        if (kind.group, kind.plural) not in self._kinds:
            raise no_kind(kind)
        verb = {"apply": "patch"}.get(method, method)
        if denied := self.denial(verb, kind, subresource, ""):
            raise NotAllowed(denied, code="cluster-forbidden", fix="Ask whoever runs the cluster for this right.")
        return place

    def place(self, kind: Kind, namespace: str | None, document: Document) -> str:
        """The namespace that is meant."""
        if not kind.namespaced:
            return ""
        own = (document.get("metadata") or {}).get("namespace")
        return namespace if namespace is not None else str(own or self.own_namespace)

    def fail(self, method: str, kind: Kind | None, name: str) -> None:
        """Raise what ``fail_next`` asked for."""
        with self.store.turn:
            for fault in self._faults:
                if fault.method in {"", method} and fault.kind in {None, kind} and fault.name in {"", name}:
                    fault.times -= 1
                    if not fault.times:
                        self._faults.remove(fault)
                    raise copy.copy(fault.error)

    def denial(self, verb: str, kind: Kind, subresource: str, account: str) -> str:
        """The server's words where a right was taken; '' otherwise."""
        for denied_verb, denied_kind, denied_subresource, denied_account in self._forbidden:
            same = denied_verb in {"*", verb} and denied_kind in {None, kind} and denied_account == account
            if same and denied_subresource in {"", subresource}:
                resource = f"{kind.plural}/{subresource}" if subresource else kind.plural
                return (
                    f'{full_name(kind)} is forbidden: User "{account or "somebody"}" cannot {verb} resource "{resource}" '
                    f'in API group "{kind.group}" in the namespace "{self.own_namespace}"'
                )
        return ""

    def admit(self, kind: Kind, document: Document) -> None:
        """Raise what a webhook or schema of the test says."""
        for rule in self.behaviour.admission:
            error = rule(kind, document)
            if error is not None:
                raise error

    def selected(self, kind: Kind, place: str, labels: str, fields: str) -> list[dict[str, Any]]:
        """What a list holds."""
        return [
            document
            for document in self.store.all(kind, place)
            if labels_match(labels, document) and fields_match(kind, fields, document)
        ]


def name_of(document: Document) -> str:
    """Its name, '' where the server makes one."""
    return str((document.get("metadata") or {}).get("name") or "")

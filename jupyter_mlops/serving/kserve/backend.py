"""The port of serving on KServe: the verbs, in one namespace of one cluster, with the caller's own rights.

It keeps nothing: what there is stands in the cluster, so that a restarted server, a terminal and a colleague see the same.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jupyter_mlops.cluster.base import INFERENCE_SERVICES, Cluster, Document
from jupyter_mlops.diagnose.cause import Cause
from jupyter_mlops.errors import MlopsError, NotAllowed, NotFound, Refused, Unavailable, Where, WrongUsage
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.names import LABEL
from jupyter_mlops.registry.policy import rule_elsewhere
from jupyter_mlops.registry.signing import require
from jupyter_mlops.serving.base import Request, Response, Service, Verb
from jupyter_mlops.serving.decode import service_of, stamp
from jupyter_mlops.serving.kserve import modes
from jupyter_mlops.serving.kserve.bundle import push_server
from jupyter_mlops.serving.kserve.call import call
from jupyter_mlops.serving.kserve.facts import check_kserve, facts
from jupyter_mlops.serving.kserve.image import has_shell
from jupyter_mlops.serving.kserve.logs import follow, lines_so_far
from jupyter_mlops.serving.kserve.predictor import FETCHER, MODE, image_reference, in_mode
from jupyter_mlops.serving.kserve.runtimes import runtimes
from jupyter_mlops.serving.kserve.scene import Scene, look, look_at_all, note
from jupyter_mlops.serving.kserve.settle import states
from jupyter_mlops.serving.kserve.status import is_ours, seen_service
from jupyter_mlops.serving.manifest import API_VERSION, MANAGED, OURS, STOP, check_name, inference_service
from jupyter_mlops.settings import LOCAL_REGISTRY, Settings, Target

if TYPE_CHECKING:
    from jupyter_mlops.oci.store import Store
    from jupyter_mlops.registry.models import ModelVersion

UNDECLARED = re.compile(r"\.?([\w.\[\]\"=-]+): field not declared in schema")
RESTARTED = LABEL + "restarted"
GONE = 20.0
"""Seconds without a change after which a service that was deleted is not waited for any more."""

PORT_DEFAULT = "default"
"""The namespace that callers of the port mean when they name none; here it is the target's."""


class KServeBackend:
    """InferenceServices of a target's namespace. Safe for threads, as the cluster is."""

    def __init__(self, settings: Settings, cluster: Cluster, target: Target, store: Store) -> None:
        self._settings = settings
        self._cluster = cluster
        self._target = target
        self._store = store
        self._namespace = target.namespace or cluster.namespace

    # -- what to deploy ------------------------------------------------------------------------------------------------------

    def mode(self, wanted: str = "", *, shell: bool = False, puller: bool = True) -> modes.Mode:
        """How a model gets into its pod here, found out, with the reason in words.

        Args:
            wanted: one of ``modes.MODES``; '' is the best that works.
            shell: whether the model's image brings a shell.
            puller: whether our puller can be used: not with a runtime of the cluster.

        Raises:
            WrongUsage: code ``mode-not-supported``.
        """
        documents = [each for each in self._documents() if is_ours(each)]
        known = facts(self._cluster, documents, registry=self._target.registry, shell=shell, puller=puller)
        return modes.choose(known, wanted)

    def prepare(self, version: ModelVersion, *, name: str | None = None, mode: str = "", **options: Any) -> dict[str, Any]:
        """The document that serves a version here, in the mode that the cluster supports; nothing is written.

        Args:
            version: what is served.
            name: of the service; the model's own where it is None.
            mode: '' is the best that works.
            options: those of ``manifest.inference_service``.

        Raises:
            PlatformError: code ``no-kserve``.
            NotFound: the target's registry does not have the version, or the cluster not the runtime.
            WrongUsage: a name, a mode or an option that cannot be used here.
        """
        check_kserve(self._cluster)
        if wanted := options.get("runtime"):
            runtimes(self._cluster, self._namespace).get(wanted)
        found = self.mode(mode, shell=has_shell(self._store, version), puller=not options.get("runtime"))
        serving, repository = self._settings.serving, f"models/{version.name}"
        require(serving.unsigned, self._settings.storage.home, self._store, repository, version.digest)
        rule = rule_elsewhere(
            self._settings.serving.pickles, self._settings.storage.home, Layout(self._settings.storage.registry), version.reference
        )
        return inference_service(
            version, name=name, namespace=self._namespace, target=self._target, mode=found.name, reason=found.reason, rule=rule,
            **options,
        )  # fmt: skip

    # -- the port ------------------------------------------------------------------------------------------------------------

    def apply(self, document: Mapping[str, Any]) -> Service:
        """Create a service, or change one; the earlier version answers until the new one is ready.

        Raises:
            WrongUsage: the document is not an InferenceService that can be served here.
            PlatformError: code ``no-kserve``.
            NotAllowed: the namespace has a service of that name that others made, or the caller may not make one.
            Refused: the cluster does not take a field.
        """
        service = service_of(document)
        if document.get("apiVersion") != API_VERSION:
            raise WrongUsage(f"apiVersion is {document.get('apiVersion')!r}", fix=f"Use {API_VERSION}.")
        self._check_place(document, service)
        check_kserve(self._cluster)
        there = self._find(service.name)
        if there is not None and not is_ours(there):
            raise self._foreign(service.name)
        if _fetches(document):
            push_server(self._store)
        with _fields_named():
            applied = self._cluster.apply(INFERENCE_SERVICES, _wanted(document, there), self._namespace)
        return self._seen(look(self._cluster, applied))

    def get(self, name: str, namespace: str = PORT_DEFAULT) -> Service:
        """The service as it is now; NotFound names those that there are."""
        return self._seen(look(self._cluster, self._document(name, namespace)))

    def list(self) -> Sequence[Service]:
        """All services of the namespace by name, those of others included: these can be looked at and called."""
        scenes = look_at_all(self._cluster, self._namespace, self._documents())
        return sorted((self._seen(scene) for scene in scenes), key=lambda each: (each.namespace, each.name))

    def logs(self, name: str, namespace: str = PORT_DEFAULT, *, follow: bool = False) -> Iterator[str]:
        """Lines of all containers, by time. Following ends when the service is stopped or deleted."""
        self._document(name, namespace)
        return self._follow(name) if follow else lines_so_far(self._cluster, name, self._namespace)

    def control(self, name: str, verb: Verb, namespace: str = PORT_DEFAULT) -> Service:
        """Stop, start or delete a service of ours."""
        verbs = {"stop": self._stop, "start": self._start, "delete": self._delete}
        if verb not in verbs:
            raise WrongUsage(f"'{verb}' is not a verb of services", fix="Use stop, start or delete.")
        document = self._document(name, namespace)
        if not is_ours(document):
            raise self._foreign(name)
        return verbs[verb](document)

    def call(self, name: str, request: Request, namespace: str = PORT_DEFAULT) -> Response:
        """Send one request to the model server, through the API server and as the caller.

        The service is looked at only when the call does not arrive: then the error says what is the matter with it.

        Raises:
            Unavailable: it is stopped, starting or failed; the message has the cause.
            NotAllowed: code ``proxy-forbidden``.
        """
        document = self._document(name, namespace)
        if note(document, STOP) == "true" or document["metadata"].get("deletionTimestamp"):
            raise Unavailable(f"service '{name}' is stopped", fix="Start it to use it again.")
        timeout = float(((document.get("spec") or {}).get("predictor") or {}).get("timeout") or 60)
        try:
            return call(
                self._cluster, name, self._namespace, request, worth=lambda: self.get(name, namespace).ready, timeout=timeout
            )
        except Unavailable as error:
            service = self.get(name, namespace)
            if service.ready:
                raise
            said = f": {service.message}" if service.message else ""
            fix = service.fix or "It is starting: try again in a moment."
            raise Unavailable(f"service '{name}' is {service.phase.lower()}{said}", fix=fix) from error

    def settle(self, name: str, namespace: str, timeout: float) -> Iterator[Service]:
        """The service whenever it changed, first as it is now. Where the nodes turn out not to mount images, our puller is used."""

        def seen() -> Service:
            scene = look(self._cluster, self._document(name, namespace))
            service = self._seen(scene)
            return service if service.ready else self._fallen_back(scene) or service

        return states(self._cluster, name, self._namespace, seen, timeout)

    # -- inside --------------------------------------------------------------------------------------------------------------

    def _seen(self, scene: Scene) -> Service:
        from jupyter_mlops.diagnose.service import service_cause

        cause: Cause | None = None
        if not scene.rolled_out and note(scene.document, STOP) != "true":
            cause = service_cause(scene.current, scene.pods, scene.events, scene.deployment, now=time.time())
        if cause is not None and cause.code == "stopped":
            cause = None  # the condition of a service that was just started again
        return seen_service(scene, cause, self._target.name)

    def _documents(self) -> Sequence[Document]:
        return self._cluster.list(INFERENCE_SERVICES, self._namespace).items

    def _find(self, name: str) -> Document | None:
        try:
            return self._cluster.get(INFERENCE_SERVICES, name, self._namespace)
        except NotFound:
            return None

    def _document(self, name: str, namespace: str) -> Document:
        check_name(name, self._namespace)
        found = self._find(name) if namespace in {PORT_DEFAULT, "", self._namespace} else None
        if found is None:
            check_kserve(self._cluster)
            there = ", ".join(str(each["metadata"]["name"]) for each in self._documents())
            raise NotFound(
                f"no service '{name}' in namespace '{self._namespace}' of {self._target.name}",
                fix=f"There is: {there}." if there else "There is none yet: make one with `jupyter mlops deploy MODEL`.",
            )
        return found

    def _check_place(self, document: Mapping[str, Any], service: Service) -> None:
        """Names, and that the document was made for this target."""
        namespace = str(document["metadata"].get("namespace") or self._namespace)
        check_name(service.name, namespace)
        if namespace != self._namespace:
            raise WrongUsage(
                f"the document is for namespace '{namespace}', target '{self._target.name}' is '{self._namespace}'",
                fix="Deploy with the target of that namespace.",
            )
        model = ((document.get("spec") or {}).get("predictor") or {}).get("model") or {}
        if LOCAL_REGISTRY in str(model.get("storageUri") or ""):
            raise WrongUsage(
                "the document names the registry of this machine, which a cluster cannot reach",
                code="local-document",
                fix="Make it for this target: jupyter mlops deploy MODEL --target TARGET.",
            )

    def _foreign(self, name: str) -> NotAllowed:
        return NotAllowed(
            f"service '{name}' in namespace '{self._namespace}' was not made with jupyter-mlops",
            code="foreign-service",
            fix="It can be looked at and called. Choose another name for yours.",
        )

    def _stop(self, document: Document) -> Service:
        return self._annotated(document, {STOP: "true"})

    def _start(self, document: Document) -> Service:
        """Go on after a stop; what failed gets fresh pods."""
        if note(document, STOP) == "true":
            return self._annotated(document, {STOP: None})
        service = self._seen(look(self._cluster, document))
        return self._annotated(document, {RESTARTED: stamp(time.time())}) if service.phase == "Failed" else service

    def _delete(self, document: Document) -> Service:
        """Delete, and wait until it is gone; a controller that does not clean up is not waited for for ever."""
        name, uid = str(document["metadata"]["name"]), str(document["metadata"].get("uid") or "")
        self._cluster.delete(INFERENCE_SERVICES, name, self._namespace, uid=uid)
        if left := self._left(name, uid):
            return self._seen(look(self._cluster, left))
        return replace(service_of(document), phase="Stopped", ready=False, url="", message="deleted", target=self._target.name)

    def _left(self, name: str, uid: str) -> Document | None:
        """What is left of a service that was deleted, after ``GONE`` seconds in which nothing happened."""
        found: Document | None = None
        changes = self._cluster.watch(INFERENCE_SERVICES, self._namespace, fields=f"metadata.name={name}", timeout=GONE)
        with closing(changes):  # type: ignore[type-var]  # or its connection stays until some garbage collection
            for change in changes:
                same = [each for each in change.items if change.type != "DELETED" and each["metadata"].get("uid") == uid]
                found = same[0] if same else None
                if found is None:
                    break
        return found

    def _annotated(self, document: Document, notes: Mapping[str, str | None]) -> Service:
        name = str(document["metadata"]["name"])
        changed = self._cluster.patch(INFERENCE_SERVICES, name, {"metadata": {"annotations": dict(notes)}}, self._namespace)
        return self._seen(look(self._cluster, changed))

    def _follow(self, name: str) -> Iterator[str]:
        def ended() -> bool:
            document = self._find(name)
            return document is None or note(document, STOP) == "true" or bool(document["metadata"].get("deletionTimestamp"))

        return follow(self._cluster, name, self._namespace, ended)

    def _fallen_back(self, scene: Scene) -> Service | None:
        """The service by our own puller, where the cluster showed that it cannot mount the model's image; else None."""
        document = scene.document
        if note(document, MODE) != modes.NATIVE or not is_ours(document) or not _fetches(document):
            return None
        said = modes.refusal(tuple(_texts(scene)), image_reference(document))
        if not said:
            return None
        reason = f"the nodes cannot mount the model's image ({said[:200]}): an init container of ours fetches the model"
        return self.apply(in_mode(_bare(document), modes.PULLER, reason, refused=modes.NATIVE))


@contextmanager
def _fields_named() -> Iterator[None]:
    """What a server-side apply says of a field that the schema lacks (with a 500) as what it is."""
    try:
        yield
    except MlopsError as error:
        if (match := UNDECLARED.search(error.message)) is None:
            raise
        raise Refused(
            f"this cluster's KServe does not know the field {match[1]}: {error.message}",
            code="field-unknown",
            fix="Correct it, or leave it out.",
            where=Where(field=match[1]),
        ) from error


def _fetches(document: Mapping[str, Any]) -> bool:
    """Whether our own server serves it, which a pod fetches from the registry."""
    predictor = (document.get("spec") or {}).get("predictor") or {}
    return any(each.get("name") == FETCHER for each in predictor.get("initContainers") or ())


def _wanted(document: Mapping[str, Any], there: Document | None) -> dict[str, Any]:
    """What is sent: without what the cluster writes, ours by label, and running though it was stopped before."""
    wanted = _bare(document)
    wanted["metadata"]["labels"] = {**(wanted["metadata"].get("labels") or {}), MANAGED: OURS}
    if there is not None and note(there, STOP) == "true" and note(wanted, STOP) != "true":
        wanted["metadata"]["annotations"] = {**(wanted["metadata"].get("annotations") or {}), STOP: "false"}
    return wanted


def _bare(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document as a person would send it."""
    metadata = {
        key: document["metadata"][key] for key in ("name", "namespace", "labels", "annotations") if key in document["metadata"]
    }
    return {
        "apiVersion": document["apiVersion"],
        "kind": document["kind"],
        "metadata": metadata,
        "spec": document.get("spec") or {},
    }


def _texts(scene: Scene) -> Iterator[str]:
    """What the pods' containers wait for, and what their events say."""
    for pod in scene.pods:
        status = pod.get("status") or {}
        for each in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
            for state in ("waiting", "terminated"):
                yield str(((each.get("state") or {}).get(state) or {}).get("message") or "")
    for event in scene.events:
        yield str(event.get("message") or "")

"""All that is looked at to judge a service: the InferenceService, its Deployment, its pods and what is said about them.

The InferenceService alone hides nearly everything: KServe's manager does not watch pods, so that a crash, a lack of memory and
an image that is not there leave the same two words in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from jupyter_mlops.cluster.base import DEPLOYMENTS, EVENTS, PODS, Cluster, Document
from jupyter_mlops.errors import NotAllowed, NotFound
from jupyter_mlops.serving.kserve.predictor import REVISION

MANAGER = "jupyter-mlops"
"""The field manager of what we apply."""

SERVICE_LABEL = "serving.kserve.io/inferenceservice"


@dataclass(frozen=True, slots=True)
class Scene:
    """What there is of one service. ``pods`` are those of the document as it is now, the newest first."""

    document: Document
    deployment: Document | None = None
    pods: tuple[Document, ...] = ()
    events: tuple[Document, ...] = ()
    earlier: bool = False
    """Pods of an earlier document still answer."""
    blind: bool = False
    """Pods may not be listed: that there is none in ``pods`` says nothing."""

    @property
    def revision(self) -> str:
        """Of the document; '' where it was not made by us."""
        return note(self.document, REVISION)

    @property
    def taken(self) -> bool:
        """The Deployment is of this document: what it says is about what was asked for last."""
        if self.deployment is None:
            return False
        template = ((self.deployment.get("spec") or {}).get("template") or {}).get("metadata") or {}
        return not self.revision or (template.get("annotations") or {}).get(REVISION) == self.revision

    @property
    def rolled_out(self) -> bool:
        """The Deployment has replaced every earlier pod and the new ones answer."""
        if self.deployment is None or not self.taken:
            return False
        spec, status = self.deployment.get("spec") or {}, self.deployment.get("status") or {}
        wanted = int(spec.get("replicas", 1))
        count = {
            key: int(status.get(key) or 0) for key in ("observedGeneration", "replicas", "updatedReplicas", "availableReplicas")
        }
        return (
            count["observedGeneration"] >= int(self.deployment["metadata"].get("generation") or 0)
            and count["updatedReplicas"] >= wanted
            and count["replicas"] <= count["updatedReplicas"]  # else an earlier one is among those that are available
            and count["availableReplicas"] >= wanted
        )

    @property
    def outdated(self) -> bool:
        """KServe wrote the status before we last changed the document."""
        times = {"": "", "status": ""}
        for entry in self.document["metadata"].get("managedFields") or ():
            part = str(entry.get("subresource") or "")
            if part == "status" or (not part and entry.get("manager") == MANAGER):
                times[part] = max(times[part], str(entry.get("time") or ""))
        return times["status"] < times[""]

    @property
    def current(self) -> Document:
        """The document without what its status says about an earlier one, or says worse than the pods do."""
        status = self.document.get("status") or {}
        podless = bool(self.revision) and not self.pods and not self.blind  # what it says of a container is of an earlier one
        behind = self.deployment is not None and (not self.taken or podless)
        if not (self.pods or behind or self.outdated) or "modelStatus" not in status:
            return self.document
        model = {key: value for key, value in status["modelStatus"].items() if key not in {"lastFailureInfo", "transitionStatus"}}
        return {**self.document, "status": {**status, "modelStatus": model}}


def note(document: Document, key: str) -> str:
    """An annotation, or ''."""
    return str(((document.get("metadata") or {}).get("annotations") or {}).get(key) or "")


def look(cluster: Cluster, document: Document) -> Scene:
    """The scene of one service."""
    name, namespace = str(document["metadata"]["name"]), str(document["metadata"]["namespace"])
    pods = _pods(cluster, namespace, f"{SERVICE_LABEL}={name}")
    deployment = _seen(lambda: (cluster.get(DEPLOYMENTS, f"{name}-predictor", namespace),))
    scene = arrange(document, deployment[0] if deployment else None, pods, ())
    if scene.rolled_out:
        return scene  # nothing to explain
    about = [(name, "InferenceService"), *((str(pod["metadata"]["name"]), "Pod") for pod in scene.pods)]
    events = tuple(event for who, kind in about for event in _events(cluster, who, namespace, kind))
    return replace(scene, events=events)


def look_at_all(cluster: Cluster, namespace: str, documents: Sequence[Document]) -> list[Scene]:
    """The scenes of many, in four questions however many there are."""
    pods = _pods(cluster, namespace, SERVICE_LABEL)
    deployments = _seen(lambda: cluster.list(DEPLOYMENTS, namespace, labels=SERVICE_LABEL).items)
    scenes = []
    for document in documents:
        name = str(document["metadata"]["name"])
        own = None if pods is None else [pod for pod in pods if (pod["metadata"].get("labels") or {}).get(SERVICE_LABEL) == name]
        deployment = next((each for each in deployments if each["metadata"]["name"] == f"{name}-predictor"), None)
        scenes.append(arrange(document, deployment, own, ()))
    if all(scene.rolled_out for scene in scenes):
        return scenes
    events = _seen(lambda: cluster.list(EVENTS, namespace).items)
    return [replace(scene, events=_about(scene, events)) for scene in scenes]


def arrange(document: Document, deployment: Document | None, pods: Sequence[Document] | None, events: Sequence[Document]) -> Scene:
    """A scene from its parts: pods of the document's revision, and whether earlier ones answer; None for pods nobody may see."""
    revision = note(document, REVISION)
    living = [pod for pod in pods or () if not pod["metadata"].get("deletionTimestamp")]
    current = [pod for pod in living if not revision or note(pod, REVISION) == revision]
    current.sort(key=lambda pod: str(pod["metadata"].get("creationTimestamp") or ""), reverse=True)
    earlier = any(pod_ready(pod) for pod in living if pod not in current)
    return Scene(document, deployment, tuple(current), tuple(events), earlier, blind=pods is None)


def pod_ready(pod: Document) -> bool:
    """Whether a pod takes calls."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)


def _pods(cluster: Cluster, namespace: str, labels: str) -> Sequence[Document] | None:
    """The pods with a label; None where they may not be listed."""
    try:
        return cluster.list(PODS, namespace, labels=labels).items
    except NotAllowed:
        return None
    except NotFound:
        return ()


def _events(cluster: Cluster, name: str, namespace: str, kind: str) -> tuple[Document, ...]:
    return _seen(lambda: cluster.events(name, namespace, kind=kind))


def _about(scene: Scene, events: Sequence[Document]) -> tuple[Document, ...]:
    names = {str(scene.document["metadata"]["name"]), *(str(pod["metadata"]["name"]) for pod in scene.pods)}
    return tuple(event for event in events if (event.get("involvedObject") or {}).get("name") in names)


def _seen(ask: Callable[[], Sequence[Mapping[str, Any]]]) -> tuple[Document, ...]:
    """What may be looked at and is there; what is not explains less, and hinders nothing."""
    try:
        return tuple(ask())
    except (NotAllowed, NotFound):
        return ()

"""Why a pod waits or failed.

What went wrong first counts: no machine, then volumes, then images, then the start of a container, then its end, then its
readiness. Containers of ours come before those that Argo or KServe add, since theirs often fail only because ours did.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from jupyter_mlops.diagnose.cause import Cause
from jupyter_mlops.diagnose.documents import (
    Document,
    at,
    events_of,
    fact,
    finish,
    mapping,
    name,
    newest,
    objects,
    said_of,
    text,
    words,
)
from jupyter_mlops.diagnose.ending import end_cause, ended_well_but
from jupyter_mlops.diagnose.image import REASONS as IMAGE_REASONS
from jupyter_mlops.diagnose.image import image_cause
from jupyter_mlops.diagnose.mounting import probe_cause, waiting_cause
from jupyter_mlops.diagnose.owner import Owner, foreign, owner_of
from jupyter_mlops.diagnose.scheduling import scheduling_cause
from jupyter_mlops.diagnose.starting import REASONS as START_REASONS
from jupyter_mlops.diagnose.starting import start_cause

_USED = re.compile(r"low on resource: ([\w-]{1,60})")
_DISK = re.compile(r"ephemeral.storage|EmptyDir volume|local storage usage")
_ENDING = frozenset({"DeadlineExceeded", "Evicted"})
_LOST = frozenset({"NodeLost", "NodeShutdown", "Shutdown", "Terminated", "Preempting", "NodeAffinity", "Preempted"})


def pod_cause(pod: Document, events: Iterable[Document] = ()) -> Cause | None:
    """The cause that a pod's documents tell, or None while nothing is wrong.

    Args:
        pod: the pod with its status.
        events: core events, of this pod or of any; those of others are left out.
    """
    owner = owner_of(pod)
    metadata = at(pod, "metadata")
    own = events_of(events, "Pod", text(metadata.get("name")), text(metadata.get("uid")))
    found = _cause(owner, own)
    return finish(found, _more(owner, own)) if found else None


def _cause(owner: Owner, events: Sequence[Document]) -> Cause | None:
    status = at(owner.pod, "status")
    phase = text(status.get("phase"))
    if phase == "Succeeded":
        return None
    if found := _of_the_pod(owner, status, events):
        return found
    if at(owner.pod, "metadata").get("deletionTimestamp"):
        return _disrupted(owner, status)
    if phase in {"Pending", ""}:
        return _unscheduled(owner, status, events) or _starting(owner, status, events)
    told = (container_cause(owner, container, events) for container in _containers(status))
    if found := next((cause for cause in told if cause), None):
        return found
    if phase == "Failed":
        return _disrupted(owner, status)
    if any(_unready(one) for one in objects(status.get("containerStatuses"))):
        return probe_cause(owner, events)
    return None


def _starting(owner: Owner, status: Document, events: Sequence[Document]) -> Cause | None:
    """A pod that has a machine: its volumes and network first, then its containers."""
    ready = any(_met(one, "PodReadyToStartContainers") for one in objects(status.get("conditions")))
    if not _begun(status) and (found := waiting_cause(owner, events, prepared=ready)):
        return found
    told = (container_cause(owner, container, events) for container in _containers(status))
    found = next((cause for cause in told if cause), None)
    return found or waiting_cause(owner, events, prepared=ready) or probe_cause(owner, events)


def container_cause(owner: Owner, container: Document, events: Sequence[Document] = ()) -> Cause | None:
    """The cause that one entry of ``containerStatuses`` tells; None while nothing is wrong with it."""
    called = text(container.get("name"))
    waiting = at(container, "state", "waiting")
    reason, said = text(waiting.get("reason")), text(waiting.get("message"))
    if reason in IMAGE_REASONS:
        return image_cause(owner, called, reason, _fuller(said, called, events), text(container.get("image")))
    if reason in START_REASONS:
        return start_cause(owner, called, reason, said)
    ended = at(container, "state", "terminated")
    if ended:
        if found := end_cause(owner, called, ended):
            return found
        return ended_well_but(owner, called, ended) if owner.kind == "service" and called == "kserve-container" else None
    before = at(container, "lastState", "terminated")
    if not before or container.get("ready") is True:
        return None
    if found := end_cause(owner, called, before):
        return found
    return ended_well_but(owner, called, before) if reason == "CrashLoopBackOff" else None


def pod_words(owner: Owner, reason: str, said: str) -> Cause | None:
    """The cause in the reason and message of a pod that ended as a whole, which Argo also copies into its node's message."""
    about = fact(owner.about, reason, said)
    if reason == "DeadlineExceeded" or "longer than the specified deadline" in said:
        message = f"{owner.who} took longer than the time it was given"
        return Cause("timeout", message, "user", "Give it a longer `timeout`, or less to do.", (about,), final=True)
    if match := _USED.search(said):
        return _evicted(owner, match[1], about)
    if _DISK.search(said) and "exceed" in said.lower():
        message = f"{owner.who} wrote more to its disk than it may: {words(said, 200).rstrip('.')}"
        fix = "Write less, or ask for more disk (the step's option `resources`: ephemeral-storage)."
        return Cause("disk-limit", message, "user", fix, (about,), final=True)
    if reason.startswith("OutOf") or "Node didn't have enough resource" in said:
        message = f"{owner.who} lost its place: its machine filled up in the same moment"
        return Cause(
            "interrupted",
            message,
            "platform",
            "Run it again; with the option `retries` a step does so by itself.",
            (about,),
            final=True,
        )
    if reason == "UnexpectedAdmissionError":
        message = f"{owner.who} was refused by its machine: {words(said, 250)}"
        return Cause(
            "gpu-broken",
            message,
            "platform",
            "Run it again; if it lasts, show the facts to an administrator.",
            (about,),
            final=True,
        )
    if reason in _LOST or re.search(
        r"node shutdown|imminent|unresponsive|[Nn]ode .{0,80}(?:lost|not ready)|Preempted|preempt", said
    ):
        return _lost(owner, about)
    if reason == "Evicted":
        message = f"{owner.who} was removed from its machine: {words(said, 250)}"
        return Cause(
            "interrupted",
            message,
            "platform",
            "Run it again; with the option `retries` a step does so by itself.",
            (about,),
            final=True,
        )
    return None


def _of_the_pod(owner: Owner, status: Document, events: Sequence[Document]) -> Cause | None:
    """Reasons of the whole pod, which are why its containers were stopped; the kubelet's event comes before the status."""
    ended = [status] if text(status.get("reason")) else [event for event in events if text(event.get("reason")) in _ENDING]
    told = (pod_words(owner, text(one.get("reason")), text(one.get("message"))) for one in ended)
    return next((cause for cause in told if cause), None)


def _evicted(owner: Owner, resource: str, about: str) -> Cause:
    what = {"ephemeral-storage": "disk", "memory": "memory"}.get(resource, name(resource))
    message = f"{owner.who} was stopped, since its machine ran out of {what}"
    if what == "disk":
        fix = "Write less, or ask for what it needs (the step's option `resources`: ephemeral-storage); then run it again."
    else:
        fix = "Ask for as much memory as it uses (the option `memory`), so that it gets a machine that has it; then run it again."
    return Cause("evicted", message, "platform", fix, (about,), final=True)


def _lost(owner: Owner, about: str) -> Cause:
    message = f"{owner.who} was interrupted: its machine was taken away (shut down, lost, or needed for something else)"
    return Cause(
        "interrupted",
        message,
        "platform",
        "Run it again; with the option `retries` a step does so by itself.",
        (about,),
        final=True,
    )


def _disrupted(owner: Owner, status: Document) -> Cause | None:
    """The condition in which Kubernetes notes that it ends a pod itself."""
    for condition in objects(status.get("conditions")):
        if _met(condition, "DisruptionTarget"):
            reason, said = text(condition.get("reason")), text(condition.get("message"))
            return pod_words(owner, "", said) or _lost(owner, fact(owner.about, reason, said))
    return None


def _unscheduled(owner: Owner, status: Document, events: Sequence[Document]) -> Cause | None:
    condition = next((c for c in objects(status.get("conditions")) if c.get("type") == "PodScheduled"), None)
    if condition is not None:
        if condition.get("status") != "False":
            return None
        return scheduling_cause(owner, text(condition.get("reason")), text(condition.get("message")), events)
    if at(owner.pod, "spec").get("nodeName"):
        return None
    event = next(newest(events, "FailedScheduling", "Scheduled"), None)
    if event is None or event.get("reason") == "Scheduled":
        return None
    return scheduling_cause(owner, "FailedScheduling", said_of(event), events)


def _begun(status: Document) -> bool:
    """Whether any container has got beyond waiting for its turn."""
    for container in _containers(status):
        waiting = at(container, "state", "waiting")
        begun = bool(at(container, "state")) and not waiting
        if begun or text(waiting.get("reason")) not in {"ContainerCreating", "PodInitializing", ""}:
            return True
    return False


def _containers(status: Document) -> Iterator[Document]:
    """Init containers in order, then ours, then those of Argo and KServe."""
    yield from objects(status.get("initContainerStatuses"))
    regular = objects(status.get("containerStatuses"))
    yield from sorted(regular, key=lambda one: bool(foreign(text(one.get("name")))))


def _met(condition: Document, kind: str) -> bool:
    return condition.get("type") == kind and condition.get("status") == "True"


def _unready(container: Document) -> bool:
    return "running" in mapping(container.get("state")) and container.get("ready") is not True


def _fuller(said: str, container: str, events: Sequence[Document]) -> str:
    """What is known of a failed pull: older clusters say why only in the event."""
    if (
        ":" in said.replace("Back-off pulling image", "").partition('" ')[2]
        or "ErrImagePull" in said
        or not said.startswith("Back-off")
    ):
        return said
    for event in newest(events, "Failed"):
        about = text(mapping(event.get("involvedObject")).get("fieldPath"))
        if "pull image" in said_of(event) and (not about or f"{{{container}}}" in about):
            return said_of(event)
    return said


def _more(owner: Owner, events: Sequence[Document]) -> Iterator[str]:
    """Warnings among the events, newest first: the facts below the telling one."""
    for event in reversed(events):
        if event.get("type") == "Warning":
            yield fact(owner.about, text(event.get("reason")), said_of(event))

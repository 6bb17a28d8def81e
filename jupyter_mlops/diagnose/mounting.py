"""Why a pod that has a machine does not get as far as its containers, or runs without being ready: only events tell.

A missing Secret of a volume, a volume that is in use elsewhere, a network that does not come up, a probe that fails: the pod's
status says ``PodInitializing`` or ``not ready``, and the reason is in the events, which are kept for an hour.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from jupyter_mlops.diagnose.cause import Cause
from jupyter_mlops.diagnose.documents import Document, at, fact, name, said_of, text, words
from jupyter_mlops.diagnose.image import REASONS as IMAGE_REASONS
from jupyter_mlops.diagnose.image import image_cause
from jupyter_mlops.diagnose.owner import Owner
from jupyter_mlops.diagnose.starting import missing_object, start_cause

_PREPARED, _PULLED, _CREATED = 1, 2, 3
_STAGES = {"Pulling": _PREPARED, "Pulled": _PULLED, "Created": _CREATED, "Started": _CREATED}
"""What an event of progress says has been reached: a container that could not be created is pulled again before each attempt."""

_VOLUME = re.compile(r"volume \"([^\"]{1,253})\"")
_SYNC = re.compile(
    r"failed to sync \w+ cache|object \"[^\"]*\"/\"[^\"]*\" not registered|token bound to a pod scheduled on a different node"
)
"""What a kubelet says of a pod that it has not yet heard all about; it tries again within a second."""

_PROBE = re.compile(r"(Readiness|Startup|Liveness) probe (?:failed|errored)(?:: |$)(.{0,600})", re.DOTALL)
_FIELD = re.compile(r"\{([a-z0-9-]{1,63})\}$")
_STATUS = re.compile(r"statuscode: (\d{3})")


def waiting_cause(owner: Owner, events: Iterable[Document], *, prepared: bool = False) -> Cause | None:
    """The cause that the newest events of a pod tell whose containers have not started; None while all goes well.

    Args:
        owner: whose pod it is.
        events: of the pod, oldest first; those that tell of progress count too, where the caller has them.
        prepared: the pod has its volumes and its network: what went wrong with them before is over.
    """
    reached: dict[str, int] = {}
    for event in reversed(list(events)):
        reason, container = text(event.get("reason")), _container_of(event)
        if reason in _STAGES:
            reached[container] = max(_STAGES[reason], reached.get(container, 0))
        elif found := _trouble(owner, event, container):
            stage, cause = found
            overcome = prepared or bool(reached) if stage == _PREPARED else reached.get(container, 0) >= stage
            if not overcome:
                return cause
    return None


def _trouble(owner: Owner, event: Document, container: str) -> tuple[int, Cause] | None:
    """What an event says went wrong, and the stage whose end says that it was overcome."""
    reason, said = text(event.get("reason")), said_of(event)
    if reason in {"FailedMount", "FailedAttachVolume", "FailedMapVolume"} and not _SYNC.search(said):
        return _PREPARED, _volume(owner, reason, said)
    if reason in {"FailedCreatePodSandBox", "NetworkNotReady", "FailedSync"} and said:
        return _PREPARED, _sandbox(owner, reason, said)
    if (reason == "Failed" and said.startswith("Failed to pull image")) or reason == "InspectFailed":
        return _PULLED, image_cause(owner, container, reason, said)
    if reason == "Failed" and said.startswith("Error: ") and said.removeprefix("Error: ") not in IMAGE_REASONS:
        return _CREATED, start_cause(owner, container, reason, said.removeprefix("Error: "))
    return None


def _container_of(event: Document) -> str:
    """The container that an event is about: its field path ends in ``{main}``."""
    match = _FIELD.search(text(at(event, "involvedObject").get("fieldPath")))
    return match[1] if match else ""


def probe_cause(owner: Owner, events: Iterable[Document]) -> Cause | None:
    """The cause that a failed probe tells of a container that runs without being ready."""
    for event in reversed(list(events)):
        if event.get("reason") == "Killing" and "probe" in said_of(event):
            message = f"{owner.who} was stopped and started again, since it did not answer in the time it has for loading"
            fix = "Give it more time to start (a longer startup probe), or more CPU and memory."
            return Cause("loading-too-long", message, "user", fix, (fact(owner.about, "Killing", said_of(event)),))
        if event.get("reason") == "Unhealthy" and (match := _PROBE.search(said_of(event))):
            return _probe(owner, match, fact(owner.about, "Unhealthy", said_of(event)))
        if text(event.get("reason")) in _STAGES:
            return None
    return None


def _volume(owner: Owner, reason: str, said: str) -> Cause:
    about = fact(owner.about, reason, said)
    if found := missing_object(owner, said, about):
        return found
    match = _VOLUME.search(said)
    which = f"the volume '{name(match[1])}'" if match else "one of its volumes"
    if "Multi-Attach" in said or "already exclusively attached" in said or "already used by" in said:
        message = f"{owner.who} waits for {which}, which another machine holds and which only one can use at a time"
        fix = "Wait until what uses it has ended, or stop that."
        return Cause("volume-busy", message, "platform", fix, (about,))
    if "references non-existent" in said:
        message = f"{owner.who} cannot start: {which} wants a key that is not in its secret or ConfigMap"
        return Cause("secret-missing", message, "user", "Add the key, or correct its name.", (about,), final=True)
    message = f"{owner.who} waits for {which}, which its machine cannot mount: {words(said, 250)}"
    return Cause("volume-not-mounted", message, "platform", "If it lasts, show the facts to an administrator.", (about,))


def _sandbox(owner: Owner, reason: str, said: str) -> Cause:
    about = fact(owner.about, reason, said)
    if re.search(r"network|cni|CNI", said):
        message = f"{owner.who} waits: the network of its machine does not work, so that nothing new starts there"
        return Cause(
            "machine-not-ready", message, "platform", "Tell an administrator; the facts name the machine's trouble.", (about,)
        )
    message = f"{owner.who} waits: its machine does not manage to start it: {words(said, 250)}"
    return Cause("machine-not-ready", message, "platform", "If it lasts, show the facts to an administrator.", (about,))


def _probe(owner: Owner, match: re.Match[str], about: str) -> Cause:
    kind, said = match[1], match[2]
    if status := _STATUS.search(said):
        if status[1] in {"404", "405"}:
            message = (
                f"{owner.who} runs, but the address at which the cluster asks whether it is ready does not exist (HTTP {status[1]})"
            )
            fix = "Set the path of its readiness probe to one that the server has; ours has /v2/health/ready."
            return Cause("wrong-probe", message, "user", fix, (about,), final=True)
        if status[1] in {"401", "403"}:
            message = f"{owner.who} runs, but wants a login from the cluster's readiness probe (HTTP {status[1]})"
            return Cause("wrong-probe", message, "user", "Probe a path that needs no login.", (about,), final=True)
        message = f"{owner.who} runs but says that it is not ready (HTTP {status[1]})"
        return Cause("not-ready", message, "platform", f"Wait while it loads its model. {owner.log_fix()}", (about,))
    message = f"{owner.who} runs but does not answer yet: it is loading its model, or listens on another port"
    if kind == "Liveness":
        message = f"{owner.who} runs but has stopped answering"
    return Cause("not-ready", message, "platform", f"Wait while it loads. {owner.log_fix()}", (about,))

"""Why a service on KServe does not serve.

The InferenceService says the same for nearly everything (``MinimumReplicasUnavailable``), since KServe's manager does not look
at pods. So: what is wrong with the document first, then pods, then what kept pods from being made, then its conditions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from jupyter_mlops.diagnose.admission import admission_cause
from jupyter_mlops.diagnose.cause import Cause
from jupyter_mlops.diagnose.declared import condition_of, document_cause
from jupyter_mlops.diagnose.documents import (
    Document,
    at,
    events_of,
    fact,
    finish,
    last_seen,
    mapping,
    moment,
    name,
    newest,
    number,
    objects,
    said_of,
    text,
    words,
)
from jupyter_mlops.diagnose.ending import KILLED, OOM, ending
from jupyter_mlops.diagnose.owner import Owner
from jupyter_mlops.diagnose.pod import pod_cause

STOP, MODE, AUTOSCALER = (f"serving.kserve.io/{key}" for key in ("stop", "deploymentMode", "autoscalerClass"))
SILENCE = 20.0
"""Seconds without any condition after which KServe's manager has not taken a service up."""

STALLED = 360.0
"""Seconds after which fetching a model is said to stall."""

_KNATIVE = frozenset({"Knative", "Serverless"})
_FETCH_CONTAINERS = frozenset({"storage-initializer", "modelcar-init"})


def service_cause(
    isvc: Document,
    pods: Iterable[Document] = (),
    events: Iterable[Document] = (),
    deployment: Document | None = None,
    *,
    now: float | None = None,
) -> Cause | None:
    """Why an InferenceService does not serve, or not fully; None while nothing is wrong.

    Args:
        isvc: the InferenceService with its status.
        pods: its pods (label ``serving.kserve.io/inferenceservice``), in any order.
        events: core events of the service, its ReplicaSets and its pods.
        deployment: the predictor's Deployment, where there is one.
        now: seconds since the epoch; None leaves out what only time tells.
    """
    metadata = at(isvc, "metadata")
    owner = Owner("service", name(metadata.get("name")), name(metadata.get("namespace")))
    told = sorted((event for event in events if isinstance(event, Mapping)), key=last_seen)
    alive = [pod for pod in pods if isinstance(pod, Mapping) and not at(pod, "metadata").get("deletionTimestamp")]
    own = events_of(told, "InferenceService", text(metadata.get("name")), text(metadata.get("uid")))
    found = (
        _stopped_or_ending(owner, isvc, now)
        or document_cause(owner, isvc, own)
        or _pods(owner, alive, told, now)
        or _not_made(owner, isvc, alive, told, deployment)
        or _model(owner, isvc)
        or _conditions(owner, isvc, deployment, now)
    )
    return finish(found, _facts(owner, isvc, own)) if found else None


def _stopped_or_ending(owner: Owner, isvc: Document, now: float | None) -> Cause | None:
    metadata = at(isvc, "metadata")
    ending_since = moment(metadata.get("deletionTimestamp"))
    if ending_since is not None:
        if now is None or now - ending_since < SILENCE:
            return None
        waits = ", ".join(name(one) for one in metadata.get("finalizers") or () if isinstance(one, str))
        message = (
            f"{owner.who} is not deleted although that was asked for: KServe's controller, which has to clean up, does not answer"
        )
        fix = "An administrator looks at the pods of kserve-controller-manager."
        return Cause("deletion-stuck", message, "platform", fix, (fact(owner.who, f"finalizers: {waits}"),))
    stopped = condition_of(isvc, "Stopped").get("status") == "True"
    if stopped or at(metadata, "annotations").get(STOP) == "true":
        message = f"{owner.who} is stopped"
        said = "Stopped True" if stopped else f"{STOP}: true"
        return Cause(
            "stopped",
            message,
            "user",
            f"Start it: `jupyter mlops services start {owner.name}`.",
            (fact(owner.who, said),),
            final=True,
        )
    return None


def _pods(owner: Owner, alive: list[Document], events: Sequence[Document], now: float | None) -> Cause | None:
    """The newest pod that has a cause."""
    alive.sort(key=lambda pod: moment(at(pod, "metadata").get("creationTimestamp")) or 0.0, reverse=True)
    for pod in alive:
        if found := pod_cause(pod, events) or _stalled(owner, pod, now):
            return found
    return None


def _stalled(owner: Owner, pod: Document, now: float | None) -> Cause | None:
    """Fetching the model goes on for too long."""
    for container in objects(at(pod, "status").get("initContainerStatuses")):
        started = moment(at(container, "state", "running").get("startedAt"))
        if text(container.get("name")) in _FETCH_CONTAINERS and started is not None and now is not None and now - started > STALLED:
            minutes = round((now - started) / 60)
            message = f"{owner.who} has been fetching its model for {minutes} minutes"
            about = fact(
                f"pod {name(at(pod, 'metadata').get('name'))}, container {name(container.get('name'))}",
                f"running since {text(at(container, 'state', 'running').get('startedAt'))}",
            )
            return Cause(
                "fetch-slow",
                message,
                "platform",
                f"If its log stands still, stop the service and start it again. {owner.log_fix()}",
                (about,),
            )
    return None


def _not_made(
    owner: Owner, isvc: Document, alive: Sequence[Document], events: Sequence[Document], deployment: Document | None
) -> Cause | None:
    """What kept pods from being made: the Deployment's condition, the ReplicaSet's events, KServe's own condition."""
    texts: list[tuple[str, str]] = []
    about = f"deployment {name(at(deployment, 'metadata').get('name'))}"
    for condition in objects(at(deployment, "status").get("conditions")):
        if (condition.get("type"), condition.get("status")) == ("ReplicaFailure", "True"):
            texts += [(about, text(condition.get("message")))]
    ready = condition_of(isvc, "PredictorReady")
    if ready.get("status") == "False" and text(ready.get("reason")) in {"FailedCreate", "ReconcileFailed"}:
        texts.append((owner.who, text(ready.get("message"))))
    if not _served(isvc):
        for event in newest(events, "FailedCreate", "SuccessfulCreate"):
            subject = mapping(event.get("involvedObject"))
            called = text(subject.get("name"))
            if subject.get("kind") == "ReplicaSet" and called.startswith(f"{owner.name}-predictor-"):
                if event.get("reason") == "FailedCreate" and not any(_made_by(pod, called) for pod in alive):
                    texts.append((f"replicaset {name(called)}", said_of(event)))
                break
    for about_, said in texts:
        if found := admission_cause(owner, said, about_):
            return found
    for about_, said in texts:
        message = f"{owner.who} cannot be served: the cluster does not take what KServe makes of it: {words(said, 300)}"
        return Cause("service-invalid", message, "user", "Correct what it names.", (fact(about_, said),), final=True)
    return None


def _made_by(pod: Document, replicaset: str) -> bool:
    """Whether a pod is there that the ReplicaSet could not make at first."""
    return text(at(pod, "metadata").get("name")).startswith(f"{replicaset}-")


def _model(owner: Owner, isvc: Document) -> Cause | None:
    """What KServe itself noted of a model that did not load, for services whose pods are not there."""
    failure = at(isvc, "status", "modelStatus", "lastFailureInfo")
    if at(isvc, "status", "modelStatus").get("transitionStatus") != "BlockedByFailedLoad" or not failure:
        return None
    code, said = number(failure.get("exitCode")), text(failure.get("message"))
    return ending(owner, "kserve-container", code, OOM if code == KILLED and not said else text(failure.get("reason")), said)


def _conditions(owner: Owner, isvc: Document, deployment: Document | None, now: float | None) -> Cause | None:
    volumes, canary, ingress = (
        condition_of(isvc, kind) for kind in ("OciImageVolumeCompatible", "CanaryPredictorReady", "IngressReady")
    )
    if volumes.get("status") == "False":
        message = f"{owner.who} cannot be served: this cluster is too old to mount a model's image (`oci+native://`)"
        fix = "Deploy it without a choice of the way, so that one is taken that this cluster has."
        return Cause("image-volumes-missing", message, "platform", fix, (_of(owner, volumes),), final=True)
    if canary.get("status") == "False" and canary.get("reason") == "CanariesNotReady":
        message = f"the new version of {owner.who} is not ready, so that nothing is sent to it; the old one goes on"
        return Cause("canary-not-ready", message, "user", f"{owner.log_fix()}", (_of(owner, canary),))
    predictor = condition_of(isvc, "PredictorReady")
    if predictor.get("status") == "True" and ingress.get("status") == "False" and "not created" not in text(ingress.get("message")):
        message = f"{owner.who} runs, but its address does not work: no gateway of the cluster has taken it"
        fix = (
            f"Calls through the cluster's API still work (`jupyter mlops predict {owner.name}`); an administrator looks at "
            f"the gateway."
        )
        return Cause("no-address", message, "platform", fix, (_of(owner, ingress),))
    if predictor.get("reason") == "ProgressDeadlineExceeded":
        message = f"{owner.who} was not ready in the time that the cluster gives it"
        return Cause("not-ready", message, "platform", owner.log_fix(), (_of(owner, predictor),))
    return _silent(owner, isvc, now) or _fewer(owner, isvc, deployment)


def _silent(owner: Owner, isvc: Document, now: float | None) -> Cause | None:
    """KServe's manager has said nothing for too long."""
    made = moment(at(isvc, "metadata").get("creationTimestamp"))
    if now is None or made is None or now - made < SILENCE:
        return None
    if any(text(condition.get("status")) in {"True", "False"} for condition in objects(at(isvc, "status").get("conditions"))):
        return None
    about = fact(owner.who, "no condition since it was created")
    if text(at(isvc, "metadata", "annotations").get(MODE)) in _KNATIVE:
        message = f"{owner.who} asks for Knative, which this cluster does not seem to have"
        fix = "Delete it and deploy it with the annotation serving.kserve.io/deploymentMode: Standard."
        return Cause("no-knative", message, "user", fix, (about,))
    message = f"{owner.who} was not taken up: KServe's controller does not run, or does not look after this namespace"
    return Cause(
        "controller-down", message, "platform", "An administrator looks at the pods of kserve-controller-manager.", (about,)
    )


def _fewer(owner: Owner, isvc: Document, deployment: Document | None) -> Cause | None:
    """It serves, with fewer copies than it should, or sleeps."""
    wanted, ready = number(at(deployment, "spec").get("replicas")), number(at(deployment, "status").get("readyReplicas"))
    if deployment is None or not _served(isvc):
        return None
    if 0 < ready < wanted:
        message = f"{owner.who} serves with {ready} of {wanted} copies"
        return Cause(
            "degraded",
            message,
            "platform",
            "Wait until the others are ready, or read the log.",
            (fact(owner.who, f"readyReplicas {ready}, replicas {wanted}"),),
        )
    if wanted == 0 and text(at(isvc, "metadata", "annotations").get(MODE)) in _KNATIVE:
        message = f"{owner.who} sleeps, since nobody called it; the first call wakes it and takes some seconds more"
        return Cause("asleep", message, "platform", "Call it.", (fact(owner.who, "replicas 0"),))
    return None


def _served(isvc: Document) -> bool:
    return condition_of(isvc, "Ready").get("status") == "True"


def _of(owner: Owner, condition: Document) -> str:
    return fact(
        owner.who,
        f"{text(condition.get('type'))} {text(condition.get('status'))}",
        condition.get("reason"),
        condition.get("message"),
    )


def _facts(owner: Owner, isvc: Document, events: Sequence[Document]) -> list[str]:
    """Conditions that are not met, and warnings about the service, below the telling fact."""
    unmet = [_of(owner, one) for one in objects(at(isvc, "status").get("conditions")) if one.get("status") == "False"]
    return unmet + [
        fact(owner.who, event.get("reason"), said_of(event)) for event in reversed(events) if event.get("type") == "Warning"
    ]

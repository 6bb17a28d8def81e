"""What is wrong with an InferenceService as it was written: nothing is made from it, or the API server does not take it at all."""

from __future__ import annotations

import re
from collections.abc import Sequence

from jupyter_mlops.diagnose.admission import admission_cause
from jupyter_mlops.diagnose.cause import Cause
from jupyter_mlops.diagnose.documents import (
    Document,
    at,
    fact,
    finish,
    last_seen,
    moment,
    name,
    newest,
    objects,
    said_of,
    text,
    words,
)
from jupyter_mlops.diagnose.owner import Owner

_SCHEME = re.compile(r"StorageUri \[([^\]]{1,500})\] is not supported|StorageURI not supported")


def document_cause(owner: Owner, isvc: Document, events: Sequence[Document]) -> Cause | None:
    """What is wrong with the document itself: nothing is made from it."""
    refused = next(newest(events, "ServerlessModeRejected", "InferenceServiceReady"), None)
    if refused is not None and refused.get("reason") == "ServerlessModeRejected":
        message = f"{owner.who} asks for Knative, which this cluster does not have"
        fix = "Delete it and deploy it with the annotation serving.kserve.io/deploymentMode: Standard."
        return Cause("no-knative", message, "user", fix, (fact(owner.who, "ServerlessModeRejected", said_of(refused)),), final=True)
    for event in newest(events, "InternalError", "UpdateFailed", "InferenceServiceReady"):
        if (match := _SCHEME.search(said_of(event))) and not _decided_since(isvc, last_seen(event)):
            address = name(match[1] or at(isvc, "spec", "predictor", "model").get("storageUri"))
            scheme = f"{address.partition('://')[0]}://" if "://" in address else address
            message = f"{owner.who} cannot be served: this cluster's KServe does not know model addresses that begin with {scheme}"
            fix = "Deploy it without a choice of the way, so that one is taken that this cluster has; or upgrade KServe (0.21 for oci+fetch://)."
            return Cause("storage-scheme", message, "user", fix, (fact(owner.who, "InternalError", said_of(event)),), final=True)
        break
    failure = at(isvc, "status", "modelStatus", "lastFailureInfo")
    reason, said = text(failure.get("reason")), text(failure.get("message"))
    if at(isvc, "status", "modelStatus").get("transitionStatus") == "InvalidSpec" or reason in _SPEC:
        return _invalid(owner, isvc, reason, said)
    return None


_SPEC = frozenset(
    {
        "NoSupportingRuntime",
        "RuntimeNotRecognized",
        "RuntimeDisabled",
        "InvalidPredictorSpec",
        "InvalidGPUAllocation",
        "InvalidWorkerSpecNotSet",
    }
)


def _invalid(owner: Owner, isvc: Document, reason: str, said: str) -> Cause:
    model = at(isvc, "spec", "predictor", "model")
    shape, protocol, runtime = (
        name(at(model, "modelFormat").get("name")),
        name(model.get("protocolVersion")),
        name(model.get("runtime")),
    )
    about = fact(owner.who, reason, said)
    if reason == "RuntimeNotRecognized":
        message = f"{owner.who} cannot be served: the cluster has no model server (ServingRuntime) '{runtime}'"
        fix = "Name one of `kubectl get servingruntimes,clusterservingruntimes`, or none."
        return Cause("runtime-not-found", message, "user", fix, (about,), final=True)
    if reason == "RuntimeDisabled":
        message = f"{owner.who} cannot be served: the model server (ServingRuntime) '{runtime}' is switched off on this cluster"
        return Cause("runtime-not-found", message, "user", "Name another one, or none.", (about,), final=True)
    if "protocol" in said:
        message = f"{owner.who} cannot be served: the model server '{runtime}' does not speak the protocol {protocol or 'v1'}"
        fix = "Name another protocol (v2 instead of v1, or the other way round), or another server."
        return Cause("no-runtime", message, "user", fix, (about,), final=True)
    if reason == "NoSupportingRuntime":
        message = (
            f"{owner.who} cannot be served: no model server of the cluster takes the format '{shape}' with the protocol "
            f"{protocol or 'v1'}"
        )
        fix = (
            "Deploy a model that was registered with `log_model`, which brings its server; or set protocolVersion to v2, "
            "or ask for a runtime."
        )
        return Cause("no-runtime", message, "user", fix, (about,), final=True)
    message = (
        f"{owner.who} cannot be served: its document is not one that KServe can work with{f': {words(said, 250)}' if said else ''}"
    )
    return Cause("service-invalid", message, "user", "Correct what it names.", (about,), final=True)


def refused_cause(service: str, namespace: str, said: str) -> Cause | None:
    """Why the API server did not take an InferenceService, from its words; None where they tell nothing that is known."""
    owner = Owner("service", name(service), name(namespace))
    about = fact(owner.who, said)
    if "kserve-webhook-server" in said and "failed calling webhook" in said:
        why = "its certificate is not valid" if "x509" in said else "it does not answer"
        message = f"{owner.who} cannot be deployed: KServe's check of new services fails, since {why}"
        fix = "An administrator looks at the pods and the certificate of kserve-controller-manager."
        return finish(Cause("webhook-failing", message, "platform", fix, (about,)))
    if "deploymentMode cannot be changed" in said or "update rejected: deploymentMode" in said:
        message = f"{owner.who} cannot be changed in this way: how it runs (deploymentMode) is fixed once it is there"
        return finish(Cause("mode-fixed", message, "user", "Delete the service and deploy it again.", (about,), final=True))
    if match := re.search(r"unknown field \"([^\"]{1,300})\"", said):
        message = f"{owner.who} cannot be deployed: this cluster's KServe does not know the field {name(match[1])}"
        return finish(Cause("field-unknown", message, "us", "Report it with the version of KServe.", (about,), final=True))
    return None if (found := admission_cause(owner, said)) is None else finish(found)


def condition_of(isvc: Document, kind: str) -> Document:
    """A condition of the status; empty if it is not there."""
    return next((one for one in objects(at(isvc, "status").get("conditions")) if one.get("type") == kind), {})


def _decided_since(isvc: Document, seen: float) -> bool:
    """Whether KServe has judged the service after an event: what it complained about was corrected."""
    decided = [one for one in objects(at(isvc, "status").get("conditions")) if text(one.get("status")) in {"True", "False"}]
    return any((moment(one.get("lastTransitionTime")) or 0.0) > seen for one in decided if one.get("type") == "PredictorReady")

"""Questions about the namespace: that it is there, what its administrator says in it, what we may do, what limits it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jupyter_mlops.cluster.base import CONFIG_MAPS, NAMESPACES, NODES, PODS, Kind
from jupyter_mlops.errors import NotAllowed, NotFound
from jupyter_mlops.settings import DEFAULT_IMAGE
from jupyter_mlops.targets.check import Finding, Question, Scene
from jupyter_mlops.targets.namespace import CONFIG_MAP
from jupyter_mlops.targets.rights import RUN, SERVE, Missing, Right, pasted, role_manifest

QUOTAS = Kind("", "v1", "resourcequotas", "ResourceQuota")
ENFORCE = "pod-security.kubernetes.io/enforce"
_DEVICE = re.compile(r"gpu|npu|tpu|gaudi|accelerator|mig-", re.IGNORECASE)
_QUANTITY = re.compile(r"([0-9.]+)([a-zA-Z]*)")
_FACTORS = {"m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def exists(on: Scene) -> Finding:
    """The namespace is there. Who may not look at namespaces may still work in one."""
    name = on.target.namespace
    try:
        document = on.cluster.get(NAMESPACES, name)
    except NotFound:
        return Finding(
            "fail",
            f"there is no namespace {name}",
            f"Choose another: jupyter mlops targets set {on.target.name} namespace=NAME; or: kubectl create namespace {name}",
        )
    except NotAllowed:
        on.cluster.list(PODS, name, limit=1)  # forbidden too: raised, and said
        return Finding("ok", f"{name}; only its objects may be looked at")
    if (document.get("metadata") or {}).get("deletionTimestamp"):
        return Finding("fail", f"the namespace {name} is being deleted", "Choose another, or wait and make it again.")
    return Finding("ok", name)


def settings(on: Scene) -> Finding:
    """What the namespace's ConfigMap says."""
    if on.given.problems:
        return Finding(
            "warn", "; ".join(on.given.problems), f"Correct it: kubectl -n {on.target.namespace} edit configmap {CONFIG_MAP}"
        )
    if on.given.there is None:
        return Finding("skip", f"the ConfigMap {CONFIG_MAP} may not be read")
    if not on.given.there:
        return Finding("skip", f"the namespace has no ConfigMap {CONFIG_MAP}; settings of one's own count")
    return Finding("ok", f"the ConfigMap {CONFIG_MAP} says {', '.join(sorted(on.given.settings)) or 'nothing'}")


def run_rights(on: Scene) -> Finding:
    """We may do what running takes."""
    return _rights(on, RUN, "fail")


def serve_rights(on: Scene) -> Finding:
    """We may do what serving takes; a person can run without it."""
    return _rights(on, SERVE, "warn")


def _rights(on: Scene, needed: tuple[Right, ...], level: str) -> Finding:
    namespace = on.target.namespace
    asked = [(right, question) for right in needed for question in right.questions(namespace)]
    answers = on.cluster.ask([question for _, question in asked])
    if any(not answer.known for answer in answers):
        return Finding("skip", "the cluster does not say which rights there are")
    missing: dict[Right, list[str]] = {}
    for (right, question), answer in zip(asked, answers, strict=True):
        if not answer.allowed:
            missing.setdefault(right, []).append(question.verb)
    if not missing:
        return Finding("ok", "; ".join(dict.fromkeys(right.what for right in needed)))
    found = [Missing(right, tuple(verbs)) for right, verbs in missing.items()]
    who = on.user or "you"
    why = f"{who} may not {'; '.join(map(str, found))} in {namespace}: needed to {', '.join(one.right.what for one in found)}"
    whole = [Missing(right, right.verbs) for right in needed]
    fix = f"Ask the administrator to apply:\n{pasted(role_manifest(whole, namespace, on.user))}"
    return Finding("fail" if level == "fail" else "warn", why, fix)


def pod_security(on: Scene) -> Finding:
    """What the namespace enforces; our containers comply with everything, Argo's own only if they are told to."""
    level = str(_labels(on).get(ENFORCE) or "")
    if level != "restricted":
        return Finding("ok", f"enforces {level}" if level else "enforces nothing")
    from jupyter_mlops.cluster.base import WORKFLOWS

    done = on.cluster.list(WORKFLOWS, on.target.namespace, labels="workflows.argoproj.io/phase=Succeeded", limit=1).items
    if done:
        return Finding("ok", "enforces restricted; runs have succeeded in it")
    return Finding(
        "warn",
        "enforces restricted: our containers comply, Argo's own only if its administrator said so",
        "If pods are refused: the administrator sets executor.securityContext in the ConfigMap workflow-controller-configmap.",
    )


def sidecars(on: Scene) -> Finding:
    """Whether a service mesh puts sidecars into pods: a step's would never end."""
    labels = _labels(on)
    if labels.get("istio-injection") == "enabled" or labels.get("istio.io/rev"):
        return Finding("ok", "Istio is switched on; our pods ask for no sidecar")
    return Finding("ok", "no sidecars are put into pods")


def quota(on: Scene) -> Finding:
    """Room in the namespace's quotas."""
    full: list[str] = []
    room: list[str] = []
    for document in on.cluster.list(QUOTAS, on.target.namespace).items:
        status = document.get("status") or {}
        used = status.get("used") or {}
        for what, hard in sorted((status.get("hard") or {}).items()):
            said = f"{what}: {used.get(what, '0')} of {hard}"
            (full if _number(used.get(what, "0")) >= _number(hard) else room).append(said)
    if full:
        return Finding("warn", f"used up: {', '.join(full)}", "Delete what is not needed, or ask the administrator for more.")
    return Finding("ok", ", ".join(room) or "no quota")


def devices(on: Scene) -> Finding:
    """GPUs and their kin that nodes offer."""
    try:
        nodes = on.cluster.list(NODES).items
    except NotAllowed:
        return Finding("skip", "nodes may not be listed; a run says if there are too few GPUs")
    offered: dict[str, int] = {}
    for node in nodes:
        for name, count in ((node.get("status") or {}).get("allocatable") or {}).items():
            if "/" in name and _DEVICE.search(name) and str(count).isdigit():
                offered[name] = offered.get(name, 0) + int(count)
    said = ", ".join(f"{count} {name}" for name, count in sorted(offered.items()) if count)
    return Finding("ok", said or f"no GPU on {len(nodes)} node{'' if len(nodes) == 1 else 's'}")


def image(on: Scene) -> Finding:
    """What steps run in."""
    if on.target.image:
        from jupyter_mlops.targets.image import python_of

        minor = python_of(on.target, on.target.image)
        return Finding("ok", f"{on.target.image}{f', Python {minor}' if minor else ''}")
    return Finding(
        "warn",
        f"none is set: steps run in {on.target.mirrored(DEFAULT_IMAGE.format(minor='3.x'))}, which has Python alone",
        f"jupyter mlops targets set {on.target.name} image=IMAGE, one with the packages that your notebooks import and IPython",
    )


def authority(on: Scene) -> Finding:
    """The ConfigMap with certificates that steps trust."""
    if not on.target.ca:
        return Finding("ok", "none of its own: steps trust what their image does")
    try:
        data = on.cluster.get(CONFIG_MAPS, on.target.ca, on.target.namespace).get("data") or {}
    except NotFound:
        data = None
    if data is None or "ca.crt" not in data:
        what = "is not there" if data is None else "has no key ca.crt"
        command = f"kubectl -n {on.target.namespace} create configmap {on.target.ca} --from-file=ca.crt"
        return Finding("fail", f"the ConfigMap {on.target.ca} {what}", command)
    count = str(data["ca.crt"]).count("BEGIN CERTIFICATE")
    if not count:
        return Finding(
            "fail", f"ca.crt of the ConfigMap {on.target.ca} holds no certificate", "Put certificates in PEM form there."
        )
    return Finding("ok", f"{on.target.ca}: {count} certificate{'' if count == 1 else 's'}")


def _labels(on: Scene) -> Mapping[str, Any]:
    """Labels of the namespace. Raises NotAllowed where it may not be looked at."""
    return (on.cluster.get(NAMESPACES, on.target.namespace).get("metadata") or {}).get("labels") or {}


def _number(quantity: Any) -> float:
    """A quantity of Kubernetes as a number, to compare two of one kind."""
    match = _QUANTITY.fullmatch(str(quantity))
    return float(match[1]) * _FACTORS.get(match[2], 1.0) if match else 0.0


QUESTIONS = (
    Question("TK02", "namespace", exists),
    Question("TK03", "settings of the namespace", settings),
    Question("TK04", "rights to run", run_rights),
    Question("TK05", "rights to serve", serve_rights),
    Question("TK06", "step image", image),
    Question("TK07", "certificates", authority),
    Question("TK08", "GPUs", devices),
    Question("TK09", "pod security", pod_security),
    Question("TK10", "sidecars", sidecars),
    Question("TK11", "quota", quota),
)

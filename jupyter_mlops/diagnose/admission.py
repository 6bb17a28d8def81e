"""Why the API server refuses to make a pod: its own words, from a node's message, a Deployment's condition or an event.

``pods "x" is forbidden: exceeded quota: …`` and its like are the only trace: the pod itself is never there to be looked at.
"""

from __future__ import annotations

import re

from jupyter_mlops.diagnose.cause import Cause
from jupyter_mlops.diagnose.documents import fact, listed, name, words
from jupyter_mlops.diagnose.owner import ARGO, Owner
from jupyter_mlops.diagnose.quantity import amount

_ACCOUNT = re.compile(r"serviceaccount \"([^\"]{1,253})\" not found")
_QUOTA = re.compile(
    r"exceeded quota: ([^,\s]{1,253}), requested: (.{1,600}?), used: (.{1,600}?), limited: (.{1,600}?)(?:$|\.?\s|; )"
)
_NEEDS = re.compile(r"failed quota: ([^:\s]{1,253}): must specify (.{1,600})")
_RANGE = re.compile(
    r"(maximum|minimum) ([\w./-]{1,100}) (?:usage )?per (Container|Pod|PersistentVolumeClaim) is (\w[\w.]{0,40}?)"
    r"(?:,? but |\.\s+)(request|limit|no request|no limit) is (\w[\w.]{0,40})",
    re.IGNORECASE,
)
_RATIO = re.compile(r"([\w./-]{1,100}) max limit to request ratio per (\w+) is ([\w.]{1,40})")
_SECURITY = re.compile(r"violates PodSecurity \"([\w:.-]{1,60})\": (.{1,4000})", re.DOTALL)
_CONTAINERS = re.compile(r"containers? ((?:\"[^\"]{1,63}\"(?:, )?)+)")
_WEBHOOK = re.compile(r"admission webhook \"([^\"]{1,253})\" denied the request:? ?(.{0,600})", re.DOTALL)
_CALLING = re.compile(r"failed calling webhook \"([^\"]{1,253})\"")
_ABOVE = re.compile(
    r"resources\.requests\S*: Invalid value: \"([^\"]{1,40})\": must be less than or equal to (\S{1,100}) limit(?: of (\S{1,40}))?"
)
_PRIORITY = re.compile(r"no PriorityClass with name (\S{1,253}) was found")
_RIGHT = re.compile(r"User \"([^\"]{1,253})\" cannot (\w+) resource \"([^\"]{1,253})\"")
_RULES = {
    "allowPrivilegeEscalation": "may gain privileges",
    "unrestricted capabilities": "keep Linux capabilities",
    "non-default capabilities": "add Linux capabilities",
    "runAsNonRoot": "may run as root",
    "runAsUser=0": "run as root",
    "seccompProfile": "have no seccomp profile",
    "privileged": "are privileged",
    "host namespaces": "use the machine's own network or processes",
    "hostPath": "use folders of the machine",
    "hostPort": "use ports of the machine",
    "restricted volume types": "use kinds of volumes that are not allowed",
}
_IN_CONTEXT = re.compile(r"securityContext|allowPrivilegeEscalation|runAsNonRoot|seccompProfile|capabilities")
_COMPLIANT = "runAsNonRoot true, allowPrivilegeEscalation false, capabilities drop ALL, seccompProfile RuntimeDefault"
"""What the strictest of Kubernetes' security rules asks of a container."""


def admission_cause(owner: Owner, said: str, about: str = "") -> Cause | None:
    """The cause that a refusal tells; None where the text is no refusal.

    Args:
        owner: whose pod it would be.
        said: the API server's words.
        about: the object that carried them, for the fact.
    """
    for make in (_account, _quota, _needs, _range, _security, _webhook, _above, _priority, _ending, _right):
        if found := make(owner, said, fact(about or owner.about, said)):
            return found
    return None


def _account(owner: Owner, said: str, about: str) -> Cause | None:
    match = _ACCOUNT.search(said)
    if match is None:
        return None
    space = re.search(r"looking up service account ([^/\s]{1,63})/", said)
    namespace = name(space[1]) if space else owner.namespace
    message = f"{owner.who} cannot start: the namespace {namespace or 'of the run'} has no service account '{name(match[1])}'"
    fix = (
        f"Name one that is there in the target's setting `service_account`, or create it: `kubectl create serviceaccount "
        f"{name(match[1])}"
        f"{f' -n {namespace}' if namespace else ''}`."
    )
    return Cause("account-not-found", message, "user", fix, (about,), final=True)


def _quota(owner: Owner, said: str, about: str) -> Cause | None:
    match = _QUOTA.search(said)
    if match is None:
        return None
    asked, used, limits = (_amounts(match[group]) for group in (2, 3, 4))
    parts = [
        f"{_resource(key)} ({value} asked for, {used.get(key, '0')} of {limits.get(key, '?')} in use)"
        for key, value in list(asked.items())[:4]
    ]
    message = f"{owner.who} cannot start: the namespace's quota '{name(match[1])}' has too little left: {listed(parts)}"
    alone = any(_more(asked.get(key, ""), limit) for key, limit in limits.items())
    options = [f"`{one}`" for one in ("cpu", "memory", "gpu") if any(one in key for key in asked)]
    ways = [] if alone else ["wait until something of this namespace ends"]
    if owner.kind == "step" and options:
        ways.append(f"ask for less in the step's option{'s' if len(options) > 1 else ''} {listed(options)}")
    fix = ", ".join(ways) + f"{', or ' if ways else ''}ask an administrator to raise the quota."
    fix = fix[0].upper() + fix[1:]
    return Cause("quota", message, "platform", fix, (about,), final=alone)


def _needs(owner: Owner, said: str, about: str) -> Cause | None:
    match = _NEEDS.search(said)
    if match is None:
        return None
    wanted = list(dict.fromkeys(re.findall(r"(?:limits|requests)\.[\w./-]+|\b(?:cpu|memory)\b", match[2])))
    message = (
        f"{owner.who} cannot start: the namespace's quota '{name(match[1])}' takes only pods that say how much they need "
        f"({name(', '.join(wanted)).replace(',', ', ')})"
    )
    fix = (
        "Set the step's options `cpu` and `memory`; if it asks for a limit of the CPU, or for containers that Argo adds, "
        "an administrator "
        "gives the namespace a LimitRange with defaults."
        if owner.kind == "step"
        else "Set requests and limits for cpu and memory."
    )
    return Cause("quota-needs-limits", message, "user", fix, (about,), final=True)


def _range(owner: Owner, said: str, about: str) -> Cause | None:
    found = list(_RANGE.finditer(said))[:4]
    ratio = _RATIO.search(said)
    if not found and (ratio is None or "is forbidden" not in said):
        return None
    if not found and ratio:
        message = (
            f"{owner.who} cannot start: this namespace allows a limit of {_resource(ratio[1])} at most {name(ratio[3])} times "
            f"its request"
        )
        return Cause("outside-limits", message, "user", "Set request and limit closer to each other.", (about,), final=True)
    parts = []
    for match in found:
        asked = "none is set" if match[5].lower().startswith("no") else f"it asks for {name(match[6]).rstrip('.')}"
        parts.append(
            f"{'at most' if match[1].lower() == 'maximum' else 'at least'} {name(match[4])} of {_resource(match[2])} a "
            f"{match[3].lower()} ({asked})"
        )
    message = f"{owner.who} cannot start: this namespace allows {listed(list(dict.fromkeys(parts)))}"
    options = list(dict.fromkeys(f"`{match[2]}`" for match in found if match[2] in {"cpu", "memory"}))
    own = f"the step's option{'s' if len(options) > 1 else ''} {listed(options)}"
    fix = f"Change {own if owner.kind == 'step' and options else 'its resources'} to what is allowed, or ask an administrator."
    return Cause("outside-limits", message, "user", fix, (about,), final=True)


def _security(owner: Owner, said: str, about: str) -> Cause | None:
    match = _SECURITY.search(said)
    if match is None:
        return None
    named = {one for group in _CONTAINERS.findall(match[2]) for one in re.findall(r"\"([^\"]+)\"", group)}
    rules = [told for rule, told in _RULES.items() if rule in match[2]]
    added = sorted(named & ARGO) if owner.kind == "step" else []
    own = sorted(named - set(added))
    level = name(match[1]).partition(":")[0]
    containers = f"its containers ({listed([name(one) for one in own])})" if own else "its containers"
    who = "containers that Argo adds" if added and not own else containers
    why = listed(rules) or "break them"
    message = f"{owner.who} cannot start: the security rules of this namespace ('{level}') refuse it, since {who} {why}"
    if added and not own:
        fix = f"An administrator sets `executor.securityContext` in Argo's ConfigMap workflow-controller-configmap ({_COMPLIANT})."
        return Cause("pod-security-argo", message, "platform", fix, (about,), final=True)
    if not _IN_CONTEXT.search(match[2]):
        fix = "Do without that, or ask an administrator for a namespace that allows it."
        return Cause("pod-security", message, "user", fix, (about,), final=True)
    return Cause("pod-security", message, "user", f"Set the containers' securityContext: {_COMPLIANT}.", (about,), final=True)


def _webhook(owner: Owner, said: str, about: str) -> Cause | None:
    if match := _CALLING.search(said):
        message = f"{owner.who} cannot start: a check that the cluster makes first, '{name(match[1])}', does not work"
        return Cause(
            "webhook-failing", message, "platform", "An administrator looks at the service behind it and its certificate.", (about,)
        )
    if match := _WEBHOOK.search(said):
        message = f"{owner.who} cannot start: a rule of the cluster, '{name(match[1])}', refuses it: {words(match[2], 250)}"
        return Cause(
            "webhook-denied", message, "user", "Change what it names, or ask an administrator about the rule.", (about,), final=True
        )
    return None


def _above(owner: Owner, said: str, about: str) -> Cause | None:
    match = _ABOVE.search(said)
    if match is None:
        return None
    limit = name(match[3]) or "its limit"
    message = f"{owner.who} cannot start: it asks for {name(match[1])} of {_resource(match[2])} but is limited to {limit}"
    return Cause("request-above-limit", message, "user", "Make the limit at least as large as the request.", (about,), final=True)


def _priority(owner: Owner, said: str, about: str) -> Cause | None:
    match = _PRIORITY.search(said)
    if match is None:
        return None
    message = f"{owner.who} cannot start: the cluster has no priority class '{name(match[1])}'"
    return Cause(
        "priority-not-found",
        message,
        "user",
        "Leave the priority out, or name one of `kubectl get priorityclasses`.",
        (about,),
        final=True,
    )


def _ending(owner: Owner, said: str, about: str) -> Cause | None:
    if "because it is being terminated" not in said:
        return None
    message = f"{owner.who} cannot start: the namespace {owner.namespace or ''} is being deleted".replace("  ", " ")
    return Cause("namespace-ending", message, "user", "Use another namespace.", (about,), final=True)


def _right(owner: Owner, said: str, about: str) -> Cause | None:
    match = _RIGHT.search(said)
    if match is None or match[3] not in {"pods", "deployments", "services", "configmaps", "persistentvolumeclaims"}:
        return None
    message = f"{owner.who} cannot start: {name(match[1])} may not {name(match[2])} {name(match[3])} in this namespace"
    return Cause("controller-forbidden", message, "platform", "An administrator gives it this right.", (about,), final=True)


def _amounts(said: str) -> dict[str, str]:
    return {name(key): name(value) for key, _, value in (part.partition("=") for part in said.split(",")) if value}


def _resource(key: str) -> str:
    """``memory`` of ``requests.memory``; a limit is said to be one."""
    kind, _, rest = key.partition(".")
    what = name(rest if kind in {"requests", "limits"} and rest else key).replace("cpu", "CPU")
    return f"the limit of {what}" if kind == "limits" and rest else what


def _more(asked: str, limit: str) -> bool:
    wanted, allowed = amount(asked), amount(limit)
    return wanted is not None and allowed is not None and wanted > allowed

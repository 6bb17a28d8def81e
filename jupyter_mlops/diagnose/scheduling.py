"""Why no machine takes a pod, from the scheduler's sentence.

``0/3 nodes are available: 1 Insufficient nvidia.com/gpu, 2 node(s) had untolerated taint {dedicated: ml}. preemption: …`` is a
sum: each part says how many machines fail for which reason. All of them are told; the one that a person can do most about gives
code and fix. Its last part tells whether waiting helps: where removing other pods would help on no machine
(``Preemption is not helpful``), the request is larger than the machines are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from jupyter_mlops.diagnose.cause import Cause
from jupyter_mlops.diagnose.documents import Document, at, events_of, fact, listed, mapping, name, newest, said_of, text, words
from jupyter_mlops.diagnose.owner import Owner
from jupyter_mlops.errors import Blame

_HEAD = re.compile(r"\b0/(\d{1,6}) nodes are available:?\s*")
_PART = re.compile(r"(\d{1,6}) (.{1,400}?)(?=, \d{1,6} |\.(?:\s|$)|, that the pod didn't tolerate|$)")
_HELPLESS = re.compile(r"(\d{1,6}) Preemption is not helpful")
_TAINT = re.compile(r"taints? \{([^}:]{1,320}):? ?([^}]{0,80})\}")
_CLAIM = re.compile(r"persistentvolumeclaim \"([^\"]{1,253})\"")
_PLATFORM_TAINTS = ("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/", "ToBeDeletedByClusterAutoscaler")
_CONTROL_TAINTS = "node-role.kubernetes.io/"
_RESOURCES = {"cpu": "CPU", "ephemeral-storage": "disk space"}

Kind = Literal["device", "resource", "full", "taint", "control", "unready", "selector", "volume", "apart", "other"]


@dataclass(frozen=True, slots=True)
class Shortage:
    """One reason on a number of machines. ``detail`` is the resource, the taint or the scheduler's own word."""

    kind: Kind
    nodes: int
    detail: str = ""


def scheduling_cause(owner: Owner, reason: str, said: str, events: Iterable[Document] = ()) -> Cause:
    """The cause of a pod that has no machine yet.

    Args:
        owner: whose pod it is.
        reason: of the condition PodScheduled: ``Unschedulable`` or ``SchedulingGated``.
        said: its message, or that of the event FailedScheduling.
        events: of the pod: an autoscaler says there whether it adds a machine.
    """
    about = fact(owner.about, reason, said)
    if reason == "SchedulingGated":
        return _queued(owner, about)
    if scaling := _scaling(owner, events):
        message = f"{owner.who} waits for a machine: the cluster is adding one"
        return Cause("adding-machine", message, "platform", "Wait; a new machine takes some minutes.", (scaling, about))
    if claim := _CLAIM.search(said):
        message = f"{owner.who} cannot start: the volume claim {name(claim[1])} does not exist"
        fix = f"Create the claim in the namespace {owner.namespace or 'of the run'}, or name one that is there."
        return Cause("volume-not-found", message, "user", fix, (about,), final=True)
    if "unbound immediate PersistentVolumeClaims" in said:
        message = f"{owner.who} waits for its volume, which the cluster has not made yet"
        fix = "Look at the volume claim: its storage class may not exist, or may have nothing left."
        return Cause("volume-not-bound", message, "platform", fix, (about,))
    return _no_machine(owner, said, about)


def shortages(said: str) -> list[Shortage]:
    """The parts of the scheduler's sentence."""
    head = _HEAD.search(said)
    rest = (said[head.end() :] if head else "").partition("preemption:")[0]
    return [_shortage(int(match[1]), match[2]) for match in _PART.finditer(rest)]


def _shortage(nodes: int, part: str) -> Shortage:
    if match := re.match(r"Insufficient (\S+)", part):
        resource = match[1].rstrip(".,")
        return Shortage("device" if _is_device(resource) else "resource", nodes, resource)
    if match := _TAINT.search(part):
        key, value = match[1].strip(), match[2].strip()
        if key.startswith(_PLATFORM_TAINTS):
            what = key.rpartition("/")[2]
            return Shortage("unready", nodes, "" if what in {"not-ready", "unreachable", "unschedulable"} else what)
        return Shortage("control" if key.startswith(_CONTROL_TAINTS) else "taint", nodes, f"{key}={value}" if value else key)
    if "taint" in part:
        return Shortage("taint", nodes)  # since Kubernetes 1.35 without its name
    for pattern, kind in _KINDS:
        if pattern.search(part):
            return Shortage(kind, nodes)
    return Shortage("other", nodes, words(part, 120))


_KINDS: tuple[tuple[re.Pattern[str], Kind], ...] = (
    (re.compile(r"Too many pods"), "full"),
    (re.compile(r"unschedulable|not ready"), "unready"),
    (re.compile(r"volume"), "volume"),
    (re.compile(r"node affinity|node selector|didn't match Pod's node|requested node name"), "selector"),
    (re.compile(r"affinity|topology spread|free ports"), "apart"),
)


def _queued(owner: Owner, about: str) -> Cause:
    queue = name(at(owner.pod, "metadata", "labels").get("kueue.x-k8s.io/queue-name"))
    where = f"in the queue {queue}" if queue else "until the cluster lets it in"
    return Cause("queued", f"{owner.who} waits {where}", "platform", "Wait for its turn, or ask for less.", (about,))


def _no_machine(owner: Owner, said: str, about: str) -> Cause:
    """One sentence for all the parts, with the code of the one that a person can change first."""
    head, found = _HEAD.search(said), shortages(said)
    nodes, too_large = int(head[1]) if head else 0, _too_large(said)
    message = f"{owner.who} waits for a machine: {_why(owner, nodes, found, too_large=too_large)}"
    if head is None and said:
        message = f"{owner.who} waits for a machine: {words(said, 250)}"
    blame: Blame = "user" if too_large else "platform"
    parts = {part.kind: part for part in reversed(found)}
    if "taint" in parts and _worth_a_toleration(parts):
        return Cause("machine-reserved", message, "user", _taint_fix(owner, parts["taint"]), (about,), final=True)
    if "device" in parts:
        fix = _device_fix(owner, parts["device"].detail, too_large=too_large)
        if "taint" in parts:
            fix += f" If the reserved machines have them: {_taint_fix(owner, parts['taint'])}"
        return Cause("no-gpu", message, blame, fix, (about,), too_large)
    if "resource" in parts or "full" in parts:
        return Cause("no-room", message, blame, _room_fix(owner, found, too_large=too_large), (about,), too_large)
    if "selector" in parts:
        return Cause("no-matching-machine", message, "user", _selector_fix(owner), (about,), final=True)
    if "volume" in parts:
        fix = "Its volume cannot be used on the machines that have room: use another volume, or ask an administrator."
        return Cause("volume-elsewhere", message, "platform", fix, (about,))
    if "unready" in parts or (head and not found):
        fix = "Wait until a machine is back, or ask an administrator of the cluster."
        return Cause("machine-not-ready", message, "platform", fix, (about,))
    return Cause("no-machine", message, "platform", "Ask an administrator of the cluster.", (about,))


def _why(owner: Owner, nodes: int, found: Sequence[Shortage], *, too_large: bool) -> str:
    if not nodes:
        return "the cluster has none that is ready"
    if not found:
        return f"none of its {nodes} suits it" if nodes > 1 else "the cluster's only one does not suit it"
    if len(found) == 1 and found[0].nodes == nodes:
        all_of_them = "the cluster's only one" if nodes == 1 else f"all {nodes} machines of the cluster"
        return f"{all_of_them} {_phrase(owner, found[0], many=nodes > 1, too_large=too_large)}"
    counted: dict[tuple[Kind, str], int] = {}
    for part in found:
        counted[part.kind, part.detail] = counted.get((part.kind, part.detail), 0) + part.nodes
    merged = [Shortage(kind, count, detail) for (kind, detail), count in counted.items()]
    parts = [f"{part.nodes} {_phrase(owner, part, many=part.nodes > 1, too_large=too_large)}" for part in merged[:6]]
    return f"of the cluster's {nodes}, {listed(parts)}" if nodes > 1 else f"the cluster's only one {listed([p[2:] for p in parts])}"


def _phrase(owner: Owner, part: Shortage, *, many: bool, too_large: bool) -> str:
    """What a part says of its machines, as a verb with its object."""
    has, is_ = ("have", "are") if many else ("has", "is")
    asked = name(owner.requested(part.detail))
    free = "" if too_large else " free"
    if part.kind == "device":
        thing = "GPUs" if part.detail.endswith("gpu") else "devices"
        return (
            f"{has} fewer {thing}{free} than the {asked} asked for ({name(part.detail)})"
            if asked
            else f"{has} too few {thing}{free} ({name(part.detail)})"
        )
    if part.kind == "resource":
        thing = _RESOURCES.get(part.detail, name(part.detail))
        return f"{has} less {thing}{free} than the {asked} asked for" if asked else f"{has} too little {thing}{free}"
    if part.kind == "selector":
        labels = listed(_selector(owner))
        return f"{'do' if many else 'does'} not have the label {labels}" if labels else f"{is_} of another kind than was asked for"
    plain = {
        "full": f"{has} no place for another pod",
        "taint": f"{is_} reserved" + (f" (taint {name(part.detail)})" if part.detail else ""),
        "control": f"{is_} kept for the cluster itself",
        "unready": f"{is_} not ready" + (f" ({name(part.detail)})" if part.detail else ""),
        "volume": "cannot use its volume",
        "apart": "may not take it beside what runs there",
    }
    return plain.get(part.kind) or f"{is_} refused ({part.detail})"


def _is_device(resource: str) -> bool:
    return "/" in resource


def _worth_a_toleration(parts: Mapping[Kind, Shortage]) -> bool:
    """Whether the reserved machines are what is missing: all that is left, or probably those with the GPUs.

    A taint without a name may as well be that of the cluster's own machines, or of one that is not ready.
    """
    if not parts["taint"].detail:
        return not {"device", "resource", "full", "selector"} & parts.keys()
    return "device" in parts or not {"resource", "full"} & parts.keys()


def _taint_fix(owner: Owner, taint: Shortage) -> str:
    where = "the step's option `tolerations`" if owner.kind == "step" else "the tolerations of the service"
    if not taint.detail:
        return f"`kubectl describe nodes` shows what they are reserved for (Taints); add it to {where} if you may use them."
    key, _, value = (name(part) for part in taint.detail.partition("="))
    rest = f'"operator": "Equal", "value": "{value}"' if value else '"operator": "Exists"'
    return f'If you may use the reserved machines, add {{"key": "{key}", {rest}}} to {where}.'


def _selector(owner: Owner) -> list[str]:
    labels = at(owner.pod, "spec", "nodeSelector")
    return [f"{name(key)}={name(value)}" for key, value in list(labels.items())[:4]]


def _selector_fix(owner: Owner) -> str:
    where = "the step's option `node_selector`" if owner.kind == "step" else "the node selector"
    return f"Correct or remove {where}; `kubectl get nodes --show-labels` lists what there is."


def _device_fix(owner: Owner, device: str, *, too_large: bool) -> str:
    fewer = "ask for fewer in the step's option `gpu`" if owner.kind == "step" else "deploy it with fewer"
    if not too_large:
        return f"Wait until one is free, {fewer}, or stop a run or service of yours that holds one."
    other = f"set `gpu_resource` if this cluster does not call them {name(device)}" if owner.kind == "step" else "without any"
    return f"{fewer[0].upper()}{fewer[1:]}, or {other}."


def _room_fix(owner: Owner, found: Sequence[Shortage], *, too_large: bool) -> str:
    short = list(dict.fromkeys(part.detail for part in found if part.kind == "resource"))
    if owner.kind == "step" and short:
        options = list(dict.fromkeys(f"`{one}`" if one in {"cpu", "memory"} else "`resources`" for one in short))
        less = f"ask for less in the step's option{'s' if len(options) > 1 else ''} {listed(options)}"
    else:
        less = f"let {owner.who} ask for less {listed([_RESOURCES.get(one, name(one)) for one in short])}".rstrip()
    return f"{less[0].upper()}{less[1:]}." if too_large else f"Wait until something else ends, or {less}."


def _too_large(said: str) -> bool:
    """Whether no machine would have room even if it were empty: removing pods would help on none of them."""
    head, tail = _HEAD.search(said), said.partition("preemption:")[2]
    return bool(head and int(head[1])) and sum(int(match[1]) for match in _HELPLESS.finditer(tail)) >= int(head[1] if head else 1)


def _scaling(owner: Owner, events: Iterable[Document]) -> str:
    """What an autoscaler said if it adds a machine for this pod, else ''."""
    metadata = at(owner.pod, "metadata")
    own = events_of(events, "Pod", text(metadata.get("name")), text(metadata.get("uid")))
    found = mapping(next(newest(own, "TriggeredScaleUp", "Nominated", "NotTriggerScaleUp"), None))
    return (
        fact(owner.about, found.get("reason"), said_of(found))
        if text(found.get("reason")) in {"TriggeredScaleUp", "Nominated"}
        else ""
    )

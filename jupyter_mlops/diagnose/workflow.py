"""Why a run on Argo waits or failed: for each node, and for the run as a whole.

A Workflow says ``Running`` while its pod waits for ever, so pods and events come first, then the node's message, which stays
when the pod is gone. The run's own cause is the first that stops it: what failed earliest, else what waits while nothing runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from jupyter_mlops.diagnose.cause import Cause
from jupyter_mlops.diagnose.documents import Document, at, counted, fact, finish, mapping, moment, name, objects, text
from jupyter_mlops.diagnose.node import ENDED, node_cause
from jupyter_mlops.diagnose.owner import NODE, Owner, step_name
from jupyter_mlops.diagnose.pod import pod_cause
from jupyter_mlops.diagnose.rights import missing_right

SILENCE = 20.0
"""Seconds without a status after which a Workflow was not seen by any controller; a busy one needs a second or two."""

LEASE = 60.0
"""Seconds without a renewal after which a controller is gone; it renews every few seconds."""

REPORTING = 60.0
"""Seconds after a step's end by which its result has reached Argo, if it may be reported at all."""

DONE = frozenset({"Succeeded", "Failed", "Error"})
_IDLE = frozenset({"Succeeded", "Skipped", "Omitted"})
_TOLD_BY_CHILDREN = (
    "child '",
    "No more retries left",
    "Max duration limit exceeded",
    "retryStrategy.expression",
    "task '",
    "Backoff would",
)
_STOPPED = ("workflow shutdown with strategy", "Stopped with strategy", "terminated")


def causes(
    workflow: Document,
    pods: Iterable[Document] = (),
    events: Iterable[Document] = (),
    *,
    controller_seen: float | None = None,
    now: float = 0,
) -> Mapping[str, Cause]:
    """What is wrong: node id → cause, and '' → the run's own. Empty while all goes well or when a person stopped it.

    Args:
        workflow: the Workflow with its status (``status.nodes`` unpacked).
        pods: those of the Workflow that are still there.
        events: core events of its pods and of itself, in any order.
        controller_seen: when Argo's controller last renewed its lease, in seconds since the epoch; None if it is not known.
        now: seconds since the epoch; 0 leaves out what only time tells.
    """
    by_node = _pods_of(pods)
    told = [event for event in events if isinstance(event, Mapping)]
    found: dict[str, Cause] = {}
    for key, node in _nodes(workflow).items():
        if text(node.get("type")) in {"", "Pod", "Container", "Suspend", "HTTP", "Plugin"} and (
            cause := _of_node(workflow, node, by_node.get(key), told, now)
        ):
            found[key] = cause
    for key in by_node.keys() - _nodes(workflow).keys():
        if cause := pod_cause(by_node[key], told):  # a pod that is there before the Workflow's status tells of it
            found[key] = cause
    _inherit(workflow, by_node, found)
    if own := _of_run(workflow, found, controller_seen, now):
        found[""] = own
    return found


def _of_node(workflow: Document, node: Document, pod: Document | None, events: Sequence[Document], now: float) -> Cause | None:
    phase, message = text(node.get("phase")), text(node.get("message"))
    if phase in _IDLE or message.startswith(_STOPPED) or _stopped(workflow, message):
        return None
    owner = _owner(workflow, node, pod)
    from_pod = pod_cause(pod, events) if pod is not None else None
    from_words = node_cause(owner, message)
    if phase in DONE and from_words and (from_pod is None or not ENDED.match(message)):
        # What the controller did (a deadline, a deletion) is why the pod ended as it did.
        return finish(from_words, from_pod.facts if from_pod else ())
    if from_pod:
        return finish(from_pod, [fact(owner.who, message)] if message else ())
    if from_words:
        return finish(from_words)
    if phase in DONE:
        return finish(_unknown(owner, message))
    return _unreported(owner, pod, now)


def _unknown(owner: Owner, message: str) -> Cause:
    """A node that failed in words that nobody has seen before: said as they are."""
    said = " ".join(message.split())
    text_ = f"{owner.who} failed" + (f": {said}" if said else " without saying why")
    return Cause("step-failed", text_, "platform", owner.log_fix(), (fact(owner.who, message),), final=True)


def _unreported(owner: Owner, pod: Document | None, now: float) -> Cause | None:
    """A step whose containers have all ended well while Argo still waits for its result: it may not be reported."""
    statuses = objects(at(pod, "status").get("containerStatuses"))
    ends = [moment(at(one, "state", "terminated").get("finishedAt")) for one in statuses]
    if not now or not statuses or any(end is None for end in ends) or now - max(end or 0.0 for end in ends) < REPORTING:
        return None
    account = name(at(pod, "spec").get("serviceAccountName")) or "default"
    return finish(
        missing_right(owner, owner.namespace or "NAMESPACE", account, fact(owner.about, "ended, but Argo has no result of it"))
    )


def _of_run(workflow: Document, found: Mapping[str, Cause], controller_seen: float | None, now: float) -> Cause | None:
    """The run's own cause: the earliest failure, else what keeps all of it waiting."""
    status = at(workflow, "status")
    phase, message, nodes = text(status.get("phase")), text(status.get("message")), _nodes(workflow)
    run = _run(workflow)
    if phase == "Succeeded" or _stopped(workflow, "") or message.startswith(_STOPPED):
        return None
    if phase not in DONE and (gone := _controller(run, workflow, controller_seen, now)):
        return finish(gone)
    leaves = sorted(found, key=lambda key: _order(nodes.get(key, {})))
    failed = [key for key in leaves if text(nodes.get(key, {}).get("phase")) in {"Failed", "Error"}]
    if phase in {"Failed", "Error"}:
        if failed:
            return found[failed[0]]
        return finish(node_cause(run, message) or _unknown(run, message))
    if message and (waiting := node_cause(run, message)):
        return finish(waiting)
    if leaves and not any(_works(key, node, found) for key, node in nodes.items()):
        waiting_keys = [key for key in leaves if key not in failed]
        return found[(waiting_keys or leaves)[0]]
    return None


def _controller(run: Owner, workflow: Document, controller_seen: float | None, now: float) -> Cause | None:
    """Argo's controller is what makes a Workflow go on; without it nothing happens and nothing says so."""
    if not now:
        return None
    metadata, space = at(workflow, "metadata"), run.namespace or "of the run"
    begun, made = moment(at(workflow, "status").get("startedAt")), moment(metadata.get("creationTimestamp"))
    if begun is None and made is not None and now - made < SILENCE:
        return None  # it may yet be taken up, also by a controller that has no lease
    if controller_seen is not None and begun is not None and begun - controller_seen > LEASE:
        controller_seen = None  # it was taken up long after that: whoever did it has no lease, and this one was left behind
    if controller_seen is not None and now - controller_seen > LEASE:
        since = counted(round((now - controller_seen) / 60) or 1, "minute")
        message = f"{run.who} does not go on: Argo's controller gave its last sign of life {since} ago"
        about = fact("lease workflow-controller", f"last renewed {since} ago")
        return Cause("controller-down", message, "platform", "An administrator starts Argo's workflow-controller again.", (about,))
    if made is None or text(at(workflow, "status").get("phase")):
        return None
    about = fact(run.who, f"created {text(metadata.get('creationTimestamp'))}, no status since")
    if controller_seen is not None:
        message = f"{run.who} was not taken up: Argo's controller runs, but does not look after the namespace {space}"
        fix = "Ask an administrator which namespaces it looks after (its options --namespaced, --managed-namespace, instanceID)."
        return Cause("controller-ignores", message, "platform", fix, (about,))
    message = f"{run.who} was not taken up: Argo's controller does not run, or does not look after the namespace {space}"
    fix = "An administrator starts Argo's workflow-controller, or lets it look after this namespace."
    return Cause("controller-down", message, "platform", fix, (about,))


def _inherit(workflow: Document, pods: Mapping[str, Document], found: dict[str, Cause]) -> None:
    """A step that is tried again has a node for itself: its cause is that of its last attempt.

    Attempts that failed before it, or before it goes on, are history: nothing is wrong while the step is tried again.
    """
    nodes = _nodes(workflow)
    for key, node in nodes.items():
        if node.get("type") != "Retry":
            continue
        given = node.get("children")
        attempts = [one for one in given if isinstance(one, str)] if isinstance(given, list) else []
        over = text(node.get("phase")) in {"Failed", "Error"}
        for attempt in attempts if not over else attempts[:-1]:
            if text(nodes.get(attempt, {}).get("phase")) in {"Failed", "Error"} or _ended(pods.get(attempt)):
                found.pop(attempt, None)
        if attempts and attempts[-1] in found and text(node.get("phase")) not in _IDLE:
            found[key] = found[attempts[-1]]


def _ended(pod: Document | None) -> bool:
    """Whether the step's own container has ended, which Argo learns a moment later."""
    return any(
        "terminated" in at(one, "state") for one in objects(at(pod, "status").get("containerStatuses")) if one.get("name") == "main"
    )


def _works(key: str, node: Document, found: Mapping[str, Cause]) -> bool:
    """Whether a node is a pod at work, or one that starts as it should."""
    return node.get("type") == "Pod" and text(node.get("phase")) in {"Running", "Pending"} and key not in found


def _order(node: Document) -> tuple[float, float]:
    """Failures by their end, what waits by its beginning; children before the node that sums them up."""
    end, start = moment(node.get("finishedAt")), moment(node.get("startedAt"))
    return (end if end is not None else float("inf"), start if start is not None else float("inf"))


def _stopped(workflow: Document, message: str) -> bool:
    """Whether a person stopped the run; a step that had failed by itself before keeps its cause."""
    stopped = text(at(workflow, "spec").get("shutdown")) in {"Stop", "Terminate"}
    match = ENDED.match(message)
    return stopped and (not message or (match is not None and int(match[3]) in {137, 143}))


def _owner(workflow: Document, node: Document, pod: Document | None) -> Owner:
    called = step_name(node.get("displayName")) or step_name(node.get("name"))
    return Owner("step", called, name(at(workflow, "metadata").get("namespace")), mapping(pod))


def _run(workflow: Document) -> Owner:
    metadata = at(workflow, "metadata")
    return Owner("run", name(metadata.get("name")), name(metadata.get("namespace")))


def _nodes(workflow: Document) -> Mapping[str, Document]:
    return {
        key: node for key, node in at(workflow, "status", "nodes").items() if isinstance(key, str) and isinstance(node, Mapping)
    }


def _pods_of(pods: Iterable[Document]) -> Mapping[str, Document]:
    """Node id → its pod."""
    return {node: pod for pod in pods if (node := text(at(pod, "metadata", "annotations").get(NODE)))}

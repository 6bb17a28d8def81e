"""Which fields of a Workflow this machine runs, which mean nothing here, and that all others are refused by name.

A field is *idle* when leaving it out changes where or under whom a pod runs, and never what it computes: a service account,
a toleration, a security context. Anything that is neither used nor idle changes the result, so a document that has it is
refused instead of half run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyter_mlops.errors import Refused, Where

_PLACEMENT = frozenset({
    "affinity", "automountServiceAccountToken", "executor", "hostAliases", "metadata", "metrics", "nodeSelector",
    "priorityClassName", "schedulerName", "securityContext", "serviceAccountName", "tolerations",
})  # fmt: skip

USED: Mapping[str, frozenset[str]] = {
    "spec": frozenset({"entrypoint", "arguments", "templates", "activeDeadlineSeconds", "onExit", "volumes", "parallelism"}),
    "template": frozenset({
        "name", "container", "dag", "steps", "inputs", "outputs", "retryStrategy", "suspend", "timeout", "activeDeadlineSeconds",
        "volumes",
    }),
    "container": frozenset({"name", "image", "command", "args", "env", "resources", "volumeMounts", "workingDir"}),
    "dag": frozenset({"tasks", "failFast"}),
    "task": frozenset({"name", "template", "depends", "dependencies", "arguments", "when", "withParam"}),
    "arguments": frozenset({"parameters"}),
    "parameter": frozenset({"name", "value", "default", "description", "enum", "valueFrom"}),
    "retryStrategy": frozenset({"limit", "retryPolicy"}),
    "mount": frozenset({"name", "mountPath", "readOnly"}),
    "env": frozenset({"name", "value", "valueFrom"}),
}  # fmt: skip
"""Fields that the engine acts on, by the kind of object they stand in."""

IDLE: Mapping[str, frozenset[str]] = {
    "spec": _PLACEMENT | {
        "archiveLogs", "artifactGC", "dnsConfig", "dnsPolicy", "hostNetwork", "imagePullSecrets", "podDisruptionBudget", "podGC",
        "podMetadata", "podPriority", "podPriorityClassName", "priority", "shutdown", "ttlStrategy", "volumeClaimGC",
        "workflowMetadata",
    },
    "template": _PLACEMENT | {"archiveLocation"},
    "container": frozenset({
        "imagePullPolicy", "livenessProbe", "readinessProbe", "securityContext", "startupProbe", "stdin", "terminationMessagePath",
        "terminationMessagePolicy", "tty",
    }),
    "retryStrategy": frozenset({"affinity", "backoff"}),
}  # fmt: skip
"""Fields that are read on a cluster and mean nothing on one machine (a back-off waits for other nodes)."""


def refusal(field: str, why: str) -> Refused:
    """The error for a document that this engine does not run, at its field."""
    return Refused(
        f"the local engine does not run this Workflow: {why}",
        code="workflow-not-supported",
        fix="Run it on a cluster with Argo Workflows, or compile it again with `jupyter mlops convert`.",
        where=Where(field=field),
    )


def check(kind: str, document: Any, path: str) -> Mapping[str, Any]:
    """The object itself, if it is one and holds only known fields. Empty values count as absent, as in Kubernetes."""
    if not isinstance(document, Mapping):
        raise refusal(path, f"{path} is not an object")
    known = USED[kind] | IDLE.get(kind, frozenset())
    for name, value in document.items():
        if name not in known and value not in (None, "", [], {}):
            raise refusal(f"{path}.{name}", f"{path}.{name} is not supported on this machine")
    return document


def listed(document: Mapping[str, Any], name: str, path: str) -> list[Any]:
    """A list field; absent is empty."""
    value = document.get(name)
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        raise refusal(f"{path}.{name}", f"{path}.{name} is not a list")
    return list(value)

"""Which rights a person needs in a namespace, and a Role that gives those that are missing, as it can be applied.

The list is what this product does and nothing more; a test on a real cluster gives a service account exactly these and runs
a pipeline and a service with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jupyter_mlops.cluster.base import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    EVENTS,
    INFERENCE_SERVICES,
    PODS,
    SERVICES,
    WORKFLOWS,
    Kind,
    Question,
)

ROLE = "jupyter-mlops-user"
TASK_RESULTS = Kind("argoproj.io", "v1alpha1", "workflowtaskresults", "WorkflowTaskResult")

_SAFE = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_ACCOUNT = re.compile(r"system:serviceaccount:([a-z0-9.-]+):([a-z0-9.-]+)")


@dataclass(frozen=True, slots=True)
class Right:
    """Verbs on a kind, and what they are for."""

    kind: Kind
    verbs: tuple[str, ...]
    what: str
    subresource: str = ""

    @property
    def resource(self) -> str:
        """As a rule names it."""
        return f"{self.kind.plural}/{self.subresource}" if self.subresource else self.kind.plural

    def questions(self, namespace: str) -> list[Question]:
        """Whether one has them."""
        return [Question(verb, self.kind, namespace, self.subresource) for verb in self.verbs]


RUN = (
    Right(WORKFLOWS, ("get", "list", "watch", "create", "patch", "delete"), "submit, follow and stop runs"),
    Right(PODS, ("get", "list", "watch"), "say why a step waits"),
    Right(PODS, ("get",), "read what steps print", "log"),
    Right(EVENTS, ("list",), "say why a pod does not start"),
)
"""To run pipelines."""

SERVE = (
    Right(INFERENCE_SERVICES, ("get", "list", "watch", "create", "patch", "delete"), "deploy, look at and stop services"),
    Right(SERVICES, ("get", "create"), "call services", "proxy"),
    Right(DEPLOYMENTS, ("get", "list"), "say why a service does not start"),
)
"""To serve models, besides those of ``RUN`` on pods and events."""

SETTINGS = (Right(CONFIG_MAPS, ("get",), "read the settings of the namespace"),)
"""To need no setting of one's own."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A right and those of its verbs that one does not have."""

    right: Right
    verbs: tuple[str, ...]

    def __str__(self) -> str:
        """``create, patch on workflows``."""
        return f"{', '.join(self.verbs)} on {self.right.resource}"


def role_manifest(missing: Sequence[Missing], namespace: str, user: str) -> str:
    """A Role with these rights and a RoleBinding to a user, as YAML for ``kubectl apply -f``."""
    place = namespace if _SAFE.fullmatch(namespace) else "NAMESPACE"
    return "\n".join(
        [
            "apiVersion: rbac.authorization.k8s.io/v1",
            "kind: Role",
            f"metadata: {{name: {ROLE}, namespace: {place}}}",
            "rules:",
            *(f"- {rule}" for rule in rules(missing)),
            "---",
            "apiVersion: rbac.authorization.k8s.io/v1",
            "kind: RoleBinding",
            f"metadata: {{name: {ROLE}, namespace: {place}}}",
            f"roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: {ROLE}}}",
            "subjects:",
            f"- {_subject(user)}",
        ]
    )


def rules(missing: Iterable[Missing]) -> list[str]:
    """The rules of a Role, one line each."""
    return [
        f'{{apiGroups: ["{one.right.kind.group}"], resources: [{one.right.resource}], verbs: [{", ".join(one.verbs)}]}}'
        for one in missing
    ]


def pasted(manifest: str) -> str:
    """A command that applies a manifest, to paste into a terminal."""
    return f"kubectl apply -f - <<'EOF'\n{manifest.rstrip()}\nEOF"


def _subject(user: str) -> str:
    """A user or a service account, as a RoleBinding names it."""
    if match := _ACCOUNT.fullmatch(user):
        return f"{{kind: ServiceAccount, name: {match[2]}, namespace: {match[1]}}}"
    quoted = user if user and re.fullmatch(r"[\w.@:/+ -]+", user) else "USER"
    return f'{{kind: User, name: "{quoted}", apiGroup: rbac.authorization.k8s.io}}'

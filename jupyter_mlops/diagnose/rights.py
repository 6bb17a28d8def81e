"""The one right that Argo needs in a namespace: a step's account reports its result as a ``workflowtaskresults`` object.

Without it a step does its work and the run ends in Error all the same. Who may, makes the Role and the RoleBinding as they
stand here; they are also a single fact, so that they can be handed to an administrator.
"""

from __future__ import annotations

import re

from jupyter_mlops.diagnose.cause import Cause
from jupyter_mlops.diagnose.documents import name
from jupyter_mlops.diagnose.owner import Owner

RESOURCE = "workflowtaskresults"
ROLE = "argo-executor"

_FORBIDDEN = re.compile(
    RESOURCE + r"[\w.]*(?: \S{1,300})? is forbidden: User \"system:serviceaccount:([^\":]{1,63}):([^\"]{1,253})\" cannot (\w+)"
)
_WORDS = re.compile(RESOURCE + r".{0,300}(?:is forbidden|cannot (?:create|patch))", re.DOTALL)

MANIFEST = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: {role}, namespace: {namespace}}}
rules:
- {{apiGroups: [argoproj.io], resources: [workflowtaskresults], verbs: [create, patch]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: {role}, namespace: {namespace}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: {role}}}
subjects:
- {{kind: ServiceAccount, name: {account}, namespace: {namespace}}}
"""


def role_manifest(namespace: str, account: str = "default") -> str:
    """The Role and RoleBinding that give a service account the right, as YAML for ``kubectl apply -f``."""
    safe = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
    return MANIFEST.format(
        role=ROLE,
        namespace=namespace if safe.fullmatch(namespace) else "NAMESPACE",
        account=account if safe.fullmatch(account) else "ACCOUNT",
    )


def rights_cause(owner: Owner, said: str, about: str) -> Cause | None:
    """The cause where the step's account lacks the right; None where the text says something else."""
    match = _FORBIDDEN.search(said)
    if match is None and not _WORDS.search(said):
        return None
    namespace, account = (name(match[1]), name(match[2])) if match else (owner.namespace or "NAMESPACE", "default")
    return missing_right(owner, namespace, account, about)


def missing_right(owner: Owner, namespace: str, account: str, *facts: str) -> Cause:
    """The cause for an account of a namespace, with the manifest that mends it as a fact."""
    message = (
        f"{owner.who} did its work, but its account '{account}' may not report the result to Argo in the namespace {namespace}"
    )
    fix = (
        f"Who may give rights there runs `kubectl create role {ROLE} -n {namespace} --verb=create,patch "
        f"--resource={RESOURCE}.argoproj.io` and `kubectl create rolebinding {ROLE} -n {namespace} --role={ROLE} "
        f"--serviceaccount={namespace}:{account}`; then run again."
    )
    return Cause("account-right-missing", message, "platform", fix, (*facts, role_manifest(namespace, account)), final=True)

"""Questions about Argo Workflows: that it is there, that its controller lives, that steps may report to it."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

from jupyter_mlops.cluster.base import DEPLOYMENTS, LEASES, SERVICE_ACCOUNTS, WORKFLOWS, Cluster, Document, Kind
from jupyter_mlops.cluster.base import Question as Access
from jupyter_mlops.diagnose.rights import role_manifest
from jupyter_mlops.engine.times import moment
from jupyter_mlops.errors import NotAllowed, NotFound
from jupyter_mlops.targets.check import Finding, Question, Scene
from jupyter_mlops.targets.rights import TASK_RESULTS, pasted

GROUP = "argoproj.io"
CONTROLLER = "workflow-controller"
SILENT = 60.0
"""Seconds without a sign of life after which a controller counts as gone; it renews its lease every few seconds."""

FULL_SINCE = "4.0"
_TAG = re.compile(r":v?(\d+\.\d+\.\d+)")
INSTALL = (
    "Ask the administrator to install Argo Workflows 3.6 or newer: kubectl create namespace argo; "
    "kubectl apply --server-side -n argo -f https://github.com/argoproj/argo-workflows/releases/latest/download/install.yaml"
)


def there(on: Scene) -> Finding:
    """The kinds are there; which version, as far as it can be known."""
    if WORKFLOWS.plural not in on.cluster.kinds(GROUP):
        return Finding("fail", "this cluster has no Argo Workflows", INSTALL)
    full = on.cluster.has_field(WORKFLOWS, "spec.entrypoint")
    version = next((found[1] for found in (_TAG.search(image) for image in _images(on.cluster)) if found), "")
    if full:
        return Finding(
            "ok", f"version {version or f'{FULL_SINCE} or newer'}, with full definitions: mistakes are told before a run"
        )
    named = f"version {version}, " if version else ""
    return Finding("ok", f"{named}with minimal definitions: mistakes in a Workflow are told by the run")


def controller(on: Scene) -> Finding:
    """Something acts on Workflows: by its lease, its deployment, or what happened to Workflows here."""
    now = time.time()
    for lease in _listed(on.cluster, LEASES, f"metadata.name={CONTROLLER}"):
        spec = lease.get("spec") or {}
        renewed = moment(spec.get("renewTime"))
        if spec.get("holderIdentity") and renewed:
            age = now - renewed
            if age < SILENT:
                return Finding("ok", "it holds its lease")
            return _dead(f"its lease was last renewed {age:.0f} s ago")
    for deployment in _listed(on.cluster, DEPLOYMENTS, f"metadata.name={CONTROLLER}"):
        ready = int((deployment.get("status") or {}).get("readyReplicas") or 0)
        return Finding("ok", f"{ready} running") if ready else _dead("its deployment has no running pod")
    return _by_workflows(on.cluster.list(WORKFLOWS, on.target.namespace, limit=50).items, now)


def _by_workflows(workflows: Sequence[Document], now: float) -> Finding:
    """A Workflow that nobody looked at for long shows that there is no controller; one that was looked at, that there was one."""
    waiting = [one for one in workflows if not (one.get("status") or {}).get("phase")]
    silent = [one for one in waiting if now - (moment(one["metadata"].get("creationTimestamp")) or now) > SILENT]
    if silent:
        return _dead(f"the Workflow {silent[0]['metadata']['name']} was not looked at for a minute")
    if len(workflows) > len(waiting):
        return Finding("ok", "it has acted on Workflows of this namespace")
    return Finding("skip", "it may not be looked at, and there is no Workflow here that shows whether it runs")


def _dead(why: str) -> Finding:
    return Finding(
        "fail", f"Argo's controller does not run: {why}", f"Ask the administrator to look at the deployment {CONTROLLER}."
    )


def reports(on: Scene) -> Finding:
    """The service account of steps may write its results, without which every run ends in Error."""
    account = on.target.service_account or "default"
    namespace = on.target.namespace
    try:
        on.cluster.get(SERVICE_ACCOUNTS, account, namespace)
    except NotFound:
        return Finding(
            "fail",
            f"there is no service account {account} in {namespace}",
            f"kubectl -n {namespace} create serviceaccount {account}",
        )
    except NotAllowed:
        pass  # whether it may report can be asked all the same
    who = f"system:serviceaccount:{namespace}:{account}"
    answers = on.cluster.ask([Access(verb, TASK_RESULTS, namespace, account=who) for verb in ("create", "patch")])
    if any(not answer.known for answer in answers):
        return Finding("skip", f"whether {account} may report results may not be asked; the first run shows it")
    if all(answer.allowed for answer in answers):
        return Finding("ok", f"{account} may report results")
    return Finding(
        "fail",
        f"the service account {account} of steps may not write {TASK_RESULTS.plural} in {namespace}: every run would end in Error",
        f"Ask the administrator to apply:\n{pasted(role_manifest(namespace, account))}",
    )


def _images(cluster: Cluster) -> list[str]:
    """Images of controllers, where deployments may be listed."""
    found = []
    for deployment in _listed(cluster, DEPLOYMENTS, f"metadata.name={CONTROLLER}"):
        containers = (((deployment.get("spec") or {}).get("template") or {}).get("spec") or {}).get("containers") or ()
        found += [str(container.get("image") or "") for container in containers]
    return found


def _listed(cluster: Cluster, kind: Kind, fields: str) -> Sequence[Document]:
    """Objects of all namespaces; none where that is forbidden."""
    try:
        return cluster.list(kind, "", fields=fields).items
    except (NotAllowed, NotFound):
        return ()


QUESTIONS = (
    Question("TA01", "Argo Workflows", there),
    Question("TA02", "Argo's controller", controller),
    Question("TA03", "results of steps", reports),
)

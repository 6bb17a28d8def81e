"""Gathers what is known of a run besides its Workflow: pods, their warnings, what they tell, their reports, the controller.

What may not be read (events, a lease in another namespace) is left out: the run is shown all the same.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from jupyter_mlops.cluster.base import EVENTS, LEASES, PODS, Cluster
from jupyter_mlops.engine.argo.nodes import unpack
from jupyter_mlops.engine.argo.pods import RUN, Pod, has_log, node_of_pod, pod_name, run_of_pod, steps_of_nodes
from jupyter_mlops.engine.argo.reports import Reports
from jupyter_mlops.engine.argo.stage import FINISHED
from jupyter_mlops.engine.argo.telling import Tellings
from jupyter_mlops.engine.argo.view import Scene, told_of_pods
from jupyter_mlops.engine.base import DONE
from jupyter_mlops.engine.decode import run_of
from jupyter_mlops.engine.times import moment
from jupyter_mlops.errors import MlopsError

CONTROLLER_NAMESPACE, CONTROLLER_LEASE = "argo", "workflow-controller"
"""Where Argo's controller renews its lease in most installations. One of a team is in the team's own namespace."""

INSTANCE = "workflows.argoproj.io/controller-instanceid"
"""Label of a Workflow that is for one of several controllers, whose lease has this in its name."""

LEASE_FRESH = 15.0
"""Seconds for which the lease is not read again."""


class Looking:
    """Looks at the runs of a namespace."""

    def __init__(self, cluster: Cluster, namespace: str, tellings: Tellings, reports: Reports) -> None:
        self._cluster, self._namespace, self._tellings, self._reports = cluster, namespace, tellings, reports
        self._leases: dict[str, tuple[float, float | None]] = {}

    def scene(self, document: Mapping[str, Any], wait: float) -> Scene:
        """All that can be known of one run; reports are waited for ``wait`` seconds."""
        name = str(document["metadata"]["name"])
        pods = self.pods(name)
        events = self._warnings(name, pods, document)
        for pod in _unheard(document, pods):
            self._tellings.read(pod)
        scene = Scene(document, pods, events, told_of_pods(pods, self._tellings.known()))
        self.complete(scene, wait)
        return scene

    def scenes(self, documents: Sequence[Mapping[str, Any]]) -> list[Scene]:
        """What can be known of many runs with two requests: those that go on with their pods, and warnings where one waits."""
        pods, events = self._of_all([str(one["metadata"]["name"]) for one in documents if run_of(one).phase not in DONE])
        told, found = self._tellings.known(), []
        for document in documents:
            name = str(document["metadata"]["name"])
            own = [pod for pod in pods if run_of_pod(pod) == name]
            about = {name, *map(pod_name, own)}
            warnings = [event for event in events if str((event.get("involvedObject") or {}).get("name") or "") in about]
            found.append(Scene(document, own, warnings, told_of_pods(own, told), now=time.time()))
        return found

    def complete(self, scene: Scene, wait: float) -> None:
        """Add the time, what is known of the controller, and the reports of the steps that are over."""
        scene.now = time.time()
        scene.controller_seen = self._controller_seen(scene.workflow)
        workflow, _ = unpack(scene.workflow)
        repository = bundle_of(workflow).partition("@")[0]
        if repository:
            run = run_of(workflow)
            over = [step.name for step in run.steps if step.phase in DONE and step.phase != "Skipped"]
            scene.reports = self._reports.of_finished([(repository, run.name, step) for step in over], wait)

    def pods(self, name: str) -> Sequence[Pod]:
        """A run's pods; none where they may not be read."""
        with suppress(MlopsError):
            return self._cluster.list(PODS, self._namespace, labels=f"{RUN}={name}").items
        return ()

    def _warnings(self, name: str, pods: Sequence[Pod], document: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """Events about a run, while nothing has come of it, and about those of its pods that have not begun."""
        phase = (document.get("status") or {}).get("phase")
        about = [pod_name(pod) for pod in pods if not has_log(pod)] + ([name] if phase in {None, "", "Pending", "Error"} else [])
        found: list[Mapping[str, Any]] = []
        for one in about:
            with suppress(MlopsError):
                found += self._cluster.events(one, self._namespace)
        return found

    def _of_all(self, names: Sequence[str]) -> tuple[Sequence[Pod], Sequence[Mapping[str, Any]]]:
        """Pods of these runs, and warnings of the namespace where one of them has not begun."""
        if names:
            with suppress(MlopsError):
                pods = self._cluster.list(PODS, self._namespace, labels=f"{RUN} in ({','.join(names)})").items
                with suppress(MlopsError):
                    if not all(has_log(pod) for pod in pods):
                        return pods, self._cluster.list(EVENTS, self._namespace, fields="type!=Normal").items
                return pods, ()
        return (), ()

    def _controller_seen(self, document: Mapping[str, Any]) -> float | None:
        """When Argo's controller last renewed its lease, where that can be known."""
        if (document.get("status") or {}).get("phase") in FINISHED:
            return None
        instance = str(((document.get("metadata") or {}).get("labels") or {}).get(INSTANCE) or "")
        name = f"{CONTROLLER_LEASE}-{instance}" if instance else CONTROLLER_LEASE
        asked, seen = self._leases.get(name, (-math.inf, None))
        if time.monotonic() - asked > LEASE_FRESH:
            seen = self._renewed(name, CONTROLLER_NAMESPACE) or self._renewed(name, self._namespace)
            self._leases[name] = (time.monotonic(), seen)
        return seen

    def _renewed(self, lease: str, namespace: str) -> float | None:
        """When a lease was renewed last; None where there is none, or none that may be read."""
        with suppress(MlopsError):
            return moment((self._cluster.get(LEASES, lease, namespace).get("spec") or {}).get("renewTime"))
        return None


def bundle_of(workflow: Mapping[str, Any]) -> str:
    """``<repository>@sha256:…`` of the run's bundle; '' for a Workflow of somebody else."""
    for parameter in ((workflow.get("spec") or {}).get("arguments") or {}).get("parameters") or ():
        if parameter.get("name") == "mlops-bundle":
            return str(parameter.get("value") or "")
    return ""


def _unheard(document: Mapping[str, Any], pods: Sequence[Pod]) -> Sequence[Pod]:
    """Pods whose logs have what no report has: those that run or failed, and all of a run without a registry."""
    workflow, _ = unpack(document)
    steps, phases = steps_of_nodes(workflow), {step.name: step.phase for step in run_of(workflow).steps}
    heard = {node for node, step in steps.items() if bundle_of(workflow) and phases.get(step) == "Succeeded"}
    return [pod for pod in pods if node_of_pod(pod) not in heard]

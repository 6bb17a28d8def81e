"""A cluster in memory with KServe's manager and kubelet played by the test."""

from __future__ import annotations

from dataclasses import dataclass, field

from jupyter_mlops.cluster.base import DEPLOYMENTS, INFERENCE_SERVICES, NODES, PODS, Reply
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.modelpack import publish_model
from jupyter_mlops.registry.models import Models
from jupyter_mlops.serving.kserve.backend import KServeBackend
from jupyter_mlops.serving.kserve.predictor import REVISION
from jupyter_mlops.serving.kserve.scene import SERVICE_LABEL
from jupyter_mlops.settings import Settings, Target
from jupyter_mlops.testing.cluster import FakeCluster
from tests.unit.serving.support import python_model

REGISTRY = "https://r.example"


def double(rows):
    return [2 * row for row in rows]


@dataclass
class Lab:
    """One namespace, one registry, one backend."""

    store: Layout
    scratch: object
    cluster: FakeCluster = field(default_factory=FakeCluster)

    def __post_init__(self):
        self.cluster.behaviour.fields["inferenceservices"] = frozenset({"spec.canary"})
        self.cluster.put(
            NODES, {"metadata": {"name": "n"}, "status": {"nodeInfo": {"containerRuntimeVersion": "containerd://2.2.9"}}}
        )

    @property
    def backend(self):
        return KServeBackend(Settings(), self.cluster, Target(name="team", namespace="ml", registry=REGISTRY), self.store)

    def publish(self, name="double"):
        publish_model(
            self.store, name, python_model(self.scratch / name, double, name=name), key=f"r/s/{name}", annotations={}, metrics={}
        )
        return Models(self.store).find(name)

    def deployed(self, name="double", **options):
        """Apply it; nobody has looked at it yet."""
        return self.backend.apply(self.backend.prepare(self.publish(name), name=name, **options))

    # -- what others do ------------------------------------------------------------------------------------------------------

    def document(self, name="double"):
        return self.cluster.get(INFERENCE_SERVICES, name, "ml")

    def revision(self, name="double"):
        return self.document(name)["metadata"]["annotations"].get(REVISION, "")

    def deployment(self, name="double", *, revision=None, replicas=1, updated=1, available=0, **status):
        """KServe's manager made or changed the Deployment."""
        self.cluster.put(
            DEPLOYMENTS,
            {
                "metadata": {"name": f"{name}-predictor", "labels": {SERVICE_LABEL: name}, "generation": 1},
                "spec": {"replicas": 1, "template": {"metadata": {"annotations": {REVISION: revision or self.revision(name)}}}},
                "status": {
                    "observedGeneration": 99,
                    "replicas": replicas,
                    "updatedReplicas": updated,
                    "availableReplicas": available,
                    **status,
                },
            },
        )

    def pod(self, pod, name="double", *, revision=None, ready=False, containers=(), init=(), **metadata):
        """Kubelet says how a pod is."""
        self.cluster.put(
            PODS,
            {
                "metadata": {
                    "name": pod, "labels": {SERVICE_LABEL: name}, "annotations": {REVISION: revision or self.revision(name)}, **metadata,
                },
                "spec": {
                    "containers": [{"name": each["name"]} for each in containers] or [{"name": "kserve-container"}],
                    "initContainers": [{"name": each["name"]} for each in init],
                },
                "status": {
                    "phase": "Running",
                    "conditions": [{"type": "Ready", "status": str(ready)}],
                    "containerStatuses": list(containers),
                    "initContainerStatuses": list(init),
                },
            },
        )  # fmt: skip

    def status(self, name="double", *, ready="False", **status):
        """KServe's manager wrote the status."""
        conditions = [{"type": kind, "status": ready} for kind in ("IngressReady", "PredictorReady", "Ready")]
        self.cluster.put(INFERENCE_SERVICES, {"metadata": {"name": name}, "status": {"conditions": conditions, **status}})

    def becomes_ready(self, name="double"):
        self.deployment(name, available=1)
        self.pod(f"{name}-1", name, ready=True, containers=[running()])
        self.status(name, ready="True", address={"url": f"http://{name}-predictor.ml.svc.cluster.local"})

    def answers(self, reply, name="double"):
        """The Service answers so: a Reply, or a function of what was asked."""
        self.cluster.serve(f"{name}-predictor", 80, reply if callable(reply) else lambda _asked: reply)


def running(name="kserve-container", restarts=0, last=None):
    return {
        "name": name,
        "restartCount": restarts,
        "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
        "lastState": last or {},
    }


def waiting(reason, message, name="kserve-container", restarts=0, last=None):
    return {
        "name": name,
        "restartCount": restarts,
        "state": {"waiting": {"reason": reason, "message": message}},
        "lastState": last or {},
    }


def ended(code, message="", name="kserve-container", reason="Error"):
    return {"terminated": {"exitCode": code, "reason": reason, "message": message, "containerID": "containerd://x"}}


def refused(message, code=503):
    """What the API server itself says."""
    import json

    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}
    return Reply(code, json.dumps(body).encode(), {"Content-Type": "application/json"})

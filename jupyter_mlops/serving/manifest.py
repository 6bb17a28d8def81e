"""The InferenceService that serves a registered model: one document for this machine and for KServe.

Always by digest, always with the protocol and the deployment mode said (KServe's own defaults differ between versions and
fail silently), and with the settings that make a crash visible in the status (``reference`` of each: KServe's
``v1beta1`` API and its ``PropagateModelStatus``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jupyter_mlops.errors import Where, WrongUsage
from jupyter_mlops.oci.names import LABEL
from jupyter_mlops.settings import LOCAL_REGISTRY, Target

if TYPE_CHECKING:
    from jupyter_mlops.formats.gate import Rule
    from jupyter_mlops.registry.models import ModelVersion

API_VERSION = "serving.kserve.io/v1beta1"
KIND = "InferenceService"
MODEL_REF = LABEL + "model-ref"
MODEL_TAG = LABEL + "model-tag"
PORT = LABEL + "port"
"""Port on this machine, when a person chose one; a cluster does not read it."""

STOP = "serving.kserve.io/stop"
RUNTIME = "jupyter-mlops-server"
FORMAT = "mlops-python"

NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
"""KServe's own rule for the name of an InferenceService."""

LABEL_LENGTH = 63
"""Characters of a DNS label; ``NAME-predictor`` and ``NAME-NAMESPACE`` become host names."""

PORTS = range(1, 65536)

MANAGED = "app.kubernetes.io/managed-by"
OURS = "jupyter-mlops"


def inference_service(
    version: ModelVersion,
    *,
    name: str | None,
    namespace: str,
    port: int | None = None,
    target: Target | None = None,
    mode: str = "",
    reason: str = "",
    image: str = "",
    gpu: int = 0,
    resources: Mapping[str, str] | None = None,
    env: Mapping[str, str] | None = None,
    secrets: Sequence[Mapping[str, str]] = (),
    runtime: str = "",
    rule: Rule = "listed",
) -> dict[str, Any]:
    """The document that serves one model version.

    Args:
        version: the registered version; its digest is what is served, whatever happens to tags later.
        name: name of the service, the model's own where it is None.
        namespace: Kubernetes namespace, or folder on this machine.
        port: fixed port on this machine; any free one where it is None.
        target: where it runs; None is this machine. What follows is for clusters alone.
        mode: how the model gets into the pod (``kserve.modes``); '' is our own puller, which works everywhere.
        reason: why this mode, for people.
        image: that serves; '' is the one the model was trained in.
        gpu: number of GPUs.
        resources: ``cpu``, ``memory`` and others, requested and allowed alike.
        env: variables of the server.
        secrets: variables from Secrets: ``{"env", "secret", "key"}`` each.
        runtime: one of the cluster's own runtimes instead of our server.
        rule: what loading the model may run.

    Raises:
        NotAllowed: code ``pickle-refused``: the model may run code, and the runtime would not ask.
        WrongUsage: name, namespace, port or option cannot be used; the fix says what can.
    """
    chosen = service_name(version.name, namespace) if name is None else name
    check_name(chosen, namespace)
    if target is None or target.local:
        return _local_document(version, chosen, namespace, port)
    from jupyter_mlops.serving.kserve.document import cluster_document

    options: dict[str, Any] = {"image": image, "gpu": gpu, "resources": resources, "env": env, "secrets": secrets}
    return cluster_document(
        version, name=chosen, namespace=namespace, target=target, mode=mode, reason=reason, runtime=runtime, rule=rule, **options
    )


def _local_document(version: ModelVersion, name: str, namespace: str, port: int | None) -> dict[str, Any]:
    annotations = annotations_of(version)
    if port is not None:
        if port not in PORTS:
            raise WrongUsage(
                f"{port} is not a port", fix="Give a number from 1 to 65535, or none for any free one.", where=Where(field="port")
            )
        annotations[PORT] = str(port)
    model = {
        "modelFormat": {"name": FORMAT},
        "protocolVersion": "v2",
        "runtime": RUNTIME,
        "storageUri": f"oci+fetch://{LOCAL_REGISTRY}/models/{version.name}@{version.digest}",
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "readinessProbe": {"httpGet": {"path": "/v2/health/ready", "port": 8080}, "periodSeconds": 5},
    }
    return document_of(name, namespace, annotations, {"minReplicas": 1, "maxReplicas": 1, "timeout": 60, "model": model})


def annotations_of(version: ModelVersion | None) -> dict[str, str]:
    """What every document of ours says: the mode of deployment, and the model where it is a registered one."""
    annotations = {"serving.kserve.io/deploymentMode": "Standard", "serving.kserve.io/autoscalerClass": "none"}
    if version is not None:
        annotations |= {MODEL_REF: f"models/{version.name}@{version.digest}", MODEL_TAG: version.tag}
    return annotations


def document_of(name: str, namespace: str, annotations: dict[str, str], predictor: Mapping[str, Any]) -> dict[str, Any]:
    """An InferenceService of ours around a predictor."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name, "namespace": namespace, "labels": {MANAGED: OURS}, "annotations": annotations},
        "spec": {"predictor": dict(predictor)},
    }


def service_name(model: str, namespace: str) -> str:
    """A valid service name for a model whose name may hold what a host name may not (``_``, ``.``, ``/``, a leading digit)."""
    if NAME.fullmatch(model) and len(model) <= longest(namespace):
        return model
    name = re.sub(r"[^a-z0-9]+", "-", model.lower()).strip("-")
    name = name if name[:1].isalpha() else f"m-{name}"
    return name[: longest(namespace)].rstrip("-")


def longest(namespace: str) -> int:
    """Characters that a service name may have in this namespace."""
    return LABEL_LENGTH - max(len("-predictor"), len(namespace) + 1)


def check_name(name: str, namespace: str) -> None:
    """Name and namespace follow KServe's rules. Raises WrongUsage."""
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,40}[a-z0-9])?", namespace):
        raise WrongUsage(
            f"'{namespace}' is not a namespace",
            fix="Use small letters, digits and '-', at most 42 characters.",
            where=Where(field="namespace"),
        )
    if not NAME.fullmatch(name):
        suggested = service_name(name, namespace)
        raise WrongUsage(
            f"'{name}' is not a service name",
            fix=f"Use small letters, digits and '-', starting with a letter: '{suggested}' would do.",
            where=Where(field="name"),
        )
    if len(name) > longest(namespace):
        raise WrongUsage(
            f"service name '{name}' has {len(name)} characters",
            fix=f"Use at most {longest(namespace)} in namespace '{namespace}': it becomes part of a host name.",
            where=Where(field="name"),
        )

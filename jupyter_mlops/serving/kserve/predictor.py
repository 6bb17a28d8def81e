"""The predictor of a service on a cluster: our model server in the image that the model was trained in.

A ``containers:`` predictor rather than a ServingRuntime of ours: tenants of a namespace may make InferenceServices but often
no ServingRuntimes; the whole of a service stands in its own document, so that nothing that is upgraded or deleted elsewhere
changes it; and our puller needs an init container, for which a ``model:`` predictor has no place (without a ``storageUri`` it
even gets KServe's agent beside it). KServe brings the model in for such a predictor too, by the variable ``STORAGE_URI``.

The registry's credentials are mounted in the init container alone: the one that runs the model's own code never sees them.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jupyter_mlops.errors import Where, WrongUsage
from jupyter_mlops.formats.gate import Rule
from jupyter_mlops.oci.names import LABEL
from jupyter_mlops.serving.kserve.bundle import START, server_bundle
from jupyter_mlops.serving.kserve.modes import PULLER
from jupyter_mlops.settings import DEFAULT_IMAGE, Target
from jupyter_mlops.workflow.bootstrap import bootstrap_text

if TYPE_CHECKING:
    from jupyter_mlops.registry.models import ModelVersion

MOUNT, AUTH, CERTIFICATES = "/mlops", "/mlops-auth", "/mlops-ca"
PULLED, GIVEN = "/mlops/model", "/mnt/models"
"""Where the model is: fetched by our init container, or put there by KServe."""

CONTAINER, FETCHER = "kserve-container", "mlops-fetch"
STORAGE_URI = "STORAGE_URI"
PORT = 8080
USER = 1000
"""As in a step: a number, since ``runAsNonRoot`` is checked against one, and images name root or nobody."""

REVISION = LABEL + "revision"
MODE, REASON, REFUSED = LABEL + "mode", LABEL + "mode-reason", LABEL + "mode-refused"
GPU = "nvidia.com/gpu"
MEBI = 1 << 20
GRACE = 20
"""Seconds for requests in flight; with the pause before SIGTERM it stays below the 30 that kubelet waits."""

PAUSE = 3
"""Seconds between leaving the Service and SIGTERM: nodes take about one to send no more calls here."""

RESERVED = frozenset({"PYTHONPATH", STORAGE_URI, "PROTOCOL"})
"""The first is refused by KServe's webhook, the others are how KServe is told what to do."""

_LISTENING = ("--host", "", "--port", str(PORT), "--grace", str(GRACE))
SAFE = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def predictor(
    version: ModelVersion,
    *,
    name: str,
    target: Target,
    image: str = "",
    gpu: int = 0,
    gpu_resource: str = GPU,
    resources: Mapping[str, str] | None = None,
    env: Mapping[str, str] | None = None,
    secrets: Sequence[Mapping[str, str]] = (),
    rule: Rule = "listed",
) -> dict[str, Any]:
    """``spec.predictor`` for our own server, by our own puller; ``in_mode`` makes another mode of it.

    Args:
        version: what is served.
        name: by which callers know the model: that of the service.
        target: where.
        image: with Python ≥ 3.10 and the model's packages; '' is the one that the model was trained in.
        gpu: number of them.
        gpu_resource: the device plugin's name for them.
        resources: ``cpu``, ``memory`` and others, requested and allowed alike.
        env: variables of the server.
        secrets: ``{"env", "secret", "key"}`` each: a variable from a key of a Secret.
        rule: what loading the model may run.

    Raises:
        WrongUsage: a variable that the platform keeps for itself.
    """
    chosen = target.mirrored(image or image_of(version, target))
    spec: dict[str, Any] = {
        "minReplicas": 1,
        "maxReplicas": 1,
        "timeout": 60,
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "initContainers": [_fetcher(chosen, target, version)],
        "containers": [
            _server(version, name, chosen, rule, _resources(version, resources, gpu, gpu_resource), variables(env, secrets))
        ],
        "volumes": [{"name": "mlops", "emptyDir": {}}, *_registry_volumes(target)],
    }
    if target.pull_secret:
        spec["imagePullSecrets"] = [{"name": target.pull_secret}]
    return spec | (for_gpus(gpu_resource) if gpu else {})


def for_gpus(resource: str) -> dict[str, Any]:
    """What a predictor with GPUs needs besides asking for them: a rolling update would wait for ever for a second GPU."""
    tolerations = [{"key": resource, "operator": "Exists", "effect": "NoSchedule"}]
    return {"deploymentStrategy": {"type": "Recreate"}, "tolerations": tolerations}


def in_mode(document: Mapping[str, Any], mode: str, reason: str = "", *, refused: str = "") -> dict[str, Any]:
    """The same document with the model brought in another way; the revision is that of the new one.

    Args:
        document: as ``inference_service`` makes it, in any mode.
        mode: one of ``modes.MODES``.
        reason: in words, for people.
        refused: a mode that was tried before and did not work; it is not tried again in this namespace.
    """
    changed = deepcopy(dict(document))
    notes = changed["metadata"]["annotations"]
    notes[MODE] = mode
    notes |= ({REASON: reason} if reason else {}) | ({REFUSED: refused} if refused else {})
    spec = changed["spec"]["predictor"]
    server, fetcher = spec["containers"][0], spec["initContainers"][0]
    server["env"] = [item for item in server["env"] if item["name"] != STORAGE_URI]
    server["args"][0] = PULLED if mode == PULLER else GIVEN
    fetcher["args"] = fetcher["args"][:4]
    if mode == PULLER:
        fetcher["args"] += ["--model", repository_of(changed), "--into", PULLED]
    else:
        server["env"].append({"name": STORAGE_URI, "value": f"{mode}://{image_reference(changed)}"})
    return stamped(changed)


def stamped(document: dict[str, Any]) -> dict[str, Any]:
    """With a revision: the digest of what is asked for, by which pods show whether they are of this document."""
    text = json.dumps(document["spec"], sort_keys=True)
    document["metadata"]["annotations"][REVISION] = hashlib.sha256(text.encode()).hexdigest()[:12]
    return document


def repository_of(document: Mapping[str, Any]) -> str:
    """``models/churn@sha256:…``."""
    return str(document["metadata"]["annotations"][LABEL + "model-ref"])


def image_reference(document: Mapping[str, Any]) -> str:
    """``host[:port][/base]/models/churn@sha256:…``: the model's image as a node pulls it."""
    fetcher = document["spec"]["predictor"]["initContainers"][0]
    return f"{host_of(fetcher['args'][1])}/{repository_of(document)}"


def host_of(registry: str) -> str:
    """An address without its scheme, as image references begin."""
    parts = urlsplit(registry)
    return parts.netloc + parts.path.rstrip("/")


def image_of(version: ModelVersion, target: Target) -> str:
    """The image the model was trained in, else the target's, else Python's own of the model's minor."""
    if trained := str(version.card.get("image") or ""):
        return trained
    minor = ".".join(str(version.card.get("python") or "3.11").split(".")[:2])
    return target.image or DEFAULT_IMAGE.format(minor=minor)


def variables(env: Mapping[str, str] | None, secrets: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """``env`` of a container: values, and references to keys of Secrets. Raises WrongUsage for one that KServe keeps for itself."""
    found: list[dict[str, Any]] = [{"name": key, "value": str(value)} for key, value in (env or {}).items()]
    found += [
        {"name": each["env"], "valueFrom": {"secretKeyRef": {"name": each["secret"], "key": each["key"]}}} for each in secrets
    ]
    for item in found:
        if item["name"] in RESERVED:
            raise WrongUsage(
                f"the variable {item['name']} cannot be set for a service",
                fix="KServe keeps it for itself: use another name.",
                where=Where(field=str(item["name"])),
            )
    return found


def _fetcher(image: str, target: Target, version: ModelVersion) -> dict[str, Any]:
    """The init container: bundle, and in our own mode the model, into the volume that the server shares."""
    env = [{"name": "HOME", "value": MOUNT}]
    mounts: list[dict[str, Any]] = [{"name": "mlops", "mountPath": MOUNT}]
    if target.pull_secret:
        env.append({"name": "DOCKER_CONFIG", "value": AUTH})
        mounts.append({"name": "registry-auth", "mountPath": AUTH, "readOnly": True})
    if target.ca:
        env.append({"name": "SSL_CERT_FILE", "value": f"{CERTIFICATES}/ca.crt"})
        mounts.append({"name": "registry-ca", "mountPath": CERTIFICATES, "readOnly": True})
    return {
        "name": FETCHER,
        "image": image,
        "command": ["python3", "-c", bootstrap_text()],
        "args": [
            "--registry",
            target.registry,
            "--bundle",
            server_bundle().reference,
            "--model",
            version.reference,
            "--into",
            PULLED,
        ],
        "env": env,
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}},
        "securityContext": dict(SAFE),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": mounts,
    }


def _server(
    version: ModelVersion, name: str, image: str, rule: Rule, resources: Mapping[str, Any], env: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """The model server: it starts from the shared volume and speaks to no registry."""
    folder = f"{MOUNT}/cache/bundles/{server_bundle().digest.partition(':')[2]}"
    ready = {"path": f"/v2/models/{name}/ready", "port": PORT}
    return {
        "name": CONTAINER,
        "image": image,
        "command": ["python3", f"{folder}/{START}"],
        "args": [PULLED, "--name", name, "--version", version.tag, *_LISTENING, "--pickles", rule],
        "workingDir": MOUNT,
        "env": [{"name": "HOME", "value": MOUNT}, {"name": "PROTOCOL", "value": "v2"}, *env],
        "ports": [{"containerPort": PORT, "protocol": "TCP"}],
        "readinessProbe": {"httpGet": ready, "periodSeconds": 2, "timeoutSeconds": 5, "failureThreshold": 3},
        "lifecycle": {"preStop": {"exec": {"command": ["python3", "-c", f"import time; time.sleep({PAUSE})"]}}},
        "resources": dict(resources),
        "securityContext": dict(SAFE),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": "mlops", "mountPath": MOUNT}],
    }


def _resources(version: ModelVersion, asked: Mapping[str, str] | None, gpu: int, gpu_resource: str) -> dict[str, dict[str, str]]:
    """Requests and limits. Memory grows with the model, which is read whole and may stand in memory twice while it is loaded."""
    need = math.ceil(2 * version.bytes / MEBI)
    requests = {"cpu": "100m", "memory": _memory(256 + need)}
    limits = {"cpu": "1", "memory": _memory(max(2048, 1024 + 2 * need))}
    for name, quantity in (asked or {}).items():
        requests[name] = limits[name] = str(quantity)
    if gpu:
        requests[gpu_resource] = limits[gpu_resource] = str(gpu)
    return {"requests": requests, "limits": limits}


def _memory(mebi: int) -> str:
    """A quantity as Kubernetes itself writes it, so that what comes back is what was sent."""
    return f"{mebi}Mi" if mebi % 1024 else f"{mebi // 1024}Gi"


def _registry_volumes(target: Target) -> list[dict[str, Any]]:
    volumes: list[dict[str, Any]] = []
    if target.pull_secret:
        items = [{"key": ".dockerconfigjson", "path": "config.json"}]
        volumes.append({"name": "registry-auth", "secret": {"secretName": target.pull_secret, "items": items}})
    if target.ca:
        volumes.append({"name": "registry-ca", "configMap": {"name": target.ca}})
    return volumes

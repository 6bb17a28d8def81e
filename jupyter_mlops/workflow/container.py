"""The container template of a step: what its options ask for, in Kubernetes' words.

The container is the same for every notebook but for its options: a bootstrap, its arguments, one emptyDir for what the runner
keeps (cache, outputs, home) and one that is the working folder. Nothing here knows what a step runs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from jupyter_mlops.pipeline.options import set_options
from jupyter_mlops.pipeline.pipeline import Options
from jupyter_mlops.settings import Target
from jupyter_mlops.workflow.place import NOWHERE, QUEUE, mounts_of, variables_of

MOUNT = "/mlops"
WORK = "/mlops/work"
"""The working folder is a volume of its own: Kubernetes makes a missing ``workingDir`` as root, and steps are not root."""

LONGEST = 7 * 86_400
"""Seconds after which a step without a ``timeout`` is given up. Time that a pod waits for an image or a node counts too: this is
the net under a run that nobody looks at, and no pod holds a GPU for ever for an image that does not exist."""

IMAGE = "{{workflow.parameters.mlops-image}}"


ELSEWHERE = frozenset({"outputs", "each", "when", "finally", "cache", "file_limit", "file_ignore"})
"""Options that a container knows nothing of: they stand in the bundle's plan, or in the DAG."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a step is handed beside its state, and what it hands on beside its own, for control flow."""

    inputs: tuple[str, ...] = ()
    """Of ``after``, ``item``, ``outcome``, ``join``, ``lane``: each an input and an argument of that name."""

    outputs: tuple[str, ...] = ()
    """Of ``items``, ``go``: what the next step asked, as JSON."""


PLAIN = Shape()


def template_key(options: Options, parameters: Sequence[str], shape: Shape = PLAIN) -> str:
    """Equal for steps that can share a template."""
    asked = {name: value for name, value in set_options(options).items() if name not in ELSEWHERE}
    return json.dumps([asked, list(parameters), asdict(shape)], sort_keys=True)


def container_template(
    name: str, options: Options, parameters: Sequence[str], bootstrap: str, target: Target = NOWHERE, shape: Shape = PLAIN
) -> dict[str, Any]:
    """The template of steps with these options that are given these parameters."""
    inputs = [{"name": given} for given in ("step", "state", *shape.inputs)]
    template: dict[str, Any] = {"name": name, "inputs": {"parameters": inputs}}
    if options.queue:
        template["metadata"] = {"labels": {QUEUE: options.queue}}
    if options.node_selector:
        template["nodeSelector"] = dict(options.node_selector)
    if options.tolerations:
        template["tolerations"] = [dict(item) for item in options.tolerations]
    template["timeout"] = f"{options.timeout or LONGEST}s"
    if options.retries:
        template["retryStrategy"] = {"limit": str(options.retries), "retryPolicy": "Always"}
    template["container"] = _container(options, parameters, bootstrap, target, shape)
    volumes = _volumes(options)
    if volumes:
        template["volumes"] = volumes
    outputs = [_output("state", ""), _output("cached", "false"), *(_output(told, UNTOLD[told]) for told in shape.outputs)]
    template["outputs"] = {"parameters": outputs}
    return template


UNTOLD = {"items": "[]", "go": "false"}
"""What stands for an answer that a step which failed did not give."""


def _volumes(options: Options) -> list[dict[str, Any]]:
    """Volumes of this step alone."""
    found: list[dict[str, Any]] = []
    if options.gpu or options.shm:
        limit = {"sizeLimit": options.shm} if options.shm else {}
        found.append({"name": "shm", "emptyDir": {"medium": "Memory", **limit}})
    for place, volume in enumerate(options.volumes):
        if "claim" in volume:
            read_only = {"readOnly": True} if volume.get("read_only") else {}
            source: dict[str, Any] = {"persistentVolumeClaim": {"claimName": volume["claim"], **read_only}}
        else:
            source = {"emptyDir": {"sizeLimit": volume["size"]} if "size" in volume else {}}
        found.append({"name": f"volume-{place}", **source})
    return found


def _output(name: str, default: str) -> dict[str, Any]:
    """What a step writes to a file; ``cached`` is ``true`` if it took over what an earlier run had reached."""
    return {"name": name, "valueFrom": {"path": f"{MOUNT}/out/{name}", "default": default}}


def _container(options: Options, parameters: Sequence[str], bootstrap: str, target: Target, shape: Shape) -> dict[str, Any]:
    image = target.mirrored(options.image) if options.image else IMAGE
    container: dict[str, Any] = {
        "image": image,
        "command": ["python3", "-c", bootstrap],
        "args": _arguments(parameters, shape),
        "workingDir": WORK,
        "env": _environment(options, image, target),
    }
    resources = _resources(options)
    if resources:
        container["resources"] = resources
    container["securityContext"] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container["volumeMounts"] = [{"name": "mlops", "mountPath": MOUNT}, {"name": "work", "mountPath": WORK}]
    container["volumeMounts"] += mounts_of(target)
    if (
        options.gpu or options.shm
    ):  # data loaders of PyTorch hand batches over in shared memory, of which a container has 64 MiB by default
        container["volumeMounts"].append({"name": "shm", "mountPath": "/dev/shm"})  # noqa: S108 - Linux's shared memory, not a temporary file
    for place, volume in enumerate(options.volumes):
        read_only = {"readOnly": True} if volume.get("read_only") else {}
        container["volumeMounts"].append({"name": f"volume-{place}", "mountPath": volume["mount"], **read_only})
    return container


def _arguments(parameters: Sequence[str], shape: Shape) -> list[str]:
    arguments = [
        "--registry", "{{workflow.parameters.mlops-registry}}",
        "--bundle", "{{workflow.parameters.mlops-bundle}}",
        "--run", "{{workflow.name}}",
        "--step", "{{inputs.parameters.step}}",
        "--state", "{{inputs.parameters.state}}",
        "--out", f"{MOUNT}/out",
        "--resume", "{{workflow.parameters.mlops-resume}}",
    ]  # fmt: skip
    for name in shape.inputs:
        arguments += [f"--{name}", f"{{{{inputs.parameters.{name}}}}}"]
    for name in parameters:
        arguments += ["--param", f"{name}={{{{workflow.parameters.{name}}}}}"]
    return arguments


def _environment(options: Options, image: str, target: Target) -> list[dict[str, Any]]:
    """HOME first, so that a step can set another: a user without a name has ``/`` as home, where it may not write.

    The hash seed is the same in all steps, so that what they serialise is.
    """
    ours = {"HOME": MOUNT, "MLOPS_IMAGE": image, "PYTHONHASHSEED": "0", **variables_of(target)}
    env: dict[str, dict[str, Any]] = {name: {"name": name, "value": value} for name, value in ours.items()}
    env |= {name: {"name": name, "value": value} for name, value in options.env.items()}
    for secret in options.secrets:
        reference = {"name": secret["secret"], "key": secret["key"]}
        env[secret["env"]] = {"name": secret["env"], "valueFrom": {"secretKeyRef": reference}}
    return list(env.values())


def _resources(options: Options) -> dict[str, dict[str, str]]:
    """Requests and limits. Extended resources stand in limits alone, from where Kubernetes takes the request.

    Memory is limited to what was asked for, so that a step that needs more is told so instead of taking its neighbours'; CPU is
    not, since a limit only slows a step down while cores are idle.
    """
    limits: dict[str, str] = {}
    requests: dict[str, str] = {}
    if options.cpu is not None:
        requests["cpu"] = options.cpu
    if options.memory is not None:
        requests["memory"] = limits["memory"] = options.memory
    for name, quantity in options.resources.items():
        limits[name] = quantity
        if name in {"cpu", "memory", "ephemeral-storage"} or name.startswith("hugepages-"):
            requests.setdefault(name, quantity)
    if options.gpu:
        limits[options.gpu_resource] = str(options.gpu)
    return {kind: values for kind, values in (("requests", requests), ("limits", limits)) if values}

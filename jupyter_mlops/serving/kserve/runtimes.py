"""The cluster's own runtimes: which there are for a format, and a predictor that uses one.

A runtime brings packages of its own, which may be older than those that made the model; so ours is the default, and one of
these is only ever asked for by name. Which there are is shown where they may be listed, and said in words where not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyter_mlops.cluster.base import CLUSTER_SERVING_RUNTIMES, SERVING_RUNTIMES, Kind
from jupyter_mlops.errors import NotAllowed, NotFound, Where, WrongUsage
from jupyter_mlops.serving.kserve.predictor import for_gpus, variables

if TYPE_CHECKING:
    from jupyter_mlops.cluster.base import Cluster

PORT = 8080
READY = "/v2/health/ready"


@dataclass(frozen=True, slots=True)
class Runtime:
    """A ServingRuntime or ClusterServingRuntime."""

    name: str
    formats: tuple[str, ...]
    protocols: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    everywhere: bool = False
    """Of the whole cluster, not of the namespace."""


@dataclass(frozen=True, slots=True)
class Runtimes:
    """What there is, and in words what could not be looked at."""

    found: tuple[Runtime, ...]
    unseen: str = ""

    def get(self, name: str) -> Runtime | None:
        """The runtime of this name; None where it is not seen.

        Raises:
            NotFound: code ``runtime-not-found``: all could be looked at, and it is not among them.
        """
        known = next((each for each in self.found if each.name == name), None)
        if known is None and not self.unseen:
            there = ", ".join(sorted(each.name for each in self.found)) or "none"
            raise NotFound(f"this cluster has no runtime '{name}'", code="runtime-not-found", fix=f"There is: {there}.")
        return known


def runtimes(cluster: Cluster, namespace: str, model_format: str = "") -> Runtimes:
    """The runtimes that a namespace can use, for a format where one is given; those that are switched off are left out."""
    found: dict[str, Runtime] = {}
    unseen = []
    for kind in (CLUSTER_SERVING_RUNTIMES, SERVING_RUNTIMES):
        try:
            items = cluster.list(kind, namespace if kind.namespaced else None).items
        except NotAllowed:
            unseen.append(f"{kind.plural} may not be listed")
            continue
        except NotFound:
            continue
        for document in items:
            if not (document.get("spec") or {}).get("disabled"):
                runtime = _runtime(document, kind)
                found[runtime.name] = runtime  # one of the namespace hides one of the cluster
    fitting = [each for each in found.values() if not model_format or model_format in each.formats]
    words = f"{' and '.join(unseen)}: type the runtime's name" if unseen else ""
    return Runtimes(tuple(sorted(fitting, key=lambda each: each.name)), words)


def _runtime(document: Mapping[str, Any], kind: Kind) -> Runtime:
    spec = document.get("spec") or {}
    return Runtime(
        str(document["metadata"]["name"]),
        tuple(dict.fromkeys(str(each.get("name")) for each in spec.get("supportedModelFormats") or ())),
        tuple(spec.get("protocolVersions") or ()),
        tuple(str(each.get("image") or "") for each in spec.get("containers") or ()),
        not kind.namespaced,
    )


def runtime_predictor(
    model_format: str,
    runtime: str,
    uri: str,
    *,
    gpu: int = 0,
    gpu_resource: str = "nvidia.com/gpu",
    resources: Mapping[str, str] | None = None,
    env: Mapping[str, str] | None = None,
    secrets: Sequence[Mapping[str, str]] = (),
    args: Sequence[str] = (),
    protocol: str = "v2",
    version: str = "",
) -> dict[str, Any]:
    """``spec.predictor`` around a runtime of the cluster; ``args`` are added to the runtime's own.

    Raises:
        WrongUsage: a runtime cannot be given this format.
    """
    if model_format in {"", "python", "numpy"}:
        raise WrongUsage(
            f"no runtime of a cluster serves models of the format '{model_format or 'unknown'}'",
            fix="Leave the runtime out: our own server serves it.",
            where=Where(field="runtime"),
        )
    wanted = {key: str(value) for key, value in (resources or {}).items()} | ({gpu_resource: str(gpu)} if gpu else {})
    known: dict[str, str] = {"name": model_format} | ({"version": version} if version else {})
    model: dict[str, Any] = {
        "modelFormat": known,
        "protocolVersion": protocol,
        "runtime": runtime,
        "storageUri": uri,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "readinessProbe": {"httpGet": {"path": READY, "port": PORT}, "periodSeconds": 5},
    }
    if args:
        model["args"] = list(args)
    if listed := variables(env, secrets):
        model["env"] = listed
    if wanted:
        model["resources"] = {"requests": dict(wanted), "limits": dict(wanted)}
    spec: dict[str, Any] = {"minReplicas": 1, "maxReplicas": 1, "timeout": 60, "model": model}
    return spec | (for_gpus(gpu_resource) if gpu else {})

"""The InferenceService of a registered model on a cluster: around our own server, or one of the cluster's runtimes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jupyter_mlops.errors import NotAllowed, Where, WrongUsage
from jupyter_mlops.serving.kserve.modes import FETCH, MODES, PULLER
from jupyter_mlops.serving.kserve.predictor import MODE, REASON, host_of, in_mode, predictor, stamped
from jupyter_mlops.serving.kserve.runtimes import runtime_predictor
from jupyter_mlops.serving.manifest import annotations_of, document_of

if TYPE_CHECKING:
    from jupyter_mlops.formats.gate import Rule
    from jupyter_mlops.registry.models import ModelVersion
    from jupyter_mlops.settings import Target

NO_ISTIO = {"sidecar.istio.io/inject": "false"}
"""A sidecar would end the init container's connections to the registry, and the API server's to the model."""


def cluster_document(
    version: ModelVersion,
    *,
    name: str,
    namespace: str,
    target: Target,
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
    """See ``manifest.inference_service``; name and namespace are checked."""
    if runtime and rule != "any":  # its card is no help: whoever pushed the version wrote it
        shown = f"{version.name}:{version.tag}"
        raise NotAllowed(
            f"{shown} was not made here, and the runtime '{runtime}' does not ask what loading it may run",
            code="pickle-refused",
            fix=f"Leave --runtime out: our own server asks. Or: jupyter mlops models allow {shown} --reason WHY",
        )
    if not target.registry:
        raise WrongUsage(
            f"target '{target.name}' has no registry",
            code="no-registry",
            fix="Say where its models are: the setting 'registry' of the target.",
            where=Where(field="registry"),
        )
    if mode and mode not in MODES:
        raise WrongUsage(f"'{mode}' is not a way to bring a model into its pod", fix=f"One of {', '.join(MODES)}.")
    annotations = {**annotations_of(version), **NO_ISTIO}
    if runtime:
        chosen = mode if mode not in {"", PULLER} else FETCH
        uri = f"{chosen}://{host_of(target.registry)}/{version.reference}"
        spec = runtime_predictor(
            version.format or str(version.card.get("format", "")),
            runtime,
            uri,
            gpu=gpu,
            resources=resources,
            env=env,
            secrets=secrets,
        )
        if target.pull_secret:
            spec["imagePullSecrets"] = [{"name": target.pull_secret}]
        notes = {MODE: chosen} | ({REASON: reason} if reason else {})
        return stamped(document_of(name, namespace, annotations | notes, spec))
    spec = predictor(
        version, name=name, target=target, image=image, gpu=gpu, resources=resources, env=env, secrets=secrets, rule=rule
    )
    return in_mode(document_of(name, namespace, annotations, spec), mode or PULLER, reason)

"""Services of Hugging Face models by KServe's own servers: its Hugging Face server, or vLLM.

The model is one of the Hub, by its id, or a registered folder, by digest. It comes in by ``storageUri`` in both cases: a
``model:`` predictor without one gets KServe's agent as a sidecar, which these servers do not need. The token of the Hub is
named, never held: it is a key of a Secret of the namespace, for the download and for the server.

What these servers need is not what the defaults of a cluster give: minutes to load, one GPU that a rolling update would wait
for in vain, and memory beyond 1 GiB.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from jupyter_mlops.errors import Where, WrongUsage
from jupyter_mlops.oci.names import LABEL
from jupyter_mlops.serving.kserve.document import NO_ISTIO
from jupyter_mlops.serving.kserve.modes import FETCH, MODES, PULLER
from jupyter_mlops.serving.kserve.predictor import GPU, MODE, host_of, stamped
from jupyter_mlops.serving.kserve.runtimes import runtime_predictor
from jupyter_mlops.serving.manifest import annotations_of, check_name, document_of, service_name

if TYPE_CHECKING:
    from jupyter_mlops.registry.models import ModelVersion
    from jupyter_mlops.settings import Target

Server = Literal["huggingface", "vllm"]
HUB = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(?:@[\w.-]+)?")
"""KServe's fetcher wants an owner and a name; models of old that have no owner stand under one now (``openai-community/gpt2``)."""

TASKS = frozenset({
    "text_generation", "text2text_generation", "fill_mask", "sequence_classification", "token_classification", "text_embedding",
    "table_question_answering", "question_answering", "time_series_forecast", "multiple_choice",
})  # fmt: skip
"""What KServe's Hugging Face server takes after ``--task``; without one it looks into the model's own configuration."""

DTYPES = frozenset({"auto", "float16", "bfloat16", "float32", "float", "half"})
MODEL_ID = LABEL + "model-id"
TOKEN = "HF_TOKEN"  # noqa: S105 - the name of a variable and of a key, no token
MINUTES = 30
"""For loading at most, after which a pod counts as failed."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """What differs between the two servers."""

    runtime: str
    format: str
    ready: str
    protocol: str


KINDS: Mapping[str, _Kind] = {
    "huggingface": _Kind("kserve-huggingfaceserver", "huggingface", "/v2/health/ready", "v2"),
    "vllm": _Kind("kserve-vllmserver", "vLLM", "/v1/models", "v2"),
}
"""vLLM's runtime names no protocol and answers OpenAI's routes below ``/v1``; KServe takes it for v2 when it looks for one."""


def inference_service_hf(
    model: str | ModelVersion,
    *,
    name: str | None,
    namespace: str,
    target: Target,
    server: Server = "huggingface",
    runtime: str = "",
    mode: str = "",
    task: str = "",
    gpu: int = 0,
    gpu_resource: str = GPU,
    dtype: str = "",
    max_length: int = 0,
    token_secret: str = "",
    token_key: str = TOKEN,
    args: Sequence[str] = (),
    resources: Mapping[str, str] | None = None,
    env: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The document that serves a Hugging Face model.

    ``model`` is an id at the Hub (``google/flan-t5-small``, with ``@revision``) or a registered folder, which gets into the pod by
    ``mode``, one that KServe itself knows. ``server`` is KServe's Hugging Face server or vLLM, ``runtime`` the cluster's name for
    it where that is not the published one. ``task`` is the Hugging Face server's ('' lets it look), ``gpu`` a number of
    ``gpu_resource``, ``dtype`` that of the weights, ``max_length`` tokens of context at most (0: the model's own, which may not
    fit). ``token_secret`` names the Secret, ``token_key`` its key with the Hub's token. ``args`` are added to the runtime's.

    Raises:
        WrongUsage: something that the server would not take.
    """
    kind = _kind(server)
    _check(task, dtype, max_length, server)
    uri, version = _source(model, target, mode)
    plain = model if isinstance(model, str) else model.name
    chosen = service_name(plain.rpartition("/")[2].partition("@")[0], namespace) if name is None else name
    check_name(chosen, namespace)
    spec = runtime_predictor(
        kind.format,
        runtime or kind.runtime,
        uri,
        gpu=gpu,
        gpu_resource=gpu_resource,
        resources={"cpu": "2", "memory": "8Gi", **(resources or {})},
        env={**({"HF_HUB_DISABLE_XET": "1"} if version is None else {}), **(env or {})},
        secrets=[{"env": TOKEN, "secret": token_secret, "key": token_key}] if token_secret else [],
        args=[*_arguments(server, task, dtype, max_length, gpu), *args],
        protocol=kind.protocol,
        version="1",
    )
    spec["model"] |= _probes(kind.ready)
    if target.pull_secret:
        spec["imagePullSecrets"] = [{"name": target.pull_secret}]
    return stamped(document_of(chosen, namespace, _annotations(version, plain, uri, token_secret), spec))


def _kind(server: str) -> _Kind:
    kind = KINDS.get(server)
    if kind is None:
        raise WrongUsage(
            f"'{server}' is no server of Hugging Face models", fix=f"One of {', '.join(KINDS)}.", where=Where(field="server")
        )
    return kind


def _annotations(version: ModelVersion | None, model: str, uri: str, token_secret: str) -> dict[str, str]:
    annotations = {**annotations_of(version), **NO_ISTIO}
    if version is not None:
        return {**annotations, MODE: uri.partition("://")[0]}
    annotations[MODEL_ID] = model
    if token_secret:
        annotations["serving.kserve.io/storageSecretName"] = token_secret
    return annotations


def _source(model: str | ModelVersion, target: Target, mode: str) -> tuple[str, ModelVersion | None]:
    """``storageUri``, and the version of a registered folder."""
    if not isinstance(model, str):
        if mode and (mode not in MODES or mode == PULLER):
            raise WrongUsage(
                f"a runtime of the cluster cannot be given a model by '{mode}'",
                code="mode-not-supported",
                fix="Leave it out, or use oci+native where the cluster mounts images.",
                where=Where(field="mode"),
            )
        return f"{mode or FETCH}://{host_of(target.registry)}/{model.reference}", model
    if not HUB.fullmatch(model.removeprefix("hf://")):
        raise WrongUsage(
            f"'{model}' is not the id of a model at the Hugging Face Hub",
            fix="It looks like OWNER/NAME.",
            where=Where(field="model"),
        )
    place, _, revision = model.removeprefix("hf://").partition("@")
    return f"hf://{place}" + (f":{revision}" if revision else ""), None


def _check(task: str, dtype: str, max_length: int, server: str) -> None:
    if task and (task not in TASKS or server != "huggingface"):
        fix = f"One of {', '.join(sorted(TASKS))}." if server == "huggingface" else "vLLM generates text: leave the task out."
        raise WrongUsage(f"'{task}' is no task of this server", fix=fix, where=Where(field="task"))
    if dtype and dtype not in DTYPES:
        raise WrongUsage(f"'{dtype}' is no type of weights", fix=f"One of {', '.join(sorted(DTYPES))}.", where=Where(field="dtype"))
    if max_length < 0:
        raise WrongUsage(f"a length of {max_length} tokens", fix="Give a positive number, or 0 for the model's own.")


def _arguments(server: str, task: str, dtype: str, max_length: int, gpu: int) -> list[str]:
    """Both read vLLM's own options too, which is the Hugging Face server's engine for generation on GPUs."""
    found = [f"--task={task}"] if task else []
    found += [f"--dtype={dtype}"] if dtype else []
    if max_length:
        found.append(f"{'--max-model-len' if server == 'vllm' else '--max_model_len'}={max_length}")
    return found + ([f"--tensor-parallel-size={gpu}"] if gpu > 1 else [])


def _probes(path: str) -> dict[str, Any]:
    """Ready when it answers; and minutes to load before anybody gives up."""
    get = {"httpGet": {"path": path, "port": 8080}}
    return {
        "readinessProbe": {**get, "periodSeconds": 5, "timeoutSeconds": 5},
        "startupProbe": {**get, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": MINUTES * 6},
    }

"""How a model gets into its pod, chosen from what is known of the cluster, with the reason in words.

The order is the one in which a start is quickest and needs least of ours: the node's own image store, KServe's own fetcher,
our puller. Nothing is asked here: ``facts`` does that.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from jupyter_mlops.errors import Where, WrongUsage

NATIVE, FETCH, CAR, PULLER = "oci+native", "oci+fetch", "oci", "puller"
MODES = (NATIVE, FETCH, CAR, PULLER)

IMAGE_VOLUMES = (1, 35)
"""Kubernetes whose image volumes are on without a feature gate."""

NATIVE_KSERVE, FETCH_KSERVE = (0, 20), (0, 21)
NODES_NEED = {"containerd": (2, 1), "cri-o": (1, 31)}
"""Container runtimes that mount a folder of an image. containerd 2.0 and older fail when the container is made."""

_RUNTIME = re.compile(r"([a-z-]+)://v?(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a cluster. None stands for what could not be found out."""

    kubernetes: tuple[int, int]
    kserve: tuple[int, int] | None = None
    """At least this one, told from the fields that it knows."""

    nodes: tuple[str, ...] | None = None
    """``containerRuntimeVersion`` of each node (``containerd://2.2.9``); None where nodes may not be listed."""

    plain_http: bool = False
    """Whether the registry is spoken to without TLS."""

    shell: bool = False
    """Whether the model's image brings ``sh``, ``ln``, ``ls`` and ``sleep``."""

    puller: bool = True
    """Whether our puller can be used: not with a runtime of the cluster, whose container is not ours."""

    refused: frozenset[str] = field(default_factory=frozenset)
    """Modes that were tried in this namespace and did not work."""


@dataclass(frozen=True, slots=True)
class Mode:
    """A way, and why it. ``certain`` is False where the cluster could not be asked: then it is tried."""

    name: str
    reason: str
    certain: bool = True


def choose(facts: Facts, wanted: str = "") -> Mode:
    """The best mode that the cluster supports, or the one asked for if it can work.

    Raises:
        WrongUsage: code ``mode-not-supported``: no such mode, or it is known not to work here.
    """
    if wanted and wanted not in MODES:
        raise _unsupported(f"'{wanted}' is not a way to bring a model into its pod", f"One of {', '.join(MODES)}.")
    passed: list[str] = []
    for name in (wanted,) if wanted else MODES:
        against = _against(name, facts)
        if against:
            passed.append(f"{name}: {against}")
            continue
        certain = name != NATIVE or facts.nodes is not None
        why = "asked for" if wanted else _for(name, certain)
        return Mode(name, "; ".join([why, *(f"not {each}" for each in passed)]), certain)
    fix = "Leave the mode out: the best that works is found." if wanted else "Serve it with our own model server."
    raise _unsupported(f"this cluster cannot bring the model into the pod: {'; '.join(passed)}", fix)


def _against(name: str, facts: Facts) -> str:
    """Why a mode does not work here; '' if nothing is known against it."""
    if name in facts.refused:
        return "it was tried here and did not work"
    if name == NATIVE:
        return _against_native(facts)
    if name == FETCH:
        if facts.kserve is not None and facts.kserve < FETCH_KSERVE:
            return f"needs KServe {_dotted(FETCH_KSERVE)}, this one is older"
        if facts.kserve is None:
            return "the version of KServe is not known, and older ones take it for another mode"
        return "the registry is plain HTTP, which is a switch of the whole cluster" if facts.plain_http else ""
    if name == CAR:
        return "" if facts.shell else "the model's image has no shell"
    return "" if facts.puller else "a runtime of the cluster has no place for our puller"


def _against_native(facts: Facts) -> str:
    if facts.kubernetes < IMAGE_VOLUMES:
        return f"image volumes need Kubernetes {_dotted(IMAGE_VOLUMES)}, this is {_dotted(facts.kubernetes)}"
    if facts.kserve is not None and facts.kserve < NATIVE_KSERVE:
        return f"needs KServe {_dotted(NATIVE_KSERVE)}, this one is older"
    if facts.kserve is None:
        return "the version of KServe is not known, and older ones refuse it"
    old = sorted({runtime for runtime in facts.nodes or () if not mounts_images(runtime)})
    return f"nodes run {', '.join(old)}, which cannot mount a folder of an image" if old else ""


def _for(name: str, certain: bool) -> str:
    if name == NATIVE:
        known = "the nodes mount the model's image" if certain else "the nodes may mount the model's image; they cannot be asked"
        return f"{known}: a warm start copies nothing"
    return {
        FETCH: "KServe fetches the model",
        CAR: "the model's image has a shell, so that it runs beside the server",
        PULLER: "an init container of ours fetches the model, which works everywhere",
    }[name]


def mounts_images(runtime: str) -> bool:
    """Whether a container runtime, as a node names it (``containerd://2.2.9``), mounts a folder of an image."""
    match = _RUNTIME.match(runtime)
    return bool(match and match[1] in NODES_NEED and (int(match[2]), int(match[3])) >= NODES_NEED[match[1]])


REFUSALS = (
    re.compile(r'failed to mkdir "": mkdir : no such file'),  # containerd 1.6 and 1.7, which know nothing of image volumes
    re.compile(r"image volume.*not (?:supported|enabled)|ImageVolume.*(?:disabled|not enabled)", re.IGNORECASE),
    re.compile(r"unknown volume (?:type|source)|no volume plugin matched", re.IGNORECASE),
)
UNREACHED = re.compile(r"server gave HTTP response to HTTPS client|x509:|certificate signed by unknown authority")
"""The node cannot speak to the registry at all; our puller has its own certificates and knows what plain HTTP is."""


def refusal(texts: Sequence[str], model: str) -> str:
    """The text by which a cluster shows that it cannot mount this model's image; '' if it does not.

    Args:
        texts: what the pod's containers wait for, and its events.
        model: reference of the model's image without the scheme.
    """
    for text in texts:
        if any(pattern.search(text) for pattern in REFUSALS) or (model and model in text and UNREACHED.search(text)):
            return text
    return ""


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(str(part) for part in version)


def _unsupported(message: str, fix: str) -> WrongUsage:
    return WrongUsage(message, code="mode-not-supported", fix=fix, where=Where(field="mode"))

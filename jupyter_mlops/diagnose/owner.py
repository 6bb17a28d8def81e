"""Whose pod it is, and what its owner can set: the words in which a cause speaks of a step, a service or any other pod."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from jupyter_mlops.diagnose.documents import Document, at, mapping, name, objects
from jupyter_mlops.diagnose.quantity import amount, bytes_text

WORKFLOW, NODE, NODE_NAME = (f"workflows.argoproj.io/{key}" for key in ("workflow", "node-id", "node-name"))
SERVICE = "serving.kserve.io/inferenceservice"

ARGO = frozenset({"init", "wait", "supervisor"})
"""Containers that Argo adds to a step's pod."""

KSERVE = frozenset({"storage-initializer", "modelcar-init", "modelcar", "agent", "queue-proxy"})
"""Containers that KServe adds to a service's pod."""

BYTES = frozenset({"memory", "ephemeral-storage"})
"""Resources that are counted in bytes."""

_ATTEMPT = re.compile(r"\((\d+)(?::[^()]*)?\)$")


@dataclass(frozen=True, slots=True)
class Owner:
    """A step, a service, a whole run, or a pod of something else. ``pod`` may be empty where only a text is known."""

    kind: Literal["step", "service", "run", "pod"]
    name: str
    namespace: str = ""
    pod: Document = field(default_factory=dict)

    @property
    def who(self) -> str:
        """The subject of a sentence."""
        return f"{self.kind} '{self.name}'" if self.name else f"the {self.kind}"

    @property
    def about(self) -> str:
        """The object in front of a fact."""
        called = name(at(self.pod, "metadata").get("name"))
        return f"pod {called}" if called else self.who

    @property
    def containers(self) -> list[Document]:
        """Init containers first, then the others, as the spec has them."""
        spec = at(self.pod, "spec")
        return [*objects(spec.get("initContainers")), *objects(spec.get("containers"))]

    def container(self, called: str) -> Document:
        """One container of the spec; empty if there is none."""
        return next((found for found in self.containers if found.get("name") == called), {})

    def limit(self, container: str) -> str:
        """The memory limit of a container as it was written; '' if there is none."""
        found = at(self.container(container), "resources", "limits").get("memory")
        return name(str(found)) if isinstance(found, str | int) else ""

    def requested(self, resource: str) -> str:
        """How much of a resource the pod asks for, as a person would write it; '' if it is not known."""
        own = [found for found in objects(at(self.pod, "spec").get("containers")) if not foreign(str(found.get("name")))]
        asked = [_asked(found, resource) for found in own]
        given = [one for one in asked if one]
        if len(given) == 1 and not (given[0].isdecimal() and resource in BYTES):
            return given[0]
        values = [value for one in given if (value := amount(one)) is not None]
        total = sum(values)
        if not values:
            return ""
        return bytes_text(total) if resource in BYTES else f"{total:g}"

    @property
    def pull_secrets(self) -> list[str]:
        """Names of the secrets with which the images are pulled."""
        return [found for one in objects(at(self.pod, "spec").get("imagePullSecrets")) if (found := name(one.get("name")))]

    @property
    def image_setting(self) -> str:
        """Where its image is set."""
        return {
            "step": "the step's option `image` or the target's setting `image`",
            "service": "the service's document (`image` of its container) or the target's setting `image`",
            "run": "the option `image` of its steps or the target's setting `image`",
            "pod": "`image` of its container",
        }[self.kind]

    def memory_fix(self, suggestion: str) -> str:
        """How to give it more memory."""
        for_example = f", for example {suggestion}" if suggestion else ""
        if self.kind == "step":
            line = f" (`%%step {self.name} --memory {suggestion}`)" if suggestion and self.name else ""
            return f"Ask for more in the step's option `memory`{for_example}{line}, or load less at a time."
        if self.kind == "service":
            return f"Deploy it with a larger memory limit{for_example}, or serve a smaller model."
        return f"Give its container a larger memory limit{for_example}."

    def log_fix(self) -> str:
        """Where its last words are."""
        if self.kind == "step":
            return f"Read what it printed last: `jupyter mlops logs RUN --step {self.name or 'STEP'}`."
        if self.kind == "service":
            return f"Read its log: `jupyter mlops services logs {self.name or 'NAME'}`."
        return "Read the log of its container."


def owner_of(pod: Any) -> Owner:
    """The owner that a pod's labels and annotations name."""
    metadata = at(pod, "metadata")
    labels, annotations = at(metadata, "labels"), at(metadata, "annotations")
    namespace = name(metadata.get("namespace"))
    if WORKFLOW in labels:
        return Owner("step", step_name(annotations.get(NODE_NAME)), namespace, mapping(pod))
    if SERVICE in labels:
        return Owner("service", name(labels.get(SERVICE)), namespace, mapping(pod))
    return Owner("pod", name(metadata.get("name")), namespace, mapping(pod))


def step_name(node_name: Any) -> str:
    """``train`` of ``churn-x7k2p.train`` or, at its second attempt, ``churn-x7k2p.train(1)``."""
    found = node_name[:1000] if isinstance(node_name, str) else ""
    return name(_ATTEMPT.sub("", found).rpartition(".")[2])


def foreign(container: str) -> str:
    """Who added a container that is not the owner's: ``Argo``, ``KServe`` or ''."""
    return "Argo" if container in ARGO else "KServe" if container in KSERVE else ""


def ours_first(containers: Iterable[Document]) -> list[Document]:
    """The owner's own containers before those that Argo or KServe added: what they say is the telling thing."""
    return sorted(containers, key=lambda found: bool(foreign(str(found.get("name")))))


def _asked(container: Document, resource: str) -> str:
    resources = at(container, "resources")
    for kind in ("requests", "limits"):
        found = at(resources, kind).get(resource)
        if amount(found) is not None:
            return str(found)
    return ""

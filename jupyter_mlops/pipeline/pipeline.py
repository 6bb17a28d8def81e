"""A pipeline as a value: steps, what links them, parameters, doubts. Everything after planning works on this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from jupyter_mlops.errors import Diagnostic

LinkKind = Literal["data", "code", "file"]


@dataclass(frozen=True, slots=True)
class Options:
    """What a step asks of the place it runs in: the one definition of the metadata schema (see ``docs/metadata.md``).

    Compiled into the Workflow by ``workflow/``; the local engine honours what a process can.
    """

    image: str | None = None
    """Container image; None: the Workflow's parameter ``mlops-image``."""

    cpu: str | None = None
    """Kubernetes quantity, e.g. ``500m`` or ``2``."""

    memory: str | None = None
    """Kubernetes quantity, e.g. ``2Gi``."""

    gpu: int | None = None
    """Number of ``gpu_resource`` devices."""

    gpu_resource: str = "nvidia.com/gpu"
    """Extended resource name, e.g. ``amd.com/gpu`` or ``nvidia.com/mig-1g.10gb``."""

    resources: Mapping[str, str] = field(default_factory=dict)
    """Any other resource name → quantity."""

    shm: str | None = None
    """Size of ``/dev/shm``, a Kubernetes quantity; None: the container's 64 MiB, with a GPU as much as the memory limit lets."""

    queue: str | None = None
    """Queue of Kueue that the step's pod waits in; None: the target's."""

    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, str], ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[Mapping[str, str], ...] = ()
    """Each ``{"env": NAME, "secret": secret's name, "key": key}``: names only, never a value."""

    retries: int = 0
    timeout: int | None = None
    """Seconds, waiting included."""

    volumes: tuple[Mapping[str, Any], ...] = ()
    """Each ``{"mount": path}`` with ``claim`` (a PersistentVolumeClaim) or ``size`` (an emptyDir's), and ``read_only``."""

    cache: str = "auto"
    """``off``: never taken over from an earlier run."""

    each: str = ""
    """``NAME in EXPRESSION``: once for each item, all from the same state; '' runs once."""

    when: str = ""
    """Expression: the step runs only if it is true; '' runs always."""

    final: str | None = None
    """Not None: runs at the end whatever happened, with the outcome under this name ('' for none). ``finally`` in metadata."""

    outputs: tuple[str, ...] = ()
    """``("model",)`` or ``("model:NAME",)``: the variable ``model`` (NAME) of the step is registered when it ends."""

    file_limit: int | None = None
    """Bytes of files that the run may hand on; None: the runner's own limit. The same for all steps."""

    file_ignore: tuple[str, ...] = ()
    """Patterns of files that are not handed on. The same for all steps."""


@dataclass(frozen=True, slots=True)
class Step:
    """A few cells that run in one process. ``cells`` are indices of the notebook in document order."""

    name: str
    cells: tuple[int, ...]
    needs: tuple[str, ...] = ()
    """Steps with a direct link into this one; the Workflow's ``depends`` may hold more (document order)."""

    title: str = ""
    """The heading or tag it came from, as people wrote it."""

    options: Options = field(default_factory=Options)

    pins: tuple[str, ...] = ()
    """Those of ``needs`` that a tag names: they hold where no value flows, until the tag is taken back."""


@dataclass(frozen=True, slots=True)
class Link:
    """Names that flow from one cell to another."""

    source: int
    target: int
    names: tuple[str, ...]
    kind: LinkKind


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value that a run may set. ``type`` is int, float, bool, str, none, list, dict or enum; ``default`` is JSON-like."""

    name: str
    type: str
    default: Any
    cell: int
    line: int
    choices: tuple[Any, ...] = ()
    description: str = ""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What ``convert`` shows and ``compile`` takes. A refused notebook never becomes one (see ``Refused``)."""

    name: str
    """DNS label made from the notebook's name."""

    notebook: str
    """File name of the notebook."""

    steps: tuple[Step, ...]
    links: tuple[Link, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    kernel: str = ""
    python: str = ""
    """Minor version of the kernel's Python, e.g. ``3.11``; '' until an engine or target resolves it."""

    early: tuple[str, ...] = ()
    """Steps that act on nothing outside: an engine may try them before their turn, and throws away what fails the check."""

    independent: tuple[tuple[str, str], ...] = ()
    """Pairs of steps, the earlier first, that may run beside each other: proved by the source, or by an earlier run."""

    met: tuple[tuple[str, str], ...] = ()
    """Pairs of which an earlier run saw that the later one cannot be tried beside the earlier, though no link says so."""

    def step_of(self, cell: int) -> str | None:
        """Name of the step that runs a cell; None for cells that no step runs (markdown, ``skip``)."""
        return next((step.name for step in self.steps if cell in step.cells), None)

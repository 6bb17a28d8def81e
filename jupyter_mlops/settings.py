"""What can be set, in frozen groups, each value with its unit and its reason.

Nobody has to set anything: every default works on a fresh machine. Values come from the environment
(``JUPYTER_MLOPS_*``), and the Jupyter configuration ``MlopsApp.*`` overrides them for the server part.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_mlops.errors import WrongUsage

LOCAL_REGISTRY = "jupyter-mlops.local"
"""Host name under which documents name the embedded registry of this machine; it is never looked up on a network."""

PICKLES = ("never", "listed", "own", "any")
"""Which models that run code when they are loaded may be, each lets in what those before it do (``registry.policy``)."""

UNSIGNED = ("allow", "refuse")
"""Whether models are served that no trusted key signed (``registry.signing``)."""

DEFAULT_IMAGE = "docker.io/library/python:{minor}-slim"
"""Step image when a target names none: the notebook's own Python minor, since session state does not cross minors."""


def default_home(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """Folder of everything this product keeps on this machine: XDG on Linux, Application Support on macOS."""
    if chosen := environ.get("JUPYTER_MLOPS_HOME"):
        return Path(chosen).expanduser()
    if platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "jupyter-mlops"
    base = environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "jupyter-mlops"


def default_early(environ: Mapping[str, str] = os.environ) -> float:
    """Seconds from ``JUPYTER_MLOPS_EARLY_AFTER``; 1 where it is not set. Raises WrongUsage where it is no number."""
    text = environ.get("JUPYTER_MLOPS_EARLY_AFTER") or "1"
    try:
        return float(text)
    except ValueError as error:
        raise WrongUsage(f"JUPYTER_MLOPS_EARLY_AFTER is {text!r}", fix="Set it to seconds; -1: steps keep their order.") from error


def default_unsigned(environ: Mapping[str, str] = os.environ) -> str:
    """``JUPYTER_MLOPS_UNSIGNED``; ``allow`` where it is not set. Raises WrongUsage for a word that is none."""
    text = environ.get("JUPYTER_MLOPS_UNSIGNED") or "allow"
    if text not in UNSIGNED:
        raise WrongUsage(f"JUPYTER_MLOPS_UNSIGNED is {text!r}", fix=f"Set it to one of {', '.join(UNSIGNED)}.")
    return text


def default_pickles(environ: Mapping[str, str] = os.environ) -> str:
    """``JUPYTER_MLOPS_PICKLES``; ``own`` where it is not set. Raises WrongUsage for a word that is none."""
    text = environ.get("JUPYTER_MLOPS_PICKLES") or "own"
    if text not in PICKLES:
        raise WrongUsage(f"JUPYTER_MLOPS_PICKLES is {text!r}", fix=f"Set it to one of {', '.join(PICKLES)}.")
    return text


@dataclass(frozen=True, slots=True)
class Storage:
    """Where things lie and how long they stay."""

    home: Path = field(default_factory=default_home)
    """Root of ``registry/``, ``runs/``, ``services/``, ``checks/`` and ``cache/``; created with mode 0700."""

    keep_runs: int = 50
    """Finished runs kept per pipeline; older ones are deleted when a new one starts. Models they made stay."""

    @property
    def registry(self) -> Path:
        """Embedded registry: one OCI image layout per repository."""
        return self.home / "registry"

    @property
    def runs(self) -> Path:
        """Live state of runs: one folder each."""
        return self.home / "runs"

    @property
    def services(self) -> Path:
        """Live state of local services: ``<namespace>/<name>``."""
        return self.home / "services"

    @property
    def checks(self) -> Path:
        """The last check of each notebook: one folder each."""
        return self.home / "checks"

    @property
    def cache(self) -> Path:
        """Unpacked bundles, by digest. Can be removed at any time."""
        return self.home / "cache"


@dataclass(frozen=True, slots=True)
class Workspace:
    """The private view of the notebook's folder that local steps run in."""

    copy_limit: int = 1 << 30
    """Bytes of the notebook's folder copied at most; the biggest files beyond it are shared with the folder by links."""

    ignore: tuple[str, ...] = (
        ".git",
        ".hg",
        ".venv",
        "venv",
        "node_modules",
        "__pycache__",
        ".ipynb_checkpoints",
        ".mypy_cache",
        ".ruff_cache",
        ".pytest_cache",
        "*.pyc",
        ".DS_Store",
    )
    """Names (glob patterns) that are never copied, captured or published."""


@dataclass(frozen=True, slots=True)
class Steps:
    """How steps run when nothing else is said."""

    stop_grace: float = 5.0
    """Seconds between SIGTERM and SIGKILL of a step's process group."""

    termination_bytes: int = 4096
    """Size of the termination message, as Kubernetes has it."""

    early_after: float = field(default_factory=default_early)
    """Seconds that a step on this machine runs before later ones that need nothing of it are tried beside it, if a processor is
    free; below 0: never. What takes less is over before an attempt has begun. 0: at once, even where no processor is free."""


@dataclass(frozen=True, slots=True)
class Serving:
    """Local services."""

    namespace: str = "default"
    """Namespace of services made without one."""

    ready_timeout: float = 60.0
    """Seconds that ``deploy`` waits for Ready before it reports what the log says."""

    body_limit: int = 64 << 20
    """Bytes of one prediction request at most."""

    unsigned: str = field(default_factory=default_unsigned)
    """``refuse``: only models that a trusted key signed are served; ``allow``: all."""

    pickles: str = field(default_factory=default_pickles)
    """Models that may run code when they are loaded: ``never``, ``listed`` (only names that are known to be harmless), ``own``
    (also those that this user's runs on this machine made) or ``any``. One version is allowed by ``models allow``."""


LOCAL = "local"
"""Name of the target "This machine"."""


@dataclass(frozen=True, slots=True)
class Target:
    """A place where pipelines run, artifacts lie and models are served: this machine, or a namespace of a cluster.

    ``targets/`` finds them. Whatever is '' is left to the platform: a namespace's default service account, the context's own
    namespace, and so on. None of these is a secret; ``pull_secret`` and ``ca`` are names of objects in the namespace.
    """

    name: str = LOCAL
    """What people write after ``--target``: ``local``, ``in-cluster`` or the kubeconfig's context."""

    context: str = ""
    """The kubeconfig's context; '' for the local target and in a pod."""

    namespace: str = ""
    registry: str = ""
    """Address as steps reach it: ``https://host[:port][/base]``, plain HTTP only where it says so; '' for the local target."""

    registry_here: str = ""
    """The same registry's address from this machine, where it is another."""

    image: str = ""
    """Step image; '' is ``DEFAULT_IMAGE`` of the notebook's Python."""

    service_account: str = ""
    """Of step pods."""

    pull_secret: str = ""
    """Secret of type kubernetes.io/dockerconfigjson: for the kubelet's pulls and for the steps' access to the registry."""

    mirrors: Mapping[str, str] = field(default_factory=dict)
    """Prefix of an image → what it is replaced by (``docker.io/`` → ``mirror.example/dockerhub/``)."""

    ca: str = ""
    """ConfigMap whose key ``ca.crt`` holds certificates that steps and model servers trust besides their own."""

    queue: str = ""
    """Queue of Kueue that the pods of a run wait in (label ``kueue.x-k8s.io/queue-name``)."""

    @property
    def local(self) -> bool:
        """Whether it is this machine."""
        return self.name == LOCAL

    def mirrored(self, image: str) -> str:
        """An image's reference where the target's mirrors put it; the longest prefix counts."""
        for prefix in sorted(self.mirrors, key=len, reverse=True):
            if image.startswith(prefix):
                return self.mirrors[prefix] + image.removeprefix(prefix)
        return image


@dataclass(frozen=True, slots=True)
class Settings:
    """All groups. Pass it down; nothing reads a global."""

    storage: Storage = field(default_factory=Storage)
    workspace: Workspace = field(default_factory=Workspace)
    steps: Steps = field(default_factory=Steps)
    serving: Serving = field(default_factory=Serving)

"""Which targets there are, and what each one's settings are.

There is always "This machine". Every context of the kubeconfig is one more, and in a pod its own service account
(``in-cluster``). Who says what about a cluster, the first that says something wins:

1. the environment: ``JUPYTER_MLOPS_TARGET_REGISTRY``, ``…_NAMESPACE``, … for the default target,
2. this person: ``targets.json`` (``jupyter mlops targets set``),
3. the namespace: its ConfigMap ``jupyter-mlops``,
4. the kubeconfig's context (its namespace) and the platform's defaults.

The default target is ``JUPYTER_MLOPS_TARGET``, else the one of ``jupyter mlops targets use``, else in a pod whose namespace has the
ConfigMap that pod's cluster, else this machine. Listing contacts nothing and runs no login plugin; ``get`` reads the ConfigMap.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from jupyter_mlops.errors import MlopsError, NotFound, WrongUsage
from jupyter_mlops.settings import LOCAL, Settings, Target
from jupyter_mlops.targets import file
from jupyter_mlops.targets.values import KEYS, check_key, check_value

if TYPE_CHECKING:
    from jupyter_mlops.cluster.base import Cluster
    from jupyter_mlops.cluster.kubeconfig import Context
    from jupyter_mlops.targets.check import Health
    from jupyter_mlops.targets.namespace import Given

PREFIX = "JUPYTER_MLOPS_TARGET"
FRESH = 60.0
"""Seconds that what a namespace said is believed: an administrator's change is seen within a minute."""

_CLOCK = time.monotonic


@dataclass(frozen=True, slots=True)
class Found:
    """A target and where it comes from."""

    target: Target
    title: str
    """``This machine``, or the cluster in words."""

    server: str = ""
    """Address of the API server."""


class Targets:
    """The targets of one person on this machine. Safe to use from many threads."""

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str] = os.environ,
        connect: Callable[[str, str], Cluster] | None = None,
    ) -> None:
        """``connect`` makes a cluster of context and namespace; by default ``cluster.client.connect``."""
        self._settings = settings
        self._environ = environ
        self._connect = connect or self._client
        self._clusters: dict[tuple[str, str], Cluster] = {}
        self._given: dict[tuple[str, str], tuple[float, Given]] = {}
        self._lock = threading.Lock()

    # -- what there is -------------------------------------------------------------------------------------------------------

    def list(self) -> tuple[Found, ...]:
        """This machine first, then every context; nothing is contacted.

        Raises:
            WrongUsage: kubeconfig or ``targets.json`` cannot be read (``kubeconfig-invalid``, ``targets-invalid``).
        """
        said = file.read(self._settings.storage.home)
        default = self._chosen(said)
        here = Found(Target(), "This machine")
        return (here, *(self._found(context, said, default) for context in self._contexts()))

    @property
    def default(self) -> str:
        """Name of the target that is used where nobody names one.

        Raises:
            WrongUsage: ``targets.json`` cannot be read.
        """
        chosen = self._chosen(file.read(self._settings.storage.home))
        if chosen:
            return chosen
        from jupyter_mlops.cluster.kubeconfig import IN_CLUSTER, in_cluster

        pod = in_cluster(self._environ)
        if pod is None:
            return LOCAL
        try:
            given = self._namespace_says(Target(IN_CLUSTER, context=IN_CLUSTER, namespace=pod.namespace))
        except MlopsError:  # a pod that cannot ask its cluster works as this machine does
            return LOCAL
        return IN_CLUSTER if given.there else LOCAL

    def find(self, name: str | None = None) -> Target:
        """A target by name, or the default one, without what its namespace says; nothing is contacted.

        Raises:
            NotFound: code ``target-not-found``; the fix lists those that there are.
        """
        return self.found(name).target

    def found(self, name: str | None = None) -> Found:
        """The same, with where it comes from."""
        wanted = name or self.default
        if wanted == LOCAL:
            return Found(Target(), "This machine")
        there = self.list()
        for one in there:
            if one.target.name == wanted:
                return one
        names = [one.target.name for one in there]
        near = get_close_matches(wanted, names, 1)
        meant = f"Did you mean {near[0]}? " if near else ""
        raise NotFound(
            f"there is no target {wanted!r}",
            code="target-not-found",
            fix=f"{meant}There are {', '.join(names)}; each context of the kubeconfig is one.",
        )

    def get(self, name: str | None = None) -> Target:
        """A target by name, or the default one, with everything that is known of it.

        Raises:
            NotFound: code ``target-not-found``, or that of a missing kubeconfig.
            Unavailable, NotAllowed: the cluster does not answer, or does not let us in.
        """
        return self.resolved(self.find(name))

    def resolved(self, target: Target) -> Target:
        """A target with what its namespace says where nobody else said anything. Raises what ``get`` raises."""
        if target.local:
            return target
        says = self._namespace_says(target).settings
        missing: dict[str, Any] = {key: value for key, value in says.items() if not getattr(target, key)}
        return replace(target, **missing)

    def says(self, target: Target) -> Given:
        """What a target's namespace says itself. Raises what ``get`` raises."""
        return self._namespace_says(target)

    def cluster(self, target: Target) -> Cluster:
        """The cluster of a target, one object for all who ask; nothing is sent yet.

        Raises:
            WrongUsage: it is this machine, or the kubeconfig cannot be used.
        """
        if target.local:
            raise WrongUsage("this machine is not a cluster", code="not-a-cluster", fix="Name a target: jupyter mlops targets.")
        key = (target.context, target.namespace)
        with self._lock:
            if key not in self._clusters:
                self._clusters[key] = self._connect(target.context, target.namespace)
            return self._clusters[key]

    # -- what a person changes -----------------------------------------------------------------------------------------------

    def use(self, name: str) -> None:
        """Make a target the default. Raises NotFound."""
        self.found(name)
        file.change(self._settings.storage.home, lambda said: replace(said, default="" if name == LOCAL else name))

    def set(self, name: str, values: Mapping[str, Any]) -> Target:
        """Keep settings of a target; '' takes one back. Returns it without what its namespace says.

        Raises:
            NotFound: no such target.
            WrongUsage: an unknown setting, a value that cannot be right, or this machine, which has none.
        """
        if self.found(name).target.local:
            raise WrongUsage(
                "this machine has no settings of a target",
                code="not-a-cluster",
                fix="Give the name of a cluster: jupyter mlops targets lists them.",
            )
        checked = {check_key(key): check_value(check_key(key), value) for key, value in values.items()}

        def edit(said: file.Said) -> file.Said:
            merged = {**said.targets.get(name, {}), **checked}
            kept = {key: merged[key] for key in KEYS if merged.get(key)}
            return replace(said, targets={**said.targets, name: kept})

        file.change(self._settings.storage.home, edit)
        self.forget(name)
        return self.find(name)

    # -- whether it works ----------------------------------------------------------------------------------------------------

    def check(self, name: str | None = None) -> Health:
        """Look whether a target works, now, and remember the answer. Raises NotFound for a name that is none."""
        from jupyter_mlops.targets.check import examine
        from jupyter_mlops.targets.memory import remember

        target = self.find(name)
        self._given.pop(_key(target), None)
        health = examine(self, target, self._settings)
        remember(self._settings.storage, target, health)
        return health

    def health(self, name: str | None = None) -> Health | None:
        """What the last check found, if that was not long ago and with the same settings; None is unknown."""
        from jupyter_mlops.targets.memory import remembered

        return remembered(self._settings.storage, self.find(name))

    def forget(self, name: str) -> None:
        """Let what was remembered of a target go: something about it was changed."""
        from jupyter_mlops.targets.memory import forget

        target = self.find(name)
        self._given.pop(_key(target), None)
        forget(self._settings.storage, target)

    # -- inside --------------------------------------------------------------------------------------------------------------

    def _contexts(self) -> tuple[Context, ...]:
        from jupyter_mlops.cluster.client import contexts

        return contexts(self._environ)

    def _client(self, context: str, namespace: str) -> Cluster:
        from jupyter_mlops.cluster.client import connect

        return connect(context, namespace, self._environ)

    def _chosen(self, said: file.Said) -> str:
        """The default that somebody chose; '' where nobody did."""
        return self._environ.get(PREFIX, "").strip() or said.default

    def _found(self, context: Context, said: file.Said, default: str) -> Found:
        """A context as a target. One that is called ``local`` gets another name, since that is this machine's."""
        name = context.name if context.name != LOCAL else f"{LOCAL}-cluster"
        base = Target(name, context=context.name, namespace=context.namespace)
        values = dict(said.targets.get(name, {}))
        if name == default or (not default and context.current):
            values |= self._variables()
        settled = replace(base, **{key: value for key, value in values.items() if value})
        return Found(settled, f"{context.cluster or context.name}, namespace {settled.namespace}", context.server)

    def _variables(self) -> dict[str, Any]:
        """Settings from the environment. Raises WrongUsage for a value that cannot be right."""
        found = {}
        for key in KEYS:
            variable = f"{PREFIX}_{key.upper()}"
            if variable in self._environ:
                try:
                    found[key] = check_value(key, self._environ[variable])
                except WrongUsage as error:
                    raise WrongUsage(f"{variable}: {error.message}", code=error.code, fix=error.fix, where=error.where) from error
        return found

    def _namespace_says(self, target: Target) -> Given:
        from jupyter_mlops.targets.namespace import given

        key = _key(target)
        known = self._given.get(key)
        if known is not None and _CLOCK() - known[0] < FRESH:
            return known[1]
        fresh = given(self.cluster(target), target.namespace)
        self._given[key] = (_CLOCK(), fresh)
        return fresh


def _key(target: Target) -> tuple[str, str]:
    return target.context, target.namespace

"""Whether a target works: many small questions at the same time, each with what was seen and what to do about it.

First whether the cluster answers, since nothing else can be asked before; then everything beside each other in the bounded
pool, so that a whole check takes as long as its slowest question. A check that hangs or breaks is a finding about itself and
about nothing else. All of it only reads.
"""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from jupyter_mlops.errors import MlopsError, NotAllowed
from jupyter_mlops.settings import Settings, Target

if TYPE_CHECKING:
    from jupyter_mlops.cluster.base import Cluster
    from jupyter_mlops.targets.find import Targets
    from jupyter_mlops.targets.namespace import Given

Level = Literal["ok", "warn", "fail", "skip"]

PATIENCE = 8.0
"""Seconds for the cluster to answer at all, and then for all other questions together."""


@dataclass(frozen=True, slots=True)
class Check:
    """What was found. ``why`` holds the value that was seen; ``fix`` is empty where nothing is to be done."""

    id: str
    level: Level
    title: str
    why: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """All findings about a target at one time (seconds since the epoch)."""

    checks: tuple[Check, ...]
    checked: float

    @property
    def level(self) -> Level:
        """The worst of them; what was skipped says nothing."""
        levels = {check.level for check in self.checks}
        return "fail" if "fail" in levels else "warn" if "warn" in levels else "ok"

    @property
    def problem(self) -> Check | None:
        """The first of the worst."""
        return next((check for check in self.checks if check.level == self.level != "ok"), None)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a probe answers; its id and title are added here."""

    level: Level
    why: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """What probes look at: a cluster that answers, and the target with everything that is known of it."""

    target: Target
    cluster: Cluster
    settings: Settings
    given: Given
    user: str = ""
    """Who we are to the cluster; '' where it does not say."""


Probe = Callable[[Scene], Finding]


@dataclass(frozen=True, slots=True)
class Question:
    """A probe with its stable id and its title."""

    id: str
    title: str
    probe: Probe = field(repr=False)


REACH = ("TK01", "API server")


def examine(targets: Targets, target: Target, settings: Settings) -> Health:
    """Ask everything about a target. This machine is always in order."""
    now = time.time()
    if target.local:
        return Health((Check("TL01", "ok", "this machine", "runs, models and services need nothing else"),), now)
    from jupyter_mlops.cluster.questions import in_pool

    reached: tuple[Scene, Check] | Check
    try:
        reached = in_pool(_reach, targets, target, settings).result(PATIENCE)
    except concurrent.futures.TimeoutError:
        reached = _late(f"no answer within {PATIENCE:g} s")
    except MlopsError as error:
        reached = Check(REACH[0], "fail", REACH[1], error.message, error.fix)
    if isinstance(reached, Check):
        waiting = [Check(one.id, "skip", one.title, "the cluster was not reached") for one in questions()]
        return Health((reached, *waiting), now)
    scene, first = reached
    return Health((first, *ask_all(questions(), scene)), now)


def questions() -> tuple[Question, ...]:
    """Every question, in the order in which the answers are shown."""
    from jupyter_mlops.targets.probes import argo, namespace, registry, serving

    return (*namespace.QUESTIONS, *argo.QUESTIONS, *registry.QUESTIONS, *serving.QUESTIONS)


def ask_all(asked: Sequence[Question], scene: Scene, patience: float = PATIENCE) -> list[Check]:
    """Answers in the order of the questions, which are asked at the same time."""
    from jupyter_mlops.cluster.questions import in_pool

    waiting = [in_pool(one.probe, scene) for one in asked]
    deadline = time.monotonic() + patience
    found = []
    for one, future in zip(asked, waiting, strict=True):
        finding = _answer(future, max(0.0, deadline - time.monotonic()))
        found.append(Check(one.id, finding.level, one.title, finding.why, finding.fix))
    return found


def _answer(future: concurrent.futures.Future[Finding], patience: float) -> Finding:
    try:
        return future.result(patience)
    except concurrent.futures.TimeoutError:
        future.cancel()
        return Finding("warn", f"no answer within {PATIENCE:g} s", "Try again; the cluster or the registry is slow.")
    except NotAllowed as error:
        return Finding("skip", f"may not be looked at: {error.message}")
    except MlopsError as error:
        return Finding("fail", error.message, error.fix)
    except Exception as error:  # noqa: BLE001  (a check that breaks says so; the others go on)
        return Finding("warn", f"the check itself failed: {type(error).__name__}: {error}", "Please report it with this line.")


def _reach(targets: Targets, target: Target, settings: Settings) -> tuple[Scene, Check]:
    """Ask for the version, who we are, and what the namespace says. Raises what the cluster raises."""
    cluster = targets.cluster(target)
    major, minor = cluster.version()
    given = targets.says(target)
    user = _user(cluster)
    scene = Scene(targets.resolved(target), cluster, settings, given, user)
    who = f", as {user}" if user else ""
    return scene, Check(REACH[0], "ok", REACH[1], f"Kubernetes {major}.{minor} at {cluster.server}{who}")


def _user(cluster: Cluster) -> str:
    """Who we are (SelfSubjectReview); clusters before 1.28 do not say."""
    from jupyter_mlops.cluster.base import Kind

    review = Kind("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", namespaced=False)
    try:
        status = cluster.create(review, {"metadata": {}}).get("status") or {}
    except MlopsError:
        return ""
    return str((status.get("userInfo") or {}).get("username") or "")


def _late(why: str) -> Check:
    fix = "Check the address in the kubeconfig, the network and the VPN: kubectl must answer in a terminal."
    return Check(REACH[0], "fail", REACH[1], why, fix)

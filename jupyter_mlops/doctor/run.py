"""Runs all checks beside each other, then those of a cluster. One that hangs or breaks is a finding about itself alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from jupyter_mlops.doctor.check import CHECKS, Check, Finding, Machine, Registered
from jupyter_mlops.errors import WrongUsage
from jupyter_mlops.settings import Settings

PATIENCE = 3.0
"""Seconds for all checks together, since they run beside each other; none needs more than a fraction on a healthy machine."""


def examine(
    settings: Settings, server: Mapping[str, Any] | None = None, only: Sequence[str] = (), target: str | None = None
) -> list[Check]:
    """Every check, or those named; of a cluster where the target is one.

    Args:
        settings: what they look at.
        server: what a running Jupyter Server knows of itself.
        only: ids of checks; none means all.
        target: name of a target; None is the default one.

    Raises:
        WrongUsage: an id that there is not.
        NotFound: no such target.
    """
    from jupyter_mlops.doctor import cluster, jupyter, machine, python  # noqa: F401  (each registers its checks)

    there = {*CHECKS, *cluster.ids()}
    unknown = [check_id for check_id in only if check_id not in there]
    if unknown:
        raise WrongUsage(f"there is no check {unknown[0]}", fix=f"The checks are {', '.join(sorted(there))}.")
    chosen = [found for check_id, found in sorted(CHECKS.items()) if not only or check_id in only]
    results = run_all(chosen, Machine(settings, server))
    if not only or set(only) & set(cluster.ids()):
        results += [check for check in cluster.examine(settings, target) if not only or check.id in only]
    return results


def run_all(checks: Sequence[Registered], on: Machine, patience: float = PATIENCE) -> list[Check]:
    """Results in the order of the checks. Threads that hang are left behind: they hold nothing, and die with the process."""
    found: dict[str, Finding] = {}
    threads = [threading.Thread(target=_run_one, args=(one, on, found), daemon=True, name=one.id) for one in checks]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + patience
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    late = Finding("fail", f"gave no answer in {patience:g} s", "Look whether the disk or the network hangs, and try again.")
    results = []
    for one in checks:
        finding = found.get(one.id, late)
        results.append(Check(one.id, finding.level, one.title, finding.why, finding.fix))
    return results


def _run_one(one: Registered, on: Machine, found: dict[str, Finding]) -> None:
    try:
        found[one.id] = one.probe(on)
    except Exception as error:  # noqa: BLE001  (a check that breaks says so; the others go on)
        said = f"{type(error).__name__}: {error}"
        found[one.id] = Finding("fail", f"the check itself failed: {said}", "Please report it with this line.")

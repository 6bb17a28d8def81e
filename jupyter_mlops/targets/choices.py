"""What can be chosen on this machine and not on a cluster."""

from __future__ import annotations

from jupyter_mlops.errors import Where, WrongUsage
from jupyter_mlops.settings import Target


def check_place(target: Target, namespace: str | None, port: int | None) -> None:
    """What only this machine has is not asked of a cluster.

    Raises:
        WrongUsage: a port, or a namespace that is not the target's.
    """
    if port is not None:
        raise WrongUsage(
            "a port can be chosen on this machine only",
            fix=f"Leave it out: jupyter mlops predict SERVICE --target {target.name} calls it.",
            where=Where(field="port"),
        )
    if namespace not in {None, "", target.namespace, "default"}:
        raise WrongUsage(
            f"target {target.name} is namespace {target.namespace}, not {namespace}",
            fix=f"jupyter mlops targets set {target.name} namespace={namespace}",
            where=Where(field="namespace"),
        )

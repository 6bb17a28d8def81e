"""The registry of a target: its address from this machine, and whether it can be reached."""

from __future__ import annotations

from jupyter_mlops.errors import Where, WrongUsage
from jupyter_mlops.settings import Target


def address_here(target: Target) -> str:
    """Address of a target's registry as this machine reaches it.

    Raises:
        WrongUsage: code ``no-registry``: nobody said where it is.
    """
    address = target.registry_here or target.registry
    if not address:
        raise WrongUsage(
            f"target {target.name} has no registry",
            code="no-registry",
            fix=f"Say where its code and models go: jupyter mlops targets set {target.name} registry=https://HOST[/FOLDER], or ask "
            f"the administrator for a ConfigMap jupyter-mlops with the key registry in namespace {target.namespace}.",
            where=Where(field="registry"),
        )
    return address

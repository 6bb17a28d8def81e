"""Questions about the registry: that it is known, that it answers us, that pods have what logs them in."""

from __future__ import annotations

from jupyter_mlops.cluster.base import SECRETS
from jupyter_mlops.errors import MlopsError, NotAllowed, NotFound, Unavailable, WrongUsage
from jupyter_mlops.targets.check import Finding, Question, Scene
from jupyter_mlops.targets.registry import address_here

PULL_SECRET = "kubernetes.io/dockerconfigjson"  # noqa: S105  (the name of a type)
_NOBODY = "models/none"
"""A repository that nobody has: asking for its tags shows whether the registry answers and lets us in."""


def reachable(on: Scene) -> Finding:
    """It answers from here. Whether pods reach it is shown by a run and by nothing else."""
    from jupyter_mlops.oci.open import open_store

    try:
        address = address_here(on.target)
        open_store(address).tags(_NOBODY)
    except WrongUsage as error:
        return Finding("fail", error.message, error.fix)
    except Unavailable as error:
        return Finding(
            "fail",
            f"it does not answer from here: {error.message}",
            f"Check the address; where it has another one from here: jupyter mlops targets set {on.target.name} registry_here=…",
        )
    except (NotAllowed, NotFound) as error:
        if isinstance(error, NotAllowed):
            return Finding("fail", error.message, error.fix or "docker login, or oras login, at the registry.")
    except MlopsError as error:
        return Finding("fail", error.message, error.fix)
    plain = "; plain HTTP, which nodes have to be told" if on.target.registry.startswith("http://") else ""
    return Finding("ok", f"{address} answers{plain}; whether pods reach {on.target.registry or address} the first run shows")


def pull_secret(on: Scene) -> Finding:
    """The Secret is there and of the type that kubelet takes; what it holds is not looked at."""
    name, namespace = on.target.pull_secret, on.target.namespace
    if not name:
        return Finding("ok", "none: pods pull without a password, or their service account has its own")
    try:
        kind = str(on.cluster.get(SECRETS, name, namespace).get("type") or "Opaque")
    except NotAllowed:
        return Finding("skip", f"the Secret {name} may not be looked at; a run says if it is missing")
    except NotFound:
        return Finding(
            "fail",
            f"there is no Secret {name} in {namespace}",
            f"kubectl -n {namespace} create secret docker-registry {name} --docker-server=HOST --docker-username=USER "
            "--docker-password=…",
        )
    if kind != PULL_SECRET:
        return Finding(
            "fail",
            f"the Secret {name} has the type {kind}, and kubelet takes {PULL_SECRET}",
            f"Make it anew: kubectl -n {namespace} create secret docker-registry {name} …",
        )
    return Finding("ok", name)


QUESTIONS = (Question("TR01", "registry", reachable), Question("TR02", "pull secret", pull_secret))

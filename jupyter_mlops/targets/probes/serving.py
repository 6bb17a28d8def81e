"""The question about KServe: that it is there, and how it would get a model into its pod."""

from __future__ import annotations

from jupyter_mlops.errors import NotAllowed, PlatformError, WrongUsage
from jupyter_mlops.targets.check import Finding, Question, Scene


def kserve(on: Scene) -> Finding:
    """A cluster without KServe still runs pipelines."""
    from jupyter_mlops.cluster.base import INFERENCE_SERVICES
    from jupyter_mlops.serving.kserve import modes
    from jupyter_mlops.serving.kserve.facts import check_kserve, facts

    try:
        check_kserve(on.cluster)
    except PlatformError as error:
        return Finding("warn", f"{error.message}: models cannot be served there", error.fix)
    try:
        documents = on.cluster.list(INFERENCE_SERVICES, on.target.namespace).items
    except NotAllowed:
        documents = ()
    try:
        mode = modes.choose(facts(on.cluster, documents, registry=on.target.registry))
    except WrongUsage as error:
        return Finding("warn", error.message, error.fix)
    return Finding("ok", f"models come by {mode.name}: {mode.reason}")


QUESTIONS = (Question("TS01", "KServe", kserve),)

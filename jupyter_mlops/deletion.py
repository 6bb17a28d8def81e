"""Deletes versions that nobody needs: not what a service uses, and, without a reason, not what something was made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jupyter_mlops.errors import Conflict, NotFound

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench
    from jupyter_mlops.serving.base import Service


def delete_model(bench: Workbench, name: str, tag: str, reason: str = "") -> None:
    """Delete a version of a model.

    Raises:
        NotFound: there is none.
        Conflict: a service or an alias uses it (``version-in-use``), or something was made of it and there is no reason
            (``has-descendants``).
    """
    from jupyter_mlops.serving.decode import model_reference

    version = bench.models.find(f"{name}:{tag}")
    users = [service for service in _served(bench) if model_reference(service.document) == f"{name}@{version.digest}"]
    if users:
        raise Conflict(
            f"{name}:{tag} is served by {', '.join(service.name for service in users)}",
            fix=f"Delete the service first: jupyter mlops services delete {users[0].name}",
        )
    _check_descendants(bench, f"models/{name}", version.tag, version.digest, reason)
    bench.models.delete(name, tag, reason=reason)


def delete_dataset(bench: Workbench, name: str, tag: str, reason: str = "") -> None:
    """Delete a version of a dataset.

    Raises:
        NotFound: there is none.
        Conflict: code ``has-descendants``: something was made of it, and there is no reason.
    """
    version = bench.datasets.find(f"{name}:{tag}")
    _check_descendants(bench, f"datasets/{name}", version.tag, version.digest, reason)
    bench.datasets.delete(name, version.tag, reason=reason)


def _check_descendants(bench: Workbench, repository: str, tag: str, digest: str, reason: str) -> None:
    if reason.strip():
        return
    made = bench.lineage.made_of(repository, digest)
    if made:
        listed = ", ".join(sorted({f"{one.repository}:{one.tag}" for one in made})[:5])
        raise Conflict(
            f"{repository}:{tag} is what {listed} was made of",
            code="has-descendants",
            fix="Keep it, so that this can be told of them; or say why it goes: --reason WHY",
        )


def _served(bench: Workbench) -> Sequence[Service]:
    """All services; none where the cluster has no KServe."""
    try:
        return bench.services.list()
    except NotFound as error:
        if error.code != "no-such-kind":
            raise
        return ()

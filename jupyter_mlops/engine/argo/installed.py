"""Whether a cluster has Argo Workflows: asked before anything is pushed for a run, and when a run has vanished."""

from __future__ import annotations

from jupyter_mlops.cluster.base import WORKFLOWS, Cluster
from jupyter_mlops.errors import MlopsError, NotFound, PlatformError

PROBE = {
    "metadata": {"generateName": "jupyter-mlops-probe-"},
    "spec": {"entrypoint": "main", "templates": [{"name": "main", "suspend": {}}]},
}
"""A Workflow that nothing could be said against; it is never created."""


def check_argo(cluster: Cluster) -> None:
    """Argo is there, as far as what the cluster said in the last minutes tells.

    Raises:
        PlatformError: code ``no-argo``, with what to install.
        NotAllowed, Unavailable: the API server.
    """
    if WORKFLOWS.plural not in cluster.kinds(WORKFLOWS.group):
        raise PlatformError(
            f"the cluster '{cluster.context}' has no Argo Workflows",
            code="no-argo",
            fix="Ask its administrator to install Argo Workflows 3.6 or newer (jupyter mlops targets --check says how), "
            "or run on this machine: --target local.",
        )


def check_not_removed(cluster: Cluster, namespace: str) -> None:
    """A run that is gone was deleted by somebody, or went with all others when Argo was removed: then say that.

    By a dry run: while a definition is being removed, its objects can still be listed, and there are none.

    Raises:
        NotFound: code ``no-such-kind``: Argo was, or is being, removed.
    """
    try:
        cluster.create(WORKFLOWS, PROBE, namespace, dry_run=True)
    except NotFound as error:
        if error.code == "no-such-kind":
            raise
    except MlopsError:
        return  # nothing is known: the run is gone, and that is all that is said

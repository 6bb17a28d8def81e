"""What the registry says about a model's image before it is deployed: that it is there, and whether it brings a shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_mlops.errors import NotFound
from jupyter_mlops.oci.artifact import read_config
from jupyter_mlops.oci.descriptor import children_of
from jupyter_mlops.oci.names import ANNOTATION

if TYPE_CHECKING:
    from jupyter_mlops.oci.store import Store
    from jupyter_mlops.registry.models import ModelVersion

SHELL = ANNOTATION + "shell"
"""Label of an image that holds ``sh``, ``ln``, ``ls`` and ``sleep`` besides its model, so that it can run beside the server."""


def has_shell(store: Store, version: ModelVersion) -> bool:
    """Whether the image of a version says that it brings a shell; those that we publish do not.

    Raises:
        NotFound: code ``version-not-found``: the registry does not have the version.
    """
    repository = f"models/{version.name}"
    try:
        index = store.get_manifest(repository, version.digest)
    except NotFound as error:
        raise NotFound(
            f"{version.reference} is not in {store.address}",
            code="version-not-found",
            fix="Register it there, or deploy to the target whose registry has it.",
        ) from error
    for child in children_of(index.document):
        if (child.platform or {}).get("os") == "linux":
            config = read_config(store, repository, store.get_manifest(repository, child.digest))
            return ((config.get("config") or {}).get("Labels") or {}).get(SHELL) == "true"
    return False

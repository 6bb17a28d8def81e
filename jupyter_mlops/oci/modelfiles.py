"""The files of a model's version: out of the layers that its images share, verified while they arrive."""

from __future__ import annotations

from pathlib import Path

from jupyter_mlops.errors import Corrupt
from jupyter_mlops.oci.artifact import layers_of
from jupyter_mlops.oci.descriptor import children_of
from jupyter_mlops.oci.parallel import lanes
from jupyter_mlops.oci.store import Manifest, Store
from jupyter_mlops.oci.tar import extract_all


def fetch_model(store: Store, repository: str, reference: str, folder: Path) -> int:
    """Unpack ``models/…`` of a version into a folder, which appears whole and verified, or not at all; bytes of its layers.

    Args:
        store: where the version is.
        repository: ``models/churn``.
        reference: its tag or digest.
        folder: that is not there yet.

    Raises:
        NotFound, NotAllowed, Unavailable: the registry does not give it.
        Corrupt: bytes without their digest, or no model.
    """
    layers = layers_of(_image(store, repository, store.get_manifest(repository, reference)))
    streams = (store.open_blob(repository, layer.digest) for layer in layers)
    extract_all(streams, folder, below="models/", at_once=lanes(store))
    return sum(layer.size for layer in layers)


def _image(store: Store, repository: str, index: Manifest) -> Manifest:
    """An image of the index; any for linux will do, since all share the layers that are the model."""
    if "manifests" not in index.document:
        return index
    for child in children_of(index.document):
        if (child.platform or {}).get("os") == "linux":
            return store.get_manifest(repository, child.digest)
    raise Corrupt(f"{index.descriptor.digest} in {repository} holds no image for linux", code="not-a-model")

"""Artifacts: a JSON config and layers under one manifest, as nearly everything of ours is stored.

The config carries the facts, so that who lists artifacts reads one small blob each; the layers carry the bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jupyter_mlops.oci.canonical import canonical, parse_object
from jupyter_mlops.oci.descriptor import blobs_of, to_dict
from jupyter_mlops.oci.names import OCI_MANIFEST
from jupyter_mlops.oci.store import Descriptor, Manifest, Store


def artifact_document(
    artifact_type: str | None,
    config: Descriptor,
    layers: Sequence[Descriptor],
    *,
    subject: Descriptor | None = None,
    annotations: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The image manifest of an artifact; ``subject`` makes it a referrer. ``artifact_type`` None: a container image."""
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": to_dict(config),
        "layers": [to_dict(layer) for layer in layers],
    }
    if artifact_type:
        document["artifactType"] = artifact_type
    if subject:
        document["subject"] = {"mediaType": subject.media_type, "digest": subject.digest, "size": subject.size}
    if annotations:
        document["annotations"] = dict(annotations)
    return document


def push_artifact(
    store: Store,
    repository: str,
    artifact_type: str,
    config: Mapping[str, Any],
    layers: Sequence[Descriptor] = (),
    *,
    config_type: str | None = None,
    tags: Sequence[str] = (),
    subject: Descriptor | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Manifest:
    """Push a config and the manifest over layers that are there already; point tags at it.

    An artifact without layers gets its config as the one layer too: image-spec 1.1 wants at least one, and some registries
    insist.

    Args:
        store: where to.
        repository: the repository that holds the layers.
        artifact_type: what it is.
        config: a JSON object.
        layers: descriptors that ``put_blob`` returned.
        config_type: media type of the config; None: that of the artifact.
        tags: names it gets, all at once.
        subject: descriptor of the manifest that it is about.
        annotations: shown by listings without reading the config.
    """
    described = store.put_blob(repository, canonical(config), config_type or artifact_type)
    document = artifact_document(artifact_type, described, layers or (described,), subject=subject, annotations=annotations)
    return store.put_manifest(repository, document, tags=tags)


def read_config(store: Store, repository: str, manifest: Manifest) -> dict[str, Any]:
    """The config of an artifact.

    Raises:
        Corrupt: it is damaged, or no JSON object.
    """
    config = next(blobs_of(manifest.document))
    with store.open_blob(repository, config.digest) as stream:
        return parse_object(stream.read(), f"the config {config.digest} in {repository}")


def layers_of(manifest: Manifest) -> list[Descriptor]:
    """The layers of an image manifest, in order."""
    return list(blobs_of({"layers": manifest.document.get("layers")}))

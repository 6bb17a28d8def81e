"""Descriptors and manifests between their JSON and their values, and what a manifest points to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jupyter_mlops.errors import Corrupt, WrongUsage
from jupyter_mlops.oci.canonical import parse_object
from jupyter_mlops.oci.digest import SHA256, digest_of, is_digest
from jupyter_mlops.oci.names import OCI_INDEX, OCI_MANIFEST
from jupyter_mlops.oci.store import Descriptor, Manifest

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
INDEX_TYPES = frozenset({OCI_INDEX, DOCKER_LIST})
MANIFEST_TYPES = INDEX_TYPES | {OCI_MANIFEST, DOCKER_MANIFEST}

MAX_MANIFEST = 4 << 20
"""Bytes of a manifest at most, the limit that the distribution specification asks registries to support."""


def to_dict(descriptor: Descriptor) -> dict[str, Any]:
    """As OCI writes a descriptor; what is not there is left out."""
    document: dict[str, Any] = {"mediaType": descriptor.media_type, "digest": descriptor.digest, "size": descriptor.size}
    if descriptor.artifact_type:
        document["artifactType"] = descriptor.artifact_type
    if descriptor.annotations:
        document["annotations"] = dict(descriptor.annotations)
    if descriptor.platform:
        document["platform"] = dict(descriptor.platform)
    return document


def from_dict(document: Any, what: str = "a manifest") -> Descriptor:
    """The descriptor that a JSON object is; ``what`` names the document it stands in.

    Raises:
        Corrupt: a field is missing or has the wrong type.
    """
    try:
        media_type, digest, size = document["mediaType"], document["digest"], document["size"]
        sound = (
            isinstance(media_type, str) and isinstance(digest, str) and is_digest(digest) and isinstance(size, int) and size >= 0
        )
        sound = sound and all(isinstance(document.get(key) or {}, dict) for key in ("annotations", "platform"))
    except (TypeError, KeyError) as error:
        raise Corrupt(f"{what} holds a descriptor without mediaType, digest or size") from error
    if not sound:
        raise Corrupt(f"{what} holds a descriptor that cannot be right: {document!r:.200}")
    return Descriptor(
        media_type, digest, size, document.get("annotations") or {}, document.get("artifactType"), document.get("platform")
    )


def artifact_type_of(document: Mapping[str, Any]) -> str | None:
    """What a manifest says it is: its ``artifactType``, else the type of its config (the rule of the referrers API)."""
    if kind := document.get("artifactType"):
        return str(kind)
    config = document.get("config")
    return str(config["mediaType"]) if isinstance(config, dict) and config.get("mediaType") else None


def manifest_of(data: bytes, media_type: str | None = None, what: str = "a manifest", algorithm: str = SHA256) -> Manifest:
    """Parse the bytes of a manifest or index; its descriptor is made from them.

    Args:
        data: the very bytes, which alone decide the digest.
        media_type: as an HTTP header or a descriptor said; the document's own field wins over None.
        what: how an error names it.
        algorithm: of the digest that its descriptor gets.

    Raises:
        WrongUsage: code ``manifest-invalid``: no manifest, larger than 4 MiB, or its type contradicts what was said.
    """
    if len(data) > MAX_MANIFEST:
        raise WrongUsage(
            f"{what} has {len(data)} bytes, more than the {MAX_MANIFEST} that registries take",
            code="manifest-too-large",
            fix="Put large values into a layer, not into the manifest.",
        )
    try:
        document = parse_object(data, what)
    except Corrupt as error:
        raise WrongUsage(str(error), code="manifest-invalid") from error
    own = document.get("mediaType")
    kind = media_type or own or (OCI_INDEX if "manifests" in document else OCI_MANIFEST)
    if own is not None and own != kind:
        raise WrongUsage(f"{what} says that it is {own}, but was sent as {kind}", code="manifest-invalid")
    if kind not in MANIFEST_TYPES or document.get("schemaVersion") != 2:  # noqa: PLR2004 - the only version there is
        raise WrongUsage(f"{what} of type {kind} is not a manifest or index of OCI or Docker v2", code="manifest-invalid")
    notes = {} if document.get("annotations") is None else document["annotations"]
    if not isinstance(notes, dict) or not all(isinstance(value, str) for value in notes.values()):
        raise WrongUsage(f"{what} has annotations that are not texts", code="manifest-invalid")
    manifest = Manifest(Descriptor(kind, digest_of(data, algorithm), len(data), notes, artifact_type_of(document)), data, document)
    try:
        points_to(manifest)
        subject_of(document)
    except Corrupt as error:
        raise WrongUsage(f"{what} is not valid: {error}", code="manifest-invalid") from error
    return manifest


def blobs_of(document: Mapping[str, Any]) -> Iterator[Descriptor]:
    """Config and layers of an image manifest; nothing of an index. Layers that are only elsewhere (``urls``) are left out."""
    if (config := document.get("config")) is not None:
        yield from_dict(config)
    for layer in _objects(document, "layers"):
        if not layer.get("urls"):
            yield from_dict(layer)


def children_of(document: Mapping[str, Any]) -> Iterator[Descriptor]:
    """The manifests of an index."""
    for child in _objects(document, "manifests"):
        yield from_dict(child)


def _objects(document: Mapping[str, Any], key: str) -> Sequence[Mapping[str, Any]]:
    """A list of JSON objects; tools write ``null`` for an empty one."""
    found = document.get(key) or []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise Corrupt(f"{key} is not a list of objects")
    return found


def subject_of(document: Mapping[str, Any]) -> str | None:
    """Digest of the manifest that this one is about, if it is a referrer."""
    subject = document.get("subject")
    return None if subject is None else from_dict(subject).digest


def points_to(manifest: Manifest) -> tuple[str, ...]:
    """Digests of all that must stay for this manifest to be whole; the subject is not among them."""
    document = manifest.document
    return tuple(d.digest for d in (*blobs_of(document), *children_of(document)))

"""Referrers in a registry: by its own list where it keeps one, else as the specification asks of clients, and safely.

Without the referrers API clients keep an index under the tag ``sha256-<hex>``, which two of them overwrite for each other:
of 8 attached at once 4 were left. So each referrer gets a tag of its own too (``sha256-<hex>.r-<hex>``), by which it is found
when it is missing in the index, and kept by collectors that look at tags alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol

from jupyter_mlops.errors import Corrupt, NotFound, WrongUsage
from jupyter_mlops.oci.canonical import canonical
from jupyter_mlops.oci.descriptor import from_dict, manifest_of, subject_of, to_dict
from jupyter_mlops.oci.names import OCI_INDEX
from jupyter_mlops.oci.store import Descriptor, Manifest

LOOKS = 8
"""Times that the index is written again because somebody else overwrote it. What is missing then is found by its own tag."""


class Kept(Protocol):
    """What this needs of the registry."""

    def get_manifest(self, repository: str, reference: str) -> Manifest:
        """By tag or digest."""

    def tags(self, repository: str) -> Sequence[str]:
        """All tags."""

    def put_as(self, repository: str, reference: str, manifest: Manifest) -> None:
        """A manifest under a tag."""


def index_tag(subject: str) -> str:
    """The tag of the index of a subject's referrers (distribution specification 1.1, "Referrers Tag Schema"): 64 digits at most."""
    algorithm, _, digits = subject.partition(":")
    return f"{algorithm}-{digits[:64]}"


def own_tag(subject: str, referrer: str) -> str:
    """The tag that one referrer has to itself."""
    return f"{index_tag(subject)}.r-{referrer[7:23]}"


def read_index(store: Kept, repository: str, subject: str) -> list[dict[str, Any]]:
    """What the index holds. Some registries answer with the subject itself, some tools write what is no index: that is none."""
    try:
        index = store.get_manifest(repository, index_tag(subject))
    except (NotFound, WrongUsage):
        return []
    right = index.descriptor.media_type == OCI_INDEX and index.descriptor.digest != subject
    return list(index.document.get("manifests") or []) if right else []


def read_all(store: Kept, repository: str, subject: str) -> list[Descriptor]:
    """What the index holds, and what it lost."""
    found = {each["digest"]: from_dict(each, f"the referrers of {subject}") for each in read_index(store, repository, subject)}
    known = {own_tag(subject, digest) for digest in found}
    for tag in store.tags(repository):
        if tag.startswith(f"{index_tag(subject)}.r-") and tag not in known:
            with suppress(NotFound, Corrupt, WrongUsage):  # deleted this moment, or damaged: the others are sound
                manifest = store.get_manifest(repository, tag)
                if subject_of(manifest.document) == subject:
                    found[manifest.descriptor.digest] = manifest.descriptor
    return list(found.values())


def keep(store: Kept, repository: str, subject: str, referrer: Manifest) -> None:
    """Add a referrer to the index, after its own tag; what the index had lost comes back with it."""
    digest = referrer.descriptor.digest
    store.put_as(repository, own_tag(subject, digest), referrer)
    for _ in range(LOOKS):
        listed = read_index(store, repository, subject)
        if any(entry.get("digest") == digest for entry in listed):
            return
        listed = [to_dict(each) for each in sorted(read_all(store, repository, subject), key=lambda each: each.digest)]
        document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed}
        store.put_as(repository, index_tag(subject), manifest_of(canonical(document)))

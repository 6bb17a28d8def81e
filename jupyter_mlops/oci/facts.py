"""What is asked of a manifest again and again, taken out of it once: small enough to be remembered by the thousand."""

from __future__ import annotations

from typing import NamedTuple

from jupyter_mlops.oci.descriptor import blobs_of, children_of, subject_of
from jupyter_mlops.oci.store import Descriptor, Manifest


class Facts(NamedTuple):
    """The manifest itself, digests of the manifests it holds and of its blobs, and of what it is about."""

    descriptor: Descriptor
    children: tuple[str, ...]
    blobs: tuple[str, ...]
    subject: str | None


def facts_of(manifest: Manifest) -> Facts:
    """The facts of a manifest that was parsed."""
    document = manifest.document
    return Facts(
        manifest.descriptor,
        tuple(child.digest for child in children_of(document)),
        tuple(blob.digest for blob in blobs_of(document)),
        subject_of(document),
    )

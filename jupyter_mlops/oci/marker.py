"""Marks: small artifacts without contents, whose tag is all that they say.

A registry of the distribution specification has no compare-and-swap, so that a document that several write to loses what
they write. Tags of different names do not collide: where several may write, each leaves a mark of its own, and the list of
tags is what all of them see. A mark has the digest of its tag alone, so that it can be deleted without touching another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyter_mlops.oci.names import ANNOTATION, MEDIA, OCI_EMPTY, OCI_MANIFEST
from jupyter_mlops.oci.store import Manifest, Store

MARKER = MEDIA + "marker.v1"
MARK = ANNOTATION + "mark"
_EMPTY = b"{}"


def put_marker(store: Store, repository: str, tag: str, note: str = "") -> Manifest:
    """Leave a mark; ``note`` goes into an annotation. Raises as ``Store.put_manifest``."""
    empty = store.put_blob(repository, _EMPTY, OCI_EMPTY)
    nothing = {"mediaType": OCI_EMPTY, "digest": empty.digest, "size": empty.size}
    document: Mapping[str, Any] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": MARKER,
        "config": nothing,
        "layers": [nothing],
        "annotations": {MARK: note or tag},
    }
    return store.put_manifest(repository, document, tags=[tag])

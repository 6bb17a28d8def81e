"""From one store to another: an artifact with all that it holds and all that is about it, byte for byte.

Digests stay what they are, so that references and signatures hold. What the target has is not sent again; of the rest a few
blobs move at a time. The order of writing is the publisher's: blobs, then what points to them, tags last, so that a copy which
breaks off leaves nothing that looks whole, and a second one goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from jupyter_mlops.errors import Conflict, Corrupt, NotFound, WrongUsage
from jupyter_mlops.oci.descriptor import blobs_of, children_of
from jupyter_mlops.oci.digest import CHUNK, SHA256, algorithm_of, is_digest
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.modelpack import version_number
from jupyter_mlops.oci.names import MODEL, MODELPACK_MANIFEST
from jupyter_mlops.oci.parallel import AT_ONCE, each
from jupyter_mlops.oci.store import Descriptor, Manifest, Store


class Copying(Store, Protocol):
    """What a copy needs besides: manifests as they are."""

    def put_manifest_bytes(
        self, repository: str, data: bytes, media_type: str | None = None, *, tags: Sequence[str] = (), check: bool = True
    ) -> Manifest:
        """Store the very bytes, under their sha256."""


@dataclass
class Copied:
    """What a copy moved, or found there: manifests, and blobs with their bytes."""

    manifests: int = 0
    blobs: int = 0
    bytes: int = 0


def copy(
    source: Copying, target: Copying, repository: str, reference: str, *, into: str = "", tags: Sequence[str] | None = None
) -> Copied:
    """Copy an artifact, what it holds, and its referrers with theirs.

    Args:
        source: where it is.
        target: where it shall be too.
        repository: of both, unless ``into`` names another in the target.
        reference: tag or digest.
        into: repository in the target.
        tags: names that it gets there; None: the tag that it was asked for by.

    Raises:
        NotFound: the source does not have it.
        Corrupt: a blob of the source is damaged.
        NotAllowed, StorageFull, Unavailable: the target does not take it.
    """
    names = ([] if is_digest(reference) else [reference]) if tags is None else list(tags)
    job = _Job(source, target, repository, into or repository)
    root = source.get_manifest(repository, reference)
    for name in names:
        _check_free(target, into or repository, name, root.descriptor.digest)
    job.whole(root, names)
    return job.done


def _check_free(target: Store, repository: str, tag: str, digest: str) -> None:
    """See that a version's number means nothing else in the target: it never moves. Raises Conflict."""
    if version_number(tag) is None:
        return
    with suppress(NotFound):
        if target.get_manifest(repository, tag).descriptor.digest != digest:
            raise Conflict(
                f"{repository}:{tag} is another one at {target.address}",
                code="version-exists",
                fix="Copy it under another name or number.",
            )


class _Job:
    """One copy, and what it has dealt with."""

    def __init__(self, source: Copying, target: Copying, repository: str, into: str) -> None:
        self._source, self._target, self._from, self._into = source, target, repository, into
        self._seen: set[str] = set()
        self.done = Copied()

    def whole(self, manifest: Manifest, tags: Sequence[str]) -> None:
        """A manifest after what it points to, and before what is about it."""
        self._seen.add(manifest.descriptor.digest)
        for child in children_of(manifest.document):
            if child.digest not in self._seen:
                with suppress(NotFound):  # single platforms of an index may never have been there
                    self.whole(self._source.get_manifest(self._from, child.digest), self._names(manifest, child, tags))
        blobs = [blob for blob in blobs_of(manifest.document) if blob.digest not in self._seen]
        self._seen.update(blob.digest for blob in blobs)
        unique = {blob.digest: blob for blob in blobs}
        each(self._blob, unique.values(), 1 if isinstance(self._target, Layout) else AT_ONCE)
        self._put(manifest, tags)
        self.done.manifests += 1
        self.done.blobs += len(unique)
        self.done.bytes += sum(blob.size for blob in unique.values())
        for about in self._source.referrers(self._from, manifest.descriptor.digest):
            if about.digest not in self._seen:
                self.whole(self._source.get_manifest(self._from, about.digest), [])

    def _put(self, manifest: Manifest, tags: Sequence[str]) -> None:
        """Store the manifest under the digest that it has."""
        kind, algorithm = manifest.descriptor.media_type, algorithm_of(manifest.descriptor.digest)
        if isinstance(self._target, Layout):
            self._target.put_manifest_bytes(self._into, manifest.data, kind, tags=tags, check=False, algorithm=algorithm)
        elif algorithm == SHA256:
            self._target.put_manifest_bytes(self._into, manifest.data, kind, tags=tags, check=False)
        else:
            raise _only_sha256(manifest.descriptor.digest)

    def _names(self, index: Manifest, child: Descriptor, tags: Sequence[str]) -> list[str]:
        """Tags of a part of a model version: as ``oci/modelpack.py`` gives them."""
        version = next((tag for tag in tags if version_number(tag) is not None), None)
        if index.descriptor.artifact_type != MODEL or version is None:
            return []
        if child.artifact_type == MODELPACK_MANIFEST:
            return [f"{version}.modelpack"]
        platform = child.platform or {}
        known = not isinstance(self._target, Layout) and platform.get("os") == "linux"
        return [f"{version}.linux-{platform.get('architecture')}"] if known else []

    def _blob(self, blob: Descriptor) -> None:
        """One blob, by the shortest way."""
        put_file = getattr(self._target, "put_file", None)
        if put_file is not None and isinstance(self._source, Layout):
            if self._source.blob_size(self._from, blob.digest) != blob.size:
                raise Corrupt(f"{blob.digest} in {self._from} has not {blob.size} bytes", fix="Make it again.")
            put_file(self._into, blob, self._source.blob_path(self._from, blob.digest))
            return
        algorithm = algorithm_of(blob.digest)
        if isinstance(self._target, Layout):
            made = self._target.put_blob(self._into, self._bytes(blob.digest), blob.media_type, algorithm)
        elif algorithm == SHA256:
            made = self._target.put_blob(self._into, self._bytes(blob.digest), blob.media_type)
        else:
            raise _only_sha256(blob.digest)
        if made.digest != blob.digest:
            raise Corrupt(
                f"{blob.digest} in {self._source.address}/{self._from} is damaged", fix="Copy it again, or make it again."
            )

    def _bytes(self, digest: str) -> Iterator[memoryview]:
        """The bytes of a blob, in one buffer that is used again."""
        buffer = memoryview(bytearray(CHUNK))
        with self._source.open_blob(self._from, digest) as stream:
            while count := stream.readinto(buffer):  # type: ignore[attr-defined]
                yield buffer[:count]


def _only_sha256(digest: str) -> WrongUsage:
    return WrongUsage(
        f"{digest:.20}… cannot be copied to another registry: many of them would name it anew",
        code="unsupported-digest",
        fix="Copy it to a folder, or push it by sha256.",
    )

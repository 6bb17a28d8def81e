"""From one store to another: an artifact with all that it holds and all that is about it, byte for byte.

Digests stay what they are, so that references and signatures hold. What the target has is not sent again; of the rest a few
blobs move at a time. The order of writing is the publisher's: blobs, then what points to them, tags last, so that a copy which
breaks off leaves nothing that looks whole, and a second one goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from jupyter_mlops.errors import Conflict, Corrupt, NotFound, WrongUsage
from jupyter_mlops.oci.descriptor import blobs_of, children_of
from jupyter_mlops.oci.digest import CHUNK, SHA256, algorithm_of, is_digest
from jupyter_mlops.oci.disk import explained, read_chunks
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.modelpack import version_number
from jupyter_mlops.oci.names import MODEL, MODELPACK_MANIFEST
from jupyter_mlops.oci.parallel import AT_ONCE, each
from jupyter_mlops.oci.progress import Progress
from jupyter_mlops.oci.remote import Remote
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
    source: Copying,
    target: Copying,
    repository: str,
    reference: str,
    *,
    into: str = "",
    tags: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Copied:
    """Copy an artifact, what it holds, and its referrers with theirs.

    Args:
        source: where it is.
        target: where it shall be too.
        repository: of both, unless ``into`` names another in the target.
        reference: tag or digest.
        into: repository in the target.
        tags: names that it gets there; None: the tag that it was asked for by.
        progress: told of each blob now and then, and when it is there.

    Raises:
        NotFound: the source does not have it.
        Corrupt: a blob of the source is damaged.
        NotAllowed, StorageFull, Unavailable: the target does not take it.
    """
    names = ([] if is_digest(reference) else [reference]) if tags is None else list(tags)
    job = _Job(source, target, repository, into or repository, progress or _untold)
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

    def __init__(self, source: Copying, target: Copying, repository: str, into: str, progress: Progress) -> None:
        self._source, self._target, self._from, self._into = source, target, repository, into
        self._progress = progress
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
        """One blob, told of before and after."""
        self._progress(blob.digest, 0, blob.size)
        self._move(blob)
        self._progress(blob.digest, blob.size, blob.size)

    def _move(self, blob: Descriptor) -> None:
        """By the shortest way."""
        source, target = self._source, self._target
        if isinstance(source, Layout) and source.blob_size(self._from, blob.digest) != blob.size:
            raise Corrupt(f"{blob.digest} in {self._from} has not {blob.size} bytes", fix="Make it again.")
        if isinstance(target, Layout):
            if not _has(target, self._into, blob):
                self._into_folder(target, blob)
        elif isinstance(source, Layout) and isinstance(target, Remote):
            target.put_file(self._into, blob, source.blob_path(self._from, blob.digest), partial(self._moved, blob))
        elif algorithm_of(blob.digest) != SHA256:
            raise _only_sha256(blob.digest)
        elif isinstance(target, Remote):
            target.put_chunks(self._into, blob, _Again(self, blob))
        else:
            target.put_blob(self._into, self.read(blob), blob.media_type)

    def _into_folder(self, target: Layout, blob: Descriptor) -> None:
        """The bytes are hashed once, while they are written, and get their name only if it is the right one."""
        with explained(target.root):
            running = target.start_upload(algorithm_of(blob.digest))
        try:
            for chunk in self.read(blob, checked=False):
                with explained(target.root):
                    running.write(chunk)
            if running.digest != blob.digest:
                raise Corrupt(
                    f"{blob.digest} in {self._source.address}/{self._from} is damaged: what came has the digest {running.digest}",
                    fix="Copy it again, or make it again.",
                )
            target.finish_upload(self._into, running, blob.media_type, blob.digest)
        finally:
            running.discard()

    def _moved(self, blob: Descriptor, done: int) -> None:
        self._progress(blob.digest, done, blob.size)

    def read(self, blob: Descriptor, *, checked: bool = True) -> Iterator[memoryview]:
        """The bytes of a blob, in one buffer that is used again; ``checked``: against its digest, while they pass."""
        done = 0
        for chunk in self._checked(blob) if checked else self._unchecked(blob):
            yield chunk
            done += len(chunk)
            self._moved(blob, done)

    def _checked(self, blob: Descriptor) -> Iterator[memoryview]:
        buffer = memoryview(bytearray(CHUNK))
        with self._source.open_blob(self._from, blob.digest) as stream:
            while count := stream.readinto(buffer):  # type: ignore[attr-defined]
                yield buffer[:count]

    def _unchecked(self, blob: Descriptor) -> Iterator[memoryview]:
        if isinstance(self._source, Layout):
            yield from read_chunks(self._source.blob_path(self._from, blob.digest))
        elif isinstance(self._source, Remote):
            buffer = memoryview(bytearray(CHUNK))
            with closing(self._source.read_blob(self._from, blob.digest)[0]) as body:
                while count := body.readinto(buffer):
                    yield buffer[:count]
        else:
            yield from self._checked(blob)


def _untold(digest: str, done: int, total: int) -> None:
    """Nobody wants to know."""


class _Again:
    """The bytes of a blob, from its source anew each time: after a break what was sent already is read over."""

    def __init__(self, job: _Job, blob: Descriptor) -> None:
        self._job, self._blob = job, blob

    def __iter__(self) -> Iterator[memoryview]:
        return self._job.read(self._blob)


def _has(target: Layout, repository: str, blob: Descriptor) -> bool:
    """Whether the folder has it whole, in the repository or for all; it counts as new from now on."""
    for path, among in ((target.blob_path(repository, blob.digest), repository), (target.pooled(blob.digest), "")):
        with suppress(OSError):
            if path.stat().st_size == blob.size and target.mount(repository, blob.digest, among):
                return True
    return False


def _only_sha256(digest: str) -> WrongUsage:
    return WrongUsage(
        f"{digest:.20}… cannot be copied to another registry: many of them would name it anew",
        code="unsupported-digest",
        fix="Copy it to a folder, or push it by sha256.",
    )

"""A folder as a registry: one OCI image layout per repository, shared by processes without a server.

The shape is zot's (``<root>/<repository>/{oci-layout,index.json,blobs/sha256/…}``), so that skopeo, crane and zot read it as
it is. Beside the repositories, under names that no repository can have: ``_uploads`` (what is being written), ``_blobs``
(a second hard link to every blob, by which a repository gets what another one has without a copy) and ``_locks``.

The order of writing makes every moment a valid layout: blobs first, then the manifest, then ``index.json``; each appears
by one rename. Reading takes no lock. A blob that is reused gets a new time stamp under the repository's lock: by that the
collector (``registry/collect.py``) sees that somebody is about to point at it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlops.errors import Corrupt, NotFound, WrongUsage
from jupyter_mlops.oci.canonical import canonical
from jupyter_mlops.oci.descriptor import blobs_of, children_of, manifest_of, points_to, subject_of
from jupyter_mlops.oci.digest import SHA256, algorithm_of, digest_of, is_digest, parts_of
from jupyter_mlops.oci.disk import Upload, explained, has_size, read_chunks, readable, replace_file, sync_folder
from jupyter_mlops.oci.facts import Facts, facts_of
from jupyter_mlops.oci.index import Index, parse_index
from jupyter_mlops.oci.lease import Leases
from jupyter_mlops.oci.lock import locked
from jupyter_mlops.oci.names import OCI_MANIFEST
from jupyter_mlops.oci.reference import NAME_RULE, check_repository, check_tag
from jupyter_mlops.oci.store import Content, Descriptor, Manifest
from jupyter_mlops.oci.verify import verified

if TYPE_CHECKING:
    from typing import BinaryIO

MARKER = b'{"imageLayoutVersion":"1.0.0"}'
RESERVED = frozenset({"blobs", "index.json", "oci-layout"})
"""Components that no repository may have, since a repository lies inside the folder of the one above it."""

REMEMBERED = 10_000
"""Manifests whose facts are kept in memory; each is about half a kilobyte and can never change."""


def _any(index: Index) -> None:
    """No condition."""


class Layout:
    """The store of a folder; see :class:`jupyter_mlops.oci.store.Store`. Safe for threads and processes."""

    def __init__(self, root: Path) -> None:
        """Use a folder, which is made when something is first written."""
        self.root = Path(root).expanduser().resolve()
        self._uploads = self.root / "_uploads"
        self._indexes: dict[str, tuple[tuple[int, int, int], Index]] = {}
        self._facts: dict[str, Facts] = {}
        self._leases = Leases(partial(_lock_file, self.root, "lease"))  # not a method: a cycle would keep a lease

    @property
    def address(self) -> str:
        """``file:///…``."""
        return self.root.as_uri()

    # -- blobs -------------------------------------------------------------------------------------------------------------

    def put_blob(
        self, repository: str, data: Content, media_type: str, algorithm: str = SHA256, *, new: bool = False
    ) -> Descriptor:
        """Store bytes; a path or chunks are streamed. What is there already is not written again, ``new`` or not.

        Raises:
            WrongUsage: the repository's name.
            StorageFull, PlatformError: the folder cannot be written, or the path not be read.
        """
        del new  # they are hashed while they are written in any case
        self.folder(repository)
        if isinstance(data, bytes):
            digest = digest_of(data, algorithm)
            if self._reuse(repository, digest, len(data)):
                return Descriptor(media_type, digest, len(data))
            data = (data,)
        chunks: Iterable[bytes | memoryview] = read_chunks(data) if isinstance(data, Path) else data
        with explained(self.root):
            running = self.start_upload(algorithm)
        try:
            for chunk in chunks:
                with explained(self.root):
                    running.write(chunk)
            return self.finish_upload(repository, running, media_type)
        finally:
            running.discard()

    def open_blob(self, repository: str, digest: str) -> BinaryIO:
        """A stream that raises Corrupt at its last byte if the bytes do not have the digest.

        Raises:
            NotFound: code ``blob-unknown``.
            WrongUsage: no repository name, no digest.
        """
        file = self._opened(repository, digest)
        return verified(file, digest, os.fstat(file.fileno()).st_size, str(file.name))

    def read_range(self, repository: str, digest: str, start: int, count: int) -> bytes:
        """Up to ``count`` bytes from ``start``, unverified. Raises as :meth:`open_blob`."""
        with self._opened(repository, digest) as file, readable(Path(file.name)):
            return os.pread(file.fileno(), count, start)

    def _opened(self, repository: str, digest: str) -> FileIO:
        path = self.blob_path(repository, digest)
        try:
            with readable(path):
                return FileIO(str(path))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise _unknown_blob(repository, digest) from error

    def blob_size(self, repository: str, digest: str) -> int:
        """Bytes of a blob. Raises NotFound."""
        try:
            return self.blob_path(repository, digest).stat().st_size
        except OSError as error:
            raise _unknown_blob(repository, digest) from error

    def start_upload(self, algorithm: str = SHA256) -> Upload:
        """A blob on its way in, for who gets it piece by piece. Raises OSError."""
        return Upload(self._uploads, algorithm)

    def finish_upload(
        self, repository: str, running: Upload, media_type: str = "application/octet-stream", digest: str = ""
    ) -> Descriptor:
        """Give an upload its place, or drop it when the repository has the blob. Raises StorageFull, PlatformError.

        ``digest``: what was found to be its digest already; '' to take the one that ran along.
        """
        descriptor = Descriptor(media_type, digest or running.digest, running.size)
        if not self._reuse(repository, descriptor.digest, descriptor.size):
            path = self.blob_path(repository, descriptor.digest)
            with explained(self.root):
                running.commit(path)
                self._pool(path, descriptor.digest)
        running.discard()
        return descriptor

    def mount(self, repository: str, digest: str, source: str) -> bool:
        """Take a blob over from another repository ('': from any), without copying; False if it is not there.

        From any means from the pool, so that on a file system without hard links nothing is found.
        """
        path = self.blob_path(source, digest) if source else self.pooled(digest)
        if not path.is_file():
            return False
        if not self._reuse(repository, digest, path.stat().st_size):
            self.put_blob(repository, path, "application/octet-stream", algorithm_of(digest))
        return True

    # -- manifests ---------------------------------------------------------------------------------------------------------

    def put_manifest(self, repository: str, document: Mapping[str, Any], *, tags: Sequence[str] = ()) -> Manifest:
        """Store a manifest as canonical JSON and point tags at it, all at once.

        Raises:
            WrongUsage: a name, or no manifest.
            NotFound: code ``blob-unknown`` or ``manifest-unknown``: it points to what is not there.
        """
        return self.put_manifest_bytes(repository, canonical(document), tags=tags)

    def put_manifest_bytes(
        self,
        repository: str,
        data: bytes,
        media_type: str | None = None,
        *,
        tags: Sequence[str] = (),
        check: bool = True,
        algorithm: str = SHA256,
        condition: Callable[[Index], None] = _any,
    ) -> Manifest:
        """As :meth:`put_manifest`, with the very bytes.

        ``check``: the manifests that it holds must be there, too; its blobs always. ``condition``: raises where the
        repository, which nobody changes meanwhile, shall not get it.
        """
        folder = self.folder(repository)
        for tag in tags:
            check_tag(tag)
        manifest = manifest_of(data, media_type, f"the manifest for {repository}", algorithm)
        condition(self.index(repository))
        self.put_blob(repository, data, manifest.descriptor.media_type, algorithm)
        with explained(self.root), self._locked(repository):
            condition(self.index(repository))
            self._check_complete(repository, manifest, children=check)
            if not (folder / "oci-layout").exists():
                replace_file(folder / "oci-layout", MARKER, self._uploads)
            sync_folder(self.blob_path(repository, manifest.descriptor.digest).parent)
            self._save(repository, self.index(repository).with_manifest(manifest.descriptor, tags))
        rooted = bool(tags) or subject_of(manifest.document) is not None
        self._leases.settle(repository, (*points_to(manifest), *((manifest.descriptor.digest,) if rooted else ())))
        return manifest

    def get_manifest(self, repository: str, reference: str) -> Manifest:
        """By tag or digest.

        Raises:
            NotFound: code ``manifest-unknown``; the fix lists the tags.
            Corrupt: its bytes do not have the digest.
        """
        index = self.index(repository)
        digest = index.resolve(reference)
        if digest is None and is_digest(reference) and self._is_child(repository, index, reference):
            digest = reference
        if digest is None:
            tags = ", ".join(list(index.tags)[-20:])
            raise NotFound(
                f"{repository} has no {reference}",
                code="manifest-unknown",
                fix=f"There is: {tags}." if tags else "The repository is empty.",
            )
        known = index.manifests.get(digest)
        return self._read_manifest(repository, digest, known.media_type if known else None)

    def tags(self, repository: str) -> Sequence[str]:
        """All tags, sorted; empty for an unknown repository."""
        return sorted(self.index(repository).tags)

    def referrers(self, repository: str, digest: str, artifact_type: str | None = None) -> Sequence[Descriptor]:
        """Descriptors of the manifests whose subject is this digest, with their annotations, by digest.

        A damaged manifest is left out: it shall not hide the sound ones.
        """
        parts_of(digest)
        found = []
        for known in sorted(self.index(repository).manifests):
            with suppress(Corrupt, NotFound, WrongUsage):
                facts = self.facts(repository, known)
                if facts.subject == digest and artifact_type in {None, facts.descriptor.artifact_type}:
                    found.append(facts.descriptor)
        return found

    def delete(self, repository: str, reference: str, condition: Callable[[Index], None] = _any) -> None:
        """Take a tag off, or drop a manifest with all its tags. Bytes go when they are collected.

        Raises:
            NotFound: code ``manifest-unknown``.
        """
        with explained(self.root), self._locked(repository):
            index = self.index(repository)
            condition(index)
            if index.resolve(reference) is None:
                raise NotFound(f"{repository} has no {reference}", code="manifest-unknown")
            self._save(repository, index.without_manifest(reference) if is_digest(reference) else index.without_tag(reference))

    # -- what the registry room builds on ------------------------------------------------------------------------------------

    def repositories(self) -> Sequence[str]:
        """All repositories, sorted."""
        found = []
        for folder, names, files in os.walk(self.root):
            if "index.json" in files:
                found.append(Path(folder).relative_to(self.root).as_posix())
            names[:] = sorted(name for name in names if name not in RESERVED and not name.startswith("_"))
        return sorted(found)

    def facts(self, repository: str, digest: str) -> Facts:
        """What a manifest points to, remembered. Raises NotFound, Corrupt, WrongUsage."""
        facts = self._facts.get(digest)
        if facts is None:
            facts = facts_of(self._read_manifest(repository, digest))
            if len(self._facts) >= REMEMBERED:
                self._facts.clear()
            self._facts[digest] = facts
        return facts

    @contextmanager
    def exclusive(self, repository: str) -> Iterator[None]:
        """Keep other publishers out of a repository, for who reads its tags to choose the next. Not reentrant."""
        with ExitStack() as held:
            with explained(self.root):  # the taking of the lock, not what is done under it
                held.enter_context(locked(_lock_file(self.root, "publish", repository)))
            yield

    @contextmanager
    def edit(self, repository: str) -> Iterator[Callable[[Index], None]]:
        """Hold ``index.json`` still, and save a new one by the function given."""
        with explained(self.root), self._locked(repository):
            yield lambda index: self._save(repository, index)

    def folder(self, repository: str) -> Path:
        """Where a repository lies. Raises WrongUsage if that cannot be its name."""
        parts = check_repository(repository).split("/")
        if taken := RESERVED.intersection(parts):
            raise WrongUsage(
                f"{repository!r} is not a valid repository name: {min(taken)!r} is a name of the layout itself",
                code="invalid-name",
                fix=NAME_RULE,
            )
        return self.root.joinpath(*parts)

    def blob_path(self, repository: str, digest: str) -> Path:
        """Where a blob lies, whether it is there or not."""
        return self.folder(repository).joinpath("blobs", *parts_of(digest))

    def pooled(self, digest: str) -> Path:
        """The second name of a blob, by which every repository may get it, whether it is there or not."""
        return self.root.joinpath("_blobs", *parts_of(digest))

    def give_up(self, repository: str, digest: str) -> None:
        """No manifest will come for this blob from here."""
        self._leases.settle(repository, (digest,))

    def lease_file(self, repository: str) -> Path:
        """What publishers share a lock on while they are between blobs and manifest."""
        return _lock_file(self.root, "lease", repository)

    # -- inside ----------------------------------------------------------------------------------------------------------------

    def _reuse(self, repository: str, digest: str, size: int) -> bool:
        """Whether the repository has the blob, or gets it by a link from the pool; it counts as new from now on.

        A file of another size is what a power cut left: it does not count, and is written again.
        """
        path = self.blob_path(repository, digest)
        with explained(self.root):
            self._leases.hold(repository, digest)
        pooled = self.pooled(digest)
        if not (has_size(path, size) or has_size(pooled, size)):
            return False
        with explained(self.root), self._locked(repository), suppress(FileNotFoundError):
            if not has_size(path, size):
                path.parent.mkdir(parents=True, exist_ok=True)
                with suppress(FileExistsError):
                    os.link(pooled, path)
            os.utime(path)
            return has_size(path, size)
        return False

    def _pool(self, path: Path, digest: str) -> None:
        """Give a new blob its second name. Some file systems have no hard links: then nothing is shared."""
        pooled = self.pooled(digest)
        with suppress(OSError):
            pooled.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, pooled)

    def _check_complete(self, repository: str, manifest: Manifest, *, children: bool) -> None:
        """See that all that a manifest points to is there."""
        for blob in blobs_of(manifest.document):
            if not self.blob_path(repository, blob.digest).is_file():
                raise _unknown_blob(repository, blob.digest)
        for child in children_of(manifest.document) if children else ():
            if not self.blob_path(repository, child.digest).is_file():
                raise NotFound(
                    f"{repository} has no manifest {child.digest}", code="manifest-unknown", fix="Push the parts of an index first."
                )

    def _is_child(self, repository: str, index: Index, digest: str) -> bool:
        """Whether an index of the repository holds the manifest, which then needs no entry of its own."""
        for known in index.manifests.values():
            with suppress(Corrupt, NotFound, WrongUsage):
                if known.media_type != OCI_MANIFEST and digest in self.facts(repository, known.digest).children:
                    return self.blob_path(repository, digest).is_file()
        return False

    def _read_manifest(self, repository: str, digest: str, media_type: str | None = None) -> Manifest:
        """A manifest's bytes, verified and parsed."""
        with self.open_blob(repository, digest) as stream:
            data = stream.read()
        return manifest_of(data, media_type, f"{digest} in {repository}", algorithm_of(digest))

    def index(self, repository: str) -> Index:
        """The entries of a repository; empty for an unknown one. Read once: a replaced file has another inode or time."""
        path = self.folder(repository) / "index.json"
        try:
            with readable(path), path.open("rb") as file:
                status = os.fstat(file.fileno())
                stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
                known = self._indexes.get(repository)
                if known is not None and known[0] == stamp:
                    return known[1]
                index = parse_index(file.read(), str(path))
        except (FileNotFoundError, NotADirectoryError):
            return Index()
        self._indexes[repository] = (stamp, index)
        return index

    def _save(self, repository: str, index: Index) -> None:
        replace_file(self.folder(repository) / "index.json", index.to_bytes(), self._uploads)

    def _locked(self, repository: str) -> AbstractContextManager[None]:
        return locked(_lock_file(self.root, "index", repository))


def _lock_file(root: Path, what: str, repository: str) -> Path:
    return root / "_locks" / f"{check_repository(repository).replace('/', '%2F')}.{what}"


def _unknown_blob(repository: str, digest: str) -> NotFound:
    return NotFound(f"{repository} has no blob {digest}", code="blob-unknown", fix="It was deleted, or never pushed there.")

"""Any registry of the distribution specification as a store, with or without the referrers API.

Everything is checked against its digest while it moves, and what the registry has is not sent again: what this process has
seen in another repository is mounted from there. How requests are sent is in ``http.py``, how blobs move in ``upload.py`` and
``download.py``, where referrers are when the registry keeps none in ``referrers.py``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jupyter_mlops.errors import Corrupt, MlopsError, NotFound, Unavailable, WrongUsage
from jupyter_mlops.oci import referrers as fallback
from jupyter_mlops.oci.canonical import canonical, parse_object
from jupyter_mlops.oci.catalog import CATALOG, enter, entered, without
from jupyter_mlops.oci.connection import Answer, Part, Stream
from jupyter_mlops.oci.content import FileChunks, beginning, known_size, measure, spooled
from jupyter_mlops.oci.descriptor import (
    MANIFEST_TYPES,
    MAX_MANIFEST,
    blobs_of,
    children_of,
    from_dict,
    manifest_of,
    subject_of,
)
from jupyter_mlops.oci.digest import CHUNK, SHA256, algorithm_of, digest_of, hex_of, is_digest
from jupyter_mlops.oci.disk import read_chunks
from jupyter_mlops.oci.download import Download, read_part
from jupyter_mlops.oci.hashing import Hashing
from jupyter_mlops.oci.http import Transport
from jupyter_mlops.oci.reference import check_repository, check_tag
from jupyter_mlops.oci.store import Content, Descriptor, Manifest
from jupyter_mlops.oci.upload import Sending
from jupyter_mlops.oci.verify import verified

if TYPE_CHECKING:
    from typing import BinaryIO

ACCEPT = {"Accept": ", ".join(sorted(MANIFEST_TYPES))}
PAGE = 1000
NEW = 8 << 20
"""Bytes from which what is new is hashed while it is sent: below that the hash takes less than the request more."""

REMEMBERED = 20_000
"""Blobs whose repositories are kept in memory."""


class Remote:
    """The store at ``http(s)://host[/base]``; see :class:`jupyter_mlops.oci.store.Store`. Safe for threads."""

    def __init__(self, address: str) -> None:
        """Nothing is asked before it is used."""
        parts = urlsplit(address)
        self._address = address.rstrip("/")
        self._base = parts.path.strip("/")
        self._transport = Transport(self._address)
        self._where: dict[str, dict[str, None]] = {}
        self._entered: set[str] = {CATALOG}
        self._sent: set[int] = set()
        """Sizes of what was sent as new: where all is done once more after a failure, it is there by now."""
        self._lists: bool | None = None
        self._refers: bool | None = None

    @property
    def address(self) -> str:
        """As it was given."""
        return self._address

    # -- blobs -------------------------------------------------------------------------------------------------------------

    def put_blob(self, repository: str, data: Content, media_type: str, *, new: bool = False) -> Descriptor:
        """Store bytes; a path, or chunks, are read twice, so that what is there is not sent again: a hash costs less.

        What is ``new``, and not small, is read once. Chunks that come only once (from a generator) go over the disk if they are
        large.

        Raises:
            WrongUsage, NotAllowed, StorageFull, Unavailable: see :meth:`Transport.ask`.
        """
        self._path(repository)
        if isinstance(data, bytes):
            return self._send(repository, Descriptor(media_type, digest_of(data), len(data)), data)
        if new and (size := known_size(data)) >= NEW and size not in self._sent:
            self._sent.add(size)
            hashing = Hashing(FileChunks(data) if isinstance(data, Path) else data, size)
            digest = self._sending(repository, "", Stream(hashing, 0, size)).send_new(hashing)
            self._note(repository, digest)
            return Descriptor(media_type, digest, size)
        if isinstance(data, Path):
            digest, size = measure(read_chunks(data))
            return self.put_file(repository, Descriptor(media_type, digest, size), data)
        if not isinstance(data, Iterator):
            digest, size = measure(data)
            return self._send(repository, Descriptor(media_type, digest, size), Stream(data, 0, size))
        start, chunks = beginning(data)
        if len(start) <= CHUNK:
            return self._send(repository, Descriptor(media_type, digest_of(start), len(start)), start)
        with spooled(chain([start], chunks)) as spool:
            return self.put_file(repository, Descriptor(media_type, spool.digest, spool.size), spool.path)

    def put_file(self, repository: str, blob: Descriptor, path: Path, moved: Callable[[int], None] | None = None) -> Descriptor:
        """Store a file whose digest is known, as that of a blob in a folder is; the registry checks it.

        ``moved`` is told how many of its bytes went, now and then; fewer than before when some are sent again.
        """
        hex_of(blob.digest)
        return self._send(repository, blob, Part(path, 0, blob.size, moved))

    def put_chunks(self, repository: str, blob: Descriptor, chunks: Iterable[bytes | memoryview]) -> Descriptor:
        """Store what comes in chunks and has a known digest, in one pass; ``chunks`` can be had again, for after a break."""
        hex_of(blob.digest)
        return self._send(repository, blob, Stream(chunks, 0, blob.size))

    def open_blob(self, repository: str, digest: str) -> BinaryIO:
        """A stream that raises Corrupt at its last byte if the bytes do not have the digest; broken connections are mended.

        Raises:
            NotFound: there is no such blob.
        """
        source, size = self.read_blob(repository, digest)
        return verified(source, digest, size, f"{self._address}/{repository}")

    def read_blob(self, repository: str, digest: str) -> tuple[Download, int]:
        """The bytes of a blob, which whoever reads them has to check, and their number. Raises NotFound."""
        hex_of(digest)
        path = f"blobs/{digest}"
        answer = self._ask("GET", repository, path)
        size = answer.length
        if size is None:
            with self._ask("HEAD", repository, path) as said:
                length = said.headers.get("Content-Length", "")
            if not length.isdecimal():
                answer.close()
                raise Unavailable(
                    f"{self._address} does not say how large {digest} is", code="no-length", fix="Use another registry."
                )
            size = int(length)
        self._note(repository, digest)
        patience = self._transport.patience(patient=True)
        return Download(answer, size, lambda headers: self._ask("GET", repository, path, headers), patience), size

    def read_range(self, repository: str, digest: str, start: int, count: int) -> bytes:
        """Up to ``count`` bytes of a blob from ``start``, unverified. Raises as :meth:`open_blob`."""
        hex_of(digest)
        ask = partial(self._ask, "GET", repository, f"blobs/{digest}")
        return read_part(ask, start, count, self._transport.patience(patient=False))

    def mount(self, repository: str, digest: str, source: str) -> bool:
        """Take a blob over from another repository, without sending it; False if the registry does not do that."""
        if not self._sending(repository, digest, b"").take(self._path(source)[4:]):
            return False
        self._note(repository, digest)
        return True

    def has_blob(self, repository: str, digest: str) -> bool:
        """Whether it is there."""
        try:
            self._ask("HEAD", repository, f"blobs/{digest}").close()
        except NotFound:
            return False
        self._note(repository, digest)
        return True

    def _send(self, repository: str, blob: Descriptor, body: bytes | Part | Stream) -> Descriptor:
        sources = [self._path(each)[4:] for each in self._where.get(blob.digest, ()) if each != repository]
        self._sending(repository, blob.digest, body).send(sources[:2])
        self._note(repository, blob.digest)
        return blob

    def _sending(self, repository: str, digest: str, body: bytes | Part | Stream) -> Sending:
        return Sending(self._transport, self._path(repository), self._scope(repository), digest, body)

    def _note(self, repository: str, digest: str) -> None:
        """Remember that it is there: another repository can have it from there, and a manifest may point to it."""
        if len(self._where) > REMEMBERED:
            self._where.clear()
        self._where.setdefault(digest, {})[repository] = None

    # -- manifests ---------------------------------------------------------------------------------------------------------

    def put_manifest(self, repository: str, document: Mapping[str, Any], *, tags: Sequence[str] = ()) -> Manifest:
        """Store a manifest as canonical JSON and point tags at it, one after the other.

        Raises:
            WrongUsage: a name, no manifest, or the registry does not take it.
            NotFound: it points to what is not there.
        """
        return self.put_manifest_bytes(repository, canonical(document), tags=tags)

    def put_manifest_bytes(
        self, repository: str, data: bytes, media_type: str | None = None, *, tags: Sequence[str] = (), check: bool = True
    ) -> Manifest:
        """As :meth:`put_manifest`, with the very bytes. ``check``: everything that it points to must be there."""
        for tag in tags:
            check_tag(tag)
        self._path(repository)
        manifest = manifest_of(data, media_type, f"the manifest for {repository}")
        if check:
            self._check_complete(repository, manifest)
        subject = subject_of(manifest.document)
        for reference in tags or (manifest.descriptor.digest,):
            self.put_as(repository, reference, manifest)
        if subject and not self._refers:
            fallback.keep(self, repository, subject, manifest)
        if tags and repository not in self._entered:
            self._enter(repository)
        return manifest

    def put_as(self, repository: str, reference: str, manifest: Manifest) -> None:
        """Put a manifest under a tag or its digest, and nothing besides."""
        kind = {"Content-Type": manifest.descriptor.media_type}
        with self._ask("PUT", repository, f"manifests/{reference}", kind, manifest.data) as answer:
            if answer.status != 201 and "Docker-Content-Digest" not in answer.headers:  # noqa: PLR2004 - created
                raise self._no_registry(answer)
            if subject_of(manifest.document):
                self._refers = "OCI-Subject" in answer.headers
        self._note(repository, manifest.descriptor.digest)

    def get_manifest(self, repository: str, reference: str) -> Manifest:
        """By tag or digest.

        Raises:
            NotFound: there is none.
            Corrupt: the bytes do not have the digest.
        """
        if not is_digest(reference):
            check_tag(reference)
        for pause in (0.1, 0.3):
            with suppress(Corrupt, WrongUsage):  # half written by another client, on a registry that writes in place
                return self._read_manifest(repository, reference)
            time.sleep(pause)
        return self._read_manifest(repository, reference)

    def _read_manifest(self, repository: str, reference: str) -> Manifest:
        with self._ask("GET", repository, f"manifests/{reference}", ACCEPT) as answer:
            data = answer.read(MAX_MANIFEST + 1)
            kind = answer.headers.get_content_type()
            said = reference if is_digest(reference) else answer.headers.get("Docker-Content-Digest")
            if kind == "text/html":
                raise self._no_registry(answer)
        algorithm = algorithm_of(said) if said and is_digest(said) else SHA256
        if said and said != digest_of(data, algorithm):
            raise Corrupt(f"{said} in {self._address}/{repository} is damaged: the registry sent {digest_of(data, algorithm)}")
        return manifest_of(data, kind if kind in MANIFEST_TYPES else None, f"{reference} in {repository}", algorithm)

    def resolve(self, repository: str, reference: str) -> str:
        """The digest that a tag points at now, in one small request. Raises NotFound."""
        if not is_digest(reference):
            check_tag(reference)
        digest = ""
        with suppress(NotFound), self._ask("HEAD", repository, f"manifests/{reference}", ACCEPT) as answer:
            digest = answer.headers.get("Docker-Content-Digest", "")
        return digest if is_digest(digest) else self.get_manifest(repository, reference).descriptor.digest

    def delete(self, repository: str, reference: str) -> None:
        """Let the registry delete a manifest, or a tag where it can.

        Raises:
            NotFound: there is none.
            WrongUsage: code ``registry-unsupported``: it does not delete, or not by tag.
        """
        self._ask("DELETE", repository, f"manifests/{reference}").close()
        for known in list(self._where.values()):
            known.pop(repository, None)

    def _check_complete(self, repository: str, manifest: Manifest) -> None:
        """See that all that a manifest points to is there: some registries do not. What this process put needs no request."""
        for blob in blobs_of(manifest.document):
            if repository not in self._where.get(blob.digest, ()) and not self.has_blob(repository, blob.digest):
                raise NotFound(f"{repository} has no blob {blob.digest}", code="blob-unknown", fix="Push the layers first.")
        for child in children_of(manifest.document):
            if repository not in self._where.get(child.digest, ()):
                self.resolve(repository, child.digest)
                self._note(repository, child.digest)

    # -- lists -------------------------------------------------------------------------------------------------------------

    def tags(self, repository: str) -> Sequence[str]:
        """All tags, sorted; empty for an unknown repository."""
        with suppress(NotFound):
            return sorted(self._pages(self._path(repository), f"tags/list?n={PAGE}", "tags", self._scope(repository)))
        return []

    def referrers(self, repository: str, digest: str, artifact_type: str | None = None) -> Sequence[Descriptor]:
        """Descriptors of the manifests whose subject is this digest, with their annotations, by digest."""
        hex_of(digest)
        listed: list[Descriptor] | None = None
        if self._refers is not False:
            with suppress(NotFound):
                pages = self._pages(self._path(repository), f"referrers/{digest}", "manifests", self._scope(repository))
                listed = [from_dict(entry, f"the referrers of {digest}") for entry in pages]
                self._refers = True
        if listed is None:
            listed = fallback.read_all(self, repository, digest)
        return sorted((one for one in listed if artifact_type in {None, one.artifact_type}), key=lambda one: one.digest)

    def repositories(self) -> Sequence[str]:
        """All repositories below the base, sorted: as the registry lists them, else as our own marks do.

        Raises:
            NotAllowed, Unavailable: see :meth:`Transport.ask`.
        """
        if self._can_list():
            start = f"{self._base}/" if self._base else ""
            names = self._pages("/v2", f"_catalog?n={PAGE}", "repositories", "registry:catalog")
            return without([name.removeprefix(start) for name in names if name.startswith(start)])
        return without(entered(self))

    def _can_list(self) -> bool:
        """Whether the registry has a list of its repositories, and shows it to this login."""
        if self._lists is None:
            try:
                self._transport.ask("GET", "/v2/_catalog?n=1", scope="registry:catalog").close()
                self._lists = True
            except MlopsError as error:
                if isinstance(error, Unavailable):
                    raise
                self._lists = False
        return self._lists

    def _enter(self, repository: str) -> None:
        """Leave a mark where the registry lists nothing. Who may not write there has still pushed what was to be pushed."""
        self._entered.add(repository)
        with suppress(MlopsError):
            if not self._can_list():
                enter(self, repository)

    def _pages(self, path: str, rest: str, key: str, scope: str) -> Iterator[Any]:
        """The entries of a list, over all of its pages. Raises NotFound; Unavailable where it is no list."""
        following: str | None = f"{path}/{rest}"
        seen = set()
        while following and following not in seen:
            seen.add(following)
            with self._transport.ask("GET", following, scope=scope) as answer:
                try:
                    entries = parse_object(answer.read(), "a list").get(key) or []
                except Corrupt:
                    raise self._no_registry(answer) from None
                link = answer.headers.get("Link", "")
            if not isinstance(entries, list):
                raise self._no_registry(answer)
            yield from entries
            target, _, relation = link.partition(">")
            more = "next" in relation and target.startswith("<")
            following = f"{path}/{rest.partition('?')[0]}?{urlsplit(target[1:]).query}" if more else None

    # -- inside ------------------------------------------------------------------------------------------------------------

    def _path(self, repository: str) -> str:
        name = f"{self._base}/{check_repository(repository)}" if self._base else check_repository(repository)
        return f"/v2/{name}"

    def _scope(self, repository: str) -> str:
        return f"repository:{self._path(repository)[4:]}"

    def _ask(
        self, method: str, repository: str, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        scope, patient = self._scope(repository), method == "PUT"
        where = f"{self._path(repository)}/{path}"
        return self._transport.ask(method, where, scope=scope, headers=headers, body=body, patient=patient)

    def _no_registry(self, answer: Answer) -> Unavailable:
        kind = answer.headers.get_content_type()
        return Unavailable(
            f"{self._address} is no registry: it answered {answer.status} with {kind}",
            code="not-a-registry",
            fix="Check the address; a gateway or a login page may stand in between.",
        )

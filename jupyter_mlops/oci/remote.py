"""Any registry of the distribution specification as a store, with or without the referrers API.

Everything is checked against its digest while it moves, and what the registry has is not sent again. Where the registry
does not keep referrers (it does not answer ``OCI-Subject``), they are kept in an index under the tag ``sha256-<digest>``, as the
specification asks of clients.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from jupyter_mlops.errors import Corrupt, NotFound, Unavailable
from jupyter_mlops.oci.canonical import canonical, parse_object
from jupyter_mlops.oci.descriptor import MANIFEST_TYPES, MAX_MANIFEST, from_dict, manifest_of, subject_of, to_dict
from jupyter_mlops.oci.digest import digest_of, hex_of, is_digest
from jupyter_mlops.oci.disk import Upload, explained, read_chunks
from jupyter_mlops.oci.http import Transport
from jupyter_mlops.oci.names import OCI_INDEX
from jupyter_mlops.oci.reference import check_repository, check_tag
from jupyter_mlops.oci.store import Descriptor, Manifest
from jupyter_mlops.oci.verify import verified

if TYPE_CHECKING:
    from http.client import HTTPResponse
    from typing import BinaryIO


class Remote:
    """The store at ``http(s)://host[/base]``; see :class:`jupyter_mlops.oci.store.Store`."""

    def __init__(self, address: str) -> None:
        """Nothing is asked before it is used."""
        parts = urlsplit(address)
        self._address = address.rstrip("/")
        self._base = parts.path.strip("/")
        self._transport = Transport(f"{parts.scheme}://{parts.netloc}")

    @property
    def address(self) -> str:
        """As it was given."""
        return self._address

    # -- blobs -------------------------------------------------------------------------------------------------------------

    def put_blob(self, repository: str, data: bytes | Path | Iterable[bytes | memoryview], media_type: str) -> Descriptor:
        """Store bytes; a path or chunks are streamed from disk, since a registry wants size and digest first.

        Raises:
            WrongUsage, NotAllowed, StorageFull, Unavailable: see :meth:`Transport.ask`.
        """
        self._path(repository)
        if isinstance(data, bytes):
            self._send_blob(repository, digest_of(data), len(data), lambda: (data,))
            return Descriptor(media_type, digest_of(data), len(data))
        if isinstance(data, Path):
            digest, size = _measure(data)
            self._send_blob(repository, digest, size, lambda: read_chunks(data))
            return Descriptor(media_type, digest, size)
        with _spooled(data) as spool:
            self._send_blob(repository, spool.digest, spool.size, lambda: read_chunks(spool.path))
            return Descriptor(media_type, spool.digest, spool.size)

    def open_blob(self, repository: str, digest: str) -> BinaryIO:
        """A stream that raises Corrupt at its last byte if the bytes do not have the digest.

        Raises:
            NotFound: there is no such blob.
        """
        hex_of(digest)
        answer = self._ask("GET", repository, f"blobs/{digest}")
        if answer.length is None:
            answer.close()
            raise Unavailable(f"{self._address} does not say how large {digest} is", code="no-length")
        return verified(answer, digest, answer.length, f"{self._address}/{repository}")

    def _send_blob(self, repository: str, digest: str, size: int, chunks: Any) -> None:
        try:
            self._ask("HEAD", repository, f"blobs/{digest}").close()
        except NotFound:
            with self._ask("POST", repository, "blobs/uploads/", {"Content-Length": "0"}) as started:
                place = started.headers["Location"]
            place += f"{'&' if '?' in place else '?'}{urlencode({'digest': digest})}"
            headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
            self._transport.ask("PUT", place, scope=self._scope(repository), headers=headers, body=chunks).close()

    # -- manifests ---------------------------------------------------------------------------------------------------------

    def put_manifest(self, repository: str, document: Mapping[str, Any], *, tags: Sequence[str] = ()) -> Manifest:
        """Store a manifest as canonical JSON and point tags at it, one after the other.

        Raises:
            WrongUsage: a name, no manifest, or the registry does not take it.
            NotFound: it points to what is not there.
        """
        for tag in tags:
            check_tag(tag)
        self._path(repository)
        manifest = manifest_of(canonical(document), None, f"the manifest for {repository}")
        kept = True
        for reference in tags or (manifest.descriptor.digest,):
            headers = {"Content-Type": manifest.descriptor.media_type, "Content-Length": str(len(manifest.data))}
            with self._ask("PUT", repository, f"manifests/{reference}", headers, manifest.data) as answer:
                kept = "OCI-Subject" in answer.headers
        subject = subject_of(document)
        if subject and not kept:
            self._keep_referrer(repository, subject, manifest.descriptor)
        return manifest

    def get_manifest(self, repository: str, reference: str) -> Manifest:
        """By tag or digest.

        Raises:
            NotFound: there is none.
            Corrupt: the bytes do not have the digest.
        """
        if not is_digest(reference):
            check_tag(reference)
        with self._ask("GET", repository, f"manifests/{reference}", {"Accept": ", ".join(sorted(MANIFEST_TYPES))}) as answer:
            data = answer.read(MAX_MANIFEST + 1)
            kind = answer.headers.get_content_type()
            said = reference if is_digest(reference) else answer.headers.get("Docker-Content-Digest")
        if said and said != digest_of(data):
            raise Corrupt(f"{said} in {self._address}/{repository} is damaged: the registry sent {digest_of(data)}")
        return manifest_of(data, kind if kind in MANIFEST_TYPES else None, f"{reference} in {repository}")

    def tags(self, repository: str) -> Sequence[str]:
        """All tags, sorted; empty for an unknown repository."""
        found: list[str] = []
        path: str | None = "tags/list"
        while path:
            try:
                with self._ask("GET", repository, path) as answer:
                    found += parse_object(answer.read(), f"the tags of {repository}").get("tags") or []
                    link = answer.headers.get("Link", "")
            except NotFound:
                break
            path = "tags/list?" + urlsplit(link[1 : link.index(">")]).query if 'rel="next"' in link else None
        return sorted(found)

    def referrers(self, repository: str, digest: str, artifact_type: str | None = None) -> Sequence[Descriptor]:
        """Descriptors of the manifests whose subject is this digest, with their annotations, by digest."""
        hex_of(digest)
        try:
            with self._ask("GET", repository, f"referrers/{digest}") as answer:
                listed = parse_object(answer.read(), f"the referrers of {digest}").get("manifests") or []
        except NotFound:
            listed = self._fallback(repository, digest)
        found = [from_dict(each, f"the referrers of {digest}") for each in listed]
        return sorted((each for each in found if artifact_type in {None, each.artifact_type}), key=lambda each: each.digest)

    def _fallback(self, repository: str, digest: str) -> list[Any]:
        """What the index of referrers holds. Some registries answer with the subject itself: that is none."""
        try:
            index = self.get_manifest(repository, digest.replace(":", "-"))
        except NotFound:
            return []
        right = index.descriptor.media_type == OCI_INDEX and index.descriptor.digest != digest
        return list(index.document.get("manifests") or []) if right else []

    def _keep_referrer(self, repository: str, subject: str, descriptor: Descriptor) -> None:
        """Add to the index of referrers, and look whether somebody else overwrote it meanwhile."""
        for _ in range(8):
            listed = self._fallback(repository, subject)
            if any(each["digest"] == descriptor.digest for each in listed):
                return
            document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [*listed, to_dict(descriptor)]}
            self.put_manifest(repository, document, tags=[subject.replace(":", "-")])
        raise Unavailable(f"{self._address}/{repository} is written to by too many at once", fix="Try again.")

    # -- inside ------------------------------------------------------------------------------------------------------------

    def _path(self, repository: str) -> str:
        name = f"{self._base}/{check_repository(repository)}" if self._base else check_repository(repository)
        return f"/v2/{name}"

    def _scope(self, repository: str) -> str:
        return f"repository:{self._path(repository)[4:]}"

    def _ask(
        self, method: str, repository: str, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> HTTPResponse:
        scope = self._scope(repository)
        return self._transport.ask(method, f"{self._path(repository)}/{path}", scope=scope, headers=headers, body=body)


def _measure(path: Path) -> tuple[str, int]:
    """Digest and size of a file."""
    total, size = hashlib.sha256(), 0
    for chunk in read_chunks(path):
        total.update(chunk)
        size += len(chunk)
    return "sha256:" + total.hexdigest(), size


@contextmanager
def _spooled(chunks: Iterable[bytes | memoryview]) -> Iterator[Upload]:
    """What is to be sent, on disk, with its size and digest. Raises StorageFull, PlatformError."""
    folder = Path(tempfile.gettempdir())
    with explained(folder):
        spool = Upload(folder)
    try:
        for chunk in chunks:
            with explained(folder):
                spool.write(chunk)
        yield spool
    finally:
        spool.discard()

"""The distribution specification 1.1 over a folder: one handler per noun of ``/v2/``.

Bodies stream both ways in pieces of at most a megabyte, and files are touched in threads, so that a large blob neither
fills memory nor stops other requests. A blob is not hashed again while it is served: who pulls by digest verifies.
"""

from __future__ import annotations

import asyncio
import json
import re

from tornado import web
from tornado.iostream import StreamClosedError

from jupyter_mlops.errors import NotFound, WrongUsage
from jupyter_mlops.oci.descriptor import MAX_MANIFEST, subject_of, to_dict
from jupyter_mlops.oci.digest import CHUNK, digest_of, hex_of, is_digest
from jupyter_mlops.oci.names import OCI_INDEX
from jupyter_mlops.oci.reference import check_tag
from jupyter_mlops.oci.store import Manifest
from jupyter_mlops.registry.handler import Handler
from jupyter_mlops.registry.upload_handler import UploadHandler

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class VersionHandler(Handler):
    """``/v2/``: clients ask it first, to see whether they must log in."""

    def get(self) -> None:
        """Yes, this is a registry."""
        self.finish({})


class CatalogHandler(Handler):
    """``/v2/_catalog``."""

    async def get(self) -> None:
        """All repositories."""
        names = await asyncio.to_thread(self.layout.repositories)
        self.finish({"repositories": self.page(list(names))})


class TagsHandler(Handler):
    """``/v2/<name>/tags/list``."""

    async def get(self, name: str) -> None:
        """All tags, sorted."""
        index = await asyncio.to_thread(self.layout.index, name)
        if not index.entries:
            raise NotFound(f"no repository {name}", code="name-unknown")
        self.finish({"name": name, "tags": self.page(sorted(index.tags))})


class ReferrersHandler(Handler):
    """``/v2/<name>/referrers/<digest>``."""

    async def get(self, name: str, digest: str) -> None:
        """What is about a manifest, as an index; an unknown one has none."""
        kind = self.get_query_argument("artifactType", None)
        found = await asyncio.to_thread(self.layout.referrers, name, digest, kind)
        if kind is not None:
            self.set_header("OCI-Filters-Applied", "artifactType")
        self.set_header("Content-Type", OCI_INDEX)
        document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [to_dict(each) for each in found]}
        self.finish(json.dumps(document))


@web.stream_request_body
class ManifestHandler(Handler):
    """``/v2/<name>/manifests/<reference>``."""

    def prepare(self) -> None:
        """Take the body piece by piece, to stop at the limit."""
        self.body = bytearray()
        self.take_large_body()
        super().prepare()

    def data_received(self, chunk: bytes) -> None:
        """Keep what can still be a manifest: one byte more than the limit shows that it is not."""
        self.body += chunk[: MAX_MANIFEST + 1 - len(self.body)]

    async def head(self, name: str, reference: str) -> None:
        """As GET, without the bytes."""
        await self.get(name, reference)

    async def get(self, name: str, reference: str) -> None:
        """The very bytes, by tag or digest."""
        manifest = await asyncio.to_thread(self.layout.get_manifest, name, reference)
        self.set_header("Content-Type", manifest.descriptor.media_type)
        self.set_header("Docker-Content-Digest", manifest.descriptor.digest)
        self.set_header("ETag", f'"{manifest.descriptor.digest}"')
        self.set_header("Content-Length", manifest.descriptor.size)
        self.finish(manifest.data if self.request.method == "GET" else None)

    async def put(self, name: str, reference: str) -> None:
        """Store it by tag, or by digest with any number of ``?tag=``."""
        if ":" in reference:
            hex_of(reference)
        tags = self.get_query_arguments("tag") if is_digest(reference) else [check_tag(reference)]
        media_type = self.request.headers.get("Content-Type", "").partition(";")[0].strip() or None
        try:
            manifest = await asyncio.to_thread(self._store, name, reference, media_type, tags)
        except NotFound as error:
            self.fail(404, "MANIFEST_BLOB_UNKNOWN", str(error))
            return
        if subject := subject_of(manifest.document):
            self.set_header("OCI-Subject", subject)
        for tag in tags if is_digest(reference) else ():
            self.add_header("OCI-Tag", tag)
        self.created(f"/v2/{name}/manifests/{reference}", manifest.descriptor.digest)

    async def delete(self, name: str, reference: str) -> None:
        """A tag alone, or a manifest with all its tags."""
        await asyncio.to_thread(self.layout.delete, name, reference)
        self.set_status(202)

    def _store(self, name: str, reference: str, media_type: str | None, tags: list[str]) -> Manifest:
        if is_digest(reference) and digest_of(bytes(self.body)) != reference:
            raise WrongUsage(f"the manifest sent does not have the digest {reference}", code="invalid-digest")
        return self.layout.put_manifest_bytes(name, bytes(self.body), media_type, tags=tags)


class BlobHandler(Handler):
    """``/v2/<name>/blobs/<digest>``."""

    async def head(self, name: str, digest: str) -> None:
        """Whether it is there, and how large."""
        self._describe(digest, await asyncio.to_thread(self.layout.blob_size, name, digest))
        self.finish()

    async def get(self, name: str, digest: str) -> None:
        """All of it, or the range asked for."""
        size = await asyncio.to_thread(self.layout.blob_size, name, digest)
        start, count = self._range(size)
        self._describe(digest, count)
        with self.layout.blob_path(name, digest).open("rb", buffering=0) as file:
            file.seek(start)
            while count:
                chunk = await asyncio.to_thread(file.read, min(CHUNK, count))
                if not chunk:
                    raise web.HTTPError(500)  # it was cut meanwhile: end the connection before the promised length
                count -= len(chunk)
                self.write(chunk)
                try:
                    await self.flush()
                except StreamClosedError:
                    return
        self.finish()

    def _describe(self, digest: str, size: int) -> None:
        self.set_header("Content-Type", "application/octet-stream")
        self.set_header("Docker-Content-Digest", digest)
        self.set_header("Accept-Ranges", "bytes")
        self.set_header("ETag", f'"{digest}"')
        self.set_header("Content-Length", size)

    def _range(self, size: int) -> tuple[int, int]:
        """First byte and number of bytes; the answer is marked as partial when a range was asked for."""
        asked = self.request.headers.get("Range")
        match = _RANGE.fullmatch(asked) if asked else None
        if match is None or match.groups() == ("", ""):
            return 0, size  # other units and several ranges may be ignored
        first, last = match.groups()
        start = int(first) if first else max(0, size - int(last))
        end = min(int(last), size - 1) if first and last else size - 1
        if start > end:
            self.set_header("Content-Range", f"bytes */{size}")
            raise web.HTTPError(416)
        self.set_status(206)
        self.set_header("Content-Range", f"bytes {start}-{end}/{size}")
        return start, end - start + 1


ROUTES: list[tuple[str, type[Handler]]] = [
    (r"/v2/?", VersionHandler),
    (r"/v2/_catalog", CatalogHandler),
    (r"/v2/(.+)/tags/list", TagsHandler),
    (r"/v2/(.+)/referrers/([^/]+)", ReferrersHandler),
    (r"/v2/(.+)/manifests/([^/]+)", ManifestHandler),
    (r"/v2/(.+)/blobs/uploads/?", UploadHandler),
    (r"/v2/(.+)/blobs/uploads/([^/]+)", UploadHandler),
    (r"/v2/(.+)/blobs/([^/]+)", BlobHandler),
]
"""Order matters: names are greedy, and uploads look like blobs."""

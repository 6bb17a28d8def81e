"""The distribution specification 1.1 over a folder: one handler per noun of ``/v2/``.

Bodies stream both ways in pieces of at most a megabyte, and files are touched in threads, so that a large blob neither
fills memory nor stops other requests.
"""

from __future__ import annotations

import asyncio
import json

from tornado import web

from jupyter_mlops.errors import NotFound, WrongUsage
from jupyter_mlops.oci.descriptor import MAX_MANIFEST, subject_of, to_dict
from jupyter_mlops.oci.digest import SHA256, algorithm_of, digest_of, is_digest
from jupyter_mlops.oci.names import OCI_INDEX
from jupyter_mlops.oci.reference import check_tag
from jupyter_mlops.oci.store import Manifest
from jupyter_mlops.registry.blob_handler import BlobHandler
from jupyter_mlops.registry.conditions import condition_of, entity_tag, unchanged
from jupyter_mlops.registry.handler import Handler
from jupyter_mlops.registry.upload_handler import UploadHandler


class HealthHandler(web.RequestHandler):
    """``/healthz``: for whoever starts and stops the server. It needs no login and tells nothing but that it answers."""

    def get(self) -> None:
        """Yes."""
        self.clear_header("Server")
        self.set_header("Content-Type", "text/plain")
        self.finish("ok\n")


class VersionHandler(Handler):
    """``/v2/``: clients ask it first, to see whether they must log in."""

    def get(self) -> None:
        """Yes, this is a registry."""
        self.finish({})


class CatalogHandler(Handler):
    """``/v2/_catalog``."""

    async def get(self) -> None:
        """All repositories that may be read."""
        rights = self.access.rights(self.request.headers)
        names = await asyncio.to_thread(self.layout.repositories)
        self.finish({"repositories": self.page([name for name in names if rights.may("read", name)])})


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

    streams = True

    def prepare(self) -> None:
        """Take the body piece by piece, to stop at the limit."""
        self.body = bytearray()
        super().prepare()
        if self.refused is None:
            self.take_large_body()

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
        self.set_header("ETag", entity_tag(manifest.descriptor.digest))
        if unchanged(self.request.headers, manifest.descriptor.digest):
            self.not_modified()
            return
        self.set_header("Content-Length", manifest.descriptor.size)
        self.finish(manifest.data if self.request.method == "GET" else None)

    async def put(self, name: str, reference: str) -> None:
        """Store it by tag, or by digest with any number of ``?tag=``; over what was seen alone, where a header says so."""
        if ":" in reference:
            algorithm_of(reference)
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
        condition = condition_of(self.request.headers, reference)
        await asyncio.to_thread(self.layout.delete, name, reference, condition)
        self.set_status(202)

    def _store(self, name: str, reference: str, media_type: str | None, tags: list[str]) -> Manifest:
        data = bytes(self.body)
        algorithm = algorithm_of(reference) if is_digest(reference) else SHA256
        if is_digest(reference) and digest_of(data, algorithm) != reference:
            raise WrongUsage(f"the manifest sent does not have the digest {reference}", code="invalid-digest")
        condition = condition_of(self.request.headers, reference)
        return self.layout.put_manifest_bytes(name, data, media_type, tags=tags, algorithm=algorithm, condition=condition)


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

"""Blobs on their way in over HTTP: in one request, in two, or in as many pieces as a client likes."""

from __future__ import annotations

import asyncio

from tornado import web

from jupyter_mlops.errors import MlopsError, WrongUsage
from jupyter_mlops.oci.digest import SHA256, algorithm_of, is_digest
from jupyter_mlops.registry.handler import Handler
from jupyter_mlops.registry.uploads import Session


@web.stream_request_body
class UploadHandler(Handler):
    """``/v2/<name>/blobs/uploads/[<upload>]``: POST starts, PATCH adds, PUT ends, GET tells how far, DELETE cancels."""

    streams = True
    session: Session | None = None
    upload = ""
    mounted = ""
    """Digest of the blob that was taken over from another repository, so that there is nothing to send."""

    problem: MlopsError | None = None
    writing = False
    gone = False

    async def prepare(self) -> None:  # type: ignore[override]  # tornado takes both
        """Find or start what the body belongs to, before the body comes."""
        super().prepare()
        if self.refused is not None:
            return
        self.take_large_body()
        try:
            await self._open(*self.path_args)
        except MlopsError as error:
            self.problem = error  # said after the body, which clients send regardless

    async def _open(self, name: str, upload: str = "") -> None:
        """The session that this request writes to."""
        if self.request.method == "POST":
            if self.get_query_argument("mount", None) and await self._mount(name):
                return
            upload = await asyncio.to_thread(self.uploads.start, name, self._algorithm())
        self.session, self.upload = self.uploads.get(name, upload), upload
        if self.request.method in {"PATCH", "PUT"}:
            self._check_order(self.session)
            self.session.busy = True

    def _algorithm(self) -> str:
        """What the client says that it will name the blob by: outright, or by the digest of a blob sent in one request."""
        said = self.get_query_argument("digest-algorithm", "")
        return said or (algorithm_of(digest) if is_digest(digest := self.get_query_argument("digest", "")) else SHA256)

    def _check_order(self, session: Session) -> None:
        """A piece must follow what is there."""
        place = self.request.headers.get("Content-Range", "")
        start = place.removeprefix("bytes ").partition("-")[0]
        if session.busy or (place and start != str(session.size)):
            self.session = None
            self._progress(session)
            raise WrongUsage(
                f"the next byte is {session.size}, not {start or 'this one'}", code="upload-range", fix="Ask how far it is."
            )

    async def _mount(self, name: str) -> bool:
        """Whether the repository has the blob now. Without ``from`` any may give it, to who may read them all.

        From a repository that may not be read nothing is taken, nor is it told whether it is there: then it is to be sent.
        """
        source, digest = self.get_query_argument("from", ""), self.get_query_argument("mount")
        rights = self.access.rights(self.request.headers)
        if not (rights.may("read", source) if source else rights.reads_everything):
            return False
        if not await asyncio.to_thread(self.layout.mount, name, digest, source):
            return False
        self.mounted = digest
        return True

    async def data_received(self, chunk: bytes) -> None:
        """Write what arrives; after an error the rest is thrown away."""
        if self.session is not None and self.problem is None:
            self.writing = True
            try:
                await asyncio.to_thread(self.uploads.write, self.session, chunk)
            except MlopsError as error:
                self.problem = error
            self.writing = False
            if self.gone:
                self.on_finish()

    def on_finish(self) -> None:
        """The next request may go on."""
        if self.session is not None:
            self.session.busy = False

    def on_connection_close(self) -> None:
        """A broken connection leaves what arrived, once that is written."""
        self.gone = True
        if not self.writing:
            self.on_finish()

    async def post(self, name: str, upload: str = "") -> None:
        """Start; with ``digest`` the body was all of it."""
        del upload
        if self.mounted:
            self.created(f"/v2/{name}/blobs/{self.mounted}", self.mounted)
            return
        session = self._current()
        if digest := self.get_query_argument("digest", None):
            await self._finish(name, session, digest)
        else:
            self._progress(session)
            self.set_status(202)

    async def patch(self, name: str, upload: str = "") -> None:
        """A piece was added."""
        del name, upload
        self._progress(self._current())
        self.set_status(202)

    async def put(self, name: str, upload: str = "") -> None:
        """The last piece was added."""
        del upload
        await self._finish(name, self._current(), self.get_query_argument("digest", ""))

    async def get(self, name: str, upload: str = "") -> None:
        """How far it is."""
        del name, upload
        self._progress(self._current())
        self.set_status(204)

    async def delete(self, name: str, upload: str = "") -> None:
        """Forget it."""
        del name
        self._current()
        self.uploads.cancel(upload)
        self.set_status(204)

    def _current(self) -> Session:
        """The session, or the error that was met on the way."""
        if self.problem is not None:
            raise self.problem
        assert self.session is not None
        return self.session

    async def _finish(self, name: str, session: Session, digest: str) -> None:
        blob = await asyncio.to_thread(self.uploads.finish, self.upload, session, digest)
        self.created(f"/v2/{name}/blobs/{blob.digest}", blob.digest)

    def _progress(self, session: Session) -> None:
        name = session.upload.path.name
        self.set_header("Location", f"/v2/{session.repository}/blobs/uploads/{name}")
        self.set_header("Docker-Upload-UUID", name)
        self.set_header("Range", f"0-{max(session.size - 1, 0)}")

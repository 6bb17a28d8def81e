"""Uploads in progress of the HTTP server: a client sends a blob in pieces and says its digest at the end.

What was received stays when a connection breaks, so that a client can ask how far it came and go on from there. An upload
that nobody continues is dropped after a day; the lock on its file tells the collector that it lives.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from jupyter_mlops.errors import Conflict, NotFound, WrongUsage
from jupyter_mlops.oci.digest import hex_of
from jupyter_mlops.oci.disk import Upload, explained
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.store import Descriptor

PATIENCE = 24 * 3600.0
"""Seconds for which an upload waits to be continued."""

LIMIT = 1000
"""Uploads at once; each holds a file open."""


@dataclass
class Session:
    """One upload. ``busy`` while a request writes to it."""

    repository: str
    upload: Upload
    touched: float = field(default_factory=time.monotonic)
    busy: bool = False

    @property
    def size(self) -> int:
        """Bytes received so far."""
        return self.upload.size


class Uploads:
    """All uploads of a server. Used from one thread, but for the writing itself."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._sessions: dict[str, Session] = {}

    def start(self, repository: str) -> str:
        """Begin one and return its name. Raises StorageFull, PlatformError, Conflict (too many)."""
        self._expire()
        if len(self._sessions) >= LIMIT:
            raise Conflict(f"{LIMIT} uploads are in progress", code="too-many-uploads", fix="Finish or cancel some.")
        self._layout.folder(repository)
        with explained(self._layout.root):
            upload = self._layout.start_upload()
        self._sessions[upload.path.name] = Session(repository, upload)
        return upload.path.name

    def get(self, repository: str, name: str) -> Session:
        """One that is in progress. Raises NotFound, code ``upload-unknown``."""
        session = self._sessions.get(name)
        if session is None or session.repository != repository:
            raise NotFound(f"{repository} has no upload {name}", code="upload-unknown", fix="Start a new one.")
        session.touched = time.monotonic()
        return session

    def write(self, session: Session, chunk: bytes) -> None:
        """Append what was received. Raises StorageFull, PlatformError."""
        with explained(self._layout.root):
            session.upload.write(chunk)

    def finish(self, name: str, session: Session, digest: str) -> Descriptor:
        """Check the digest and store the blob; the upload ends either way.

        Raises:
            WrongUsage: code ``invalid-digest``: it is none, or not the one of what was received.
        """
        try:
            hex_of(digest)
            if session.upload.digest != digest:
                raise WrongUsage(
                    f"received {session.size} bytes with the digest {session.upload.digest}, not {digest}",
                    code="invalid-digest",
                    fix="Send it again.",
                )
            return self._layout.finish_upload(session.repository, session.upload)
        finally:
            self.cancel(name)

    def cancel(self, name: str) -> None:
        """Forget one and what it received. No error if there is none."""
        if session := self._sessions.pop(name, None):
            session.upload.discard()

    def close(self) -> None:
        """Cancel all."""
        for name in list(self._sessions):
            self.cancel(name)

    def _expire(self) -> None:
        now = time.monotonic()
        for name in [name for name, each in self._sessions.items() if not each.busy and now - each.touched > PATIENCE]:
            self.cancel(name)

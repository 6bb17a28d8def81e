"""Uploads in progress of the HTTP server: a client sends a blob in pieces and says its digest at the end.

What was received stays when a connection breaks or the server ends, so that a client can ask how far it came and go on from
there. The file's name says which repository it belongs to, and nothing else need be known: a server that finds one which
nobody holds takes it over, and reads it once when its digest is said. The lock on the file tells the collector that it lives;
one that nobody continues is dropped after a day.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_mlops.errors import Conflict, NotFound, WrongUsage
from jupyter_mlops.oci.digest import ALGORITHMS, SHA256, algorithm_of
from jupyter_mlops.oci.disk import Upload, clock_of, explained
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.store import Descriptor

PATIENCE = 24 * 3600.0
"""Seconds for which an upload waits to be continued."""

LIMIT = 1000
"""Uploads at once; each holds a file open."""

_NAME = re.compile(r"[0-9a-f]{32}-[0-9a-f]{32}")


def sessions(root: Path) -> Path:
    """Where uploads wait, below a registry folder; apart from ``_uploads``, whose files end with their writers."""
    return root / "_sessions"


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
        self._folder = sessions(layout.root)
        self._sessions: dict[str, Session] = {}

    def start(self, repository: str, algorithm: str = SHA256) -> str:
        """Begin one and return its name.

        Args:
            repository: which it is for.
            algorithm: of the digest that will be said, as far as is known: it is run along.

        Raises:
            StorageFull, PlatformError: the folder cannot be written.
            Conflict: code ``too-many-uploads``.
            WrongUsage: code ``invalid-digest``: no algorithm that is kept here.
        """
        self._expire()
        if len(self._sessions) >= LIMIT:
            raise Conflict(f"{LIMIT} uploads are in progress", code="too-many-uploads", fix="Finish or cancel some.")
        if algorithm not in ALGORITHMS:
            raise WrongUsage(
                f"digests by {algorithm!r} are not kept here", code="invalid-digest", fix=f"Use one of {', '.join(ALGORITHMS)}."
            )
        self._layout.folder(repository)
        name = f"{os.urandom(16).hex()}-{_mark(repository)}"
        with explained(self._layout.root):
            self._sessions[name] = Session(repository, Upload(self._folder, algorithm, name=name))
        return name

    def get(self, repository: str, name: str) -> Session:
        """One that is in progress, or was when an earlier server ended. Raises NotFound, code ``upload-unknown``."""
        session = self._sessions.get(name) or self._taken_over(repository, name)
        if session is None or session.repository != repository:
            raise NotFound(f"{repository} has no upload {name}", code="upload-unknown", fix="Start a new one.")
        session.touched = time.monotonic()
        return session

    def _taken_over(self, repository: str, name: str) -> Session | None:
        """One that is on disk and nobody's; None where there is none, or another server still has it."""
        if not _NAME.fullmatch(name) or not name.endswith(_mark(repository)):
            return None
        try:
            session = Session(repository, Upload(self._folder, name=name, resume=True))
        except OSError:
            return None
        self._sessions[name] = session
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
            algorithm = algorithm_of(digest)
            with explained(self._layout.root):
                found = session.upload.digest_by(algorithm)
            if found != digest:
                raise WrongUsage(
                    f"received {session.size} bytes with the digest {found}, not {digest}",
                    code="invalid-digest",
                    fix="Send it again.",
                )
            return self._layout.finish_upload(session.repository, session.upload, digest=digest)
        finally:
            self.cancel(name)

    def cancel(self, name: str) -> None:
        """Forget one and what it received. No error if there is none."""
        if session := self._sessions.pop(name, None):
            session.upload.discard()

    def close(self) -> None:
        """Let go of all, for the next server to go on with."""
        for session in self._sessions.values():
            session.upload.leave()
        self._sessions.clear()

    def _expire(self) -> None:
        now = time.monotonic()
        for name in [name for name, each in self._sessions.items() if not each.busy and now - each.touched > PATIENCE]:
            self.cancel(name)


def abandoned(root: Path) -> list[Path]:
    """Uploads that nobody has gone on with for :data:`PATIENCE`, for the collector to look at; some may be held still."""
    found, there = [], clock_of(root / "_uploads")
    with suppress(FileNotFoundError), os.scandir(sessions(root)) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                if there - entry.stat().st_mtime > PATIENCE:
                    found.append(Path(entry.path))
    return found


def _mark(repository: str) -> str:
    """What the name of an upload ends with: by it no repository reaches another one's."""
    return hashlib.sha256(repository.encode()).hexdigest()[:32]

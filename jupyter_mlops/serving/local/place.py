"""The folder of one service: its document, its secret, its log, its processes.

``isvc.json`` has two writers, the backend (what is wanted) and the supervisor (what is): each change is made under a lock
and replaces the file at once, and a supervisor whose generation has passed writes nothing any more.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from jupyter_mlops.errors import Corrupt, StorageFull, Unavailable
from jupyter_mlops.serving.local.process import Identity, saved

LOCK_SECONDS = 10.0
"""A change of the document takes milliseconds; who waits longer has met a fault."""

LOG_BYTES = 8 << 20
"""A log above this is put aside; one earlier log is kept."""


class Superseded(Exception):
    """The document has moved on: another supervisor, or none, is in charge now."""


@dataclass(frozen=True, slots=True)
class Place:
    """``services/<namespace>/<name>/``."""

    folder: Path

    @property
    def name(self) -> str:
        """Name of the service."""
        return self.folder.name

    @property
    def namespace(self) -> str:
        """Namespace of the service."""
        return self.folder.parent.name

    @property
    def document_path(self) -> Path:
        """The InferenceService with its status."""
        return self.folder / "isvc.json"

    @property
    def log(self) -> Path:
        """What the server and its supervisor said."""
        return self.folder / "log"

    @property
    def secret(self) -> Path:
        """The bearer token, readable by this user alone."""
        return self.folder / "secret.json"

    @property
    def models(self) -> Path:
        """Extracted and verified models, a folder each, named by digest; only the current one is kept."""
        return self.folder / "model"

    @property
    def request(self) -> Path:
        """What only this machine knows: where the registry is, and the registry's form of settings."""
        return self.folder / "request.json"

    @property
    def supervisor_path(self) -> Path:
        """Identity of the supervisor."""
        return self.folder / "supervisor.json"

    @property
    def server_path(self) -> Path:
        """Identity of the model server."""
        return self.folder / "server.json"

    @property
    def supervisor(self) -> Identity | None:
        """The supervisor as it was written down; it may be gone."""
        return saved(self.supervisor_path)

    @property
    def server(self) -> Identity | None:
        """The model server as it was written down; it may be gone."""
        return saved(self.server_path)

    def exists(self) -> bool:
        """Whether there is a service here."""
        return self.document_path.is_file()

    def read(self) -> dict[str, Any]:
        """The document. Raises FileNotFoundError, or Corrupt if it is not JSON."""
        text = self.document_path.read_text(encoding="utf-8")
        try:
            return dict(json.loads(text))
        except (ValueError, TypeError) as error:
            raise Corrupt(
                f"the document of service '{self.name}' is not JSON", fix="Delete the service and deploy again."
            ) from error

    def write(self, document: Mapping[str, Any]) -> None:
        """Replace the document."""
        private(self.folder)
        _replace(self.document_path, json.dumps(document, ensure_ascii=False, indent=1))

    def change(self, edit: Callable[[dict[str, Any]], Mapping[str, Any]], *, generation: int | None = None) -> Mapping[str, Any]:
        """Read, edit and replace the document in one go.

        Raises Superseded when there is none any more, or when it is not of the ``generation`` asked for.
        """
        with self.locked("document"):
            try:
                document = self.read()
            except FileNotFoundError as error:
                raise Superseded from error
            if generation is not None and document["metadata"].get("generation") != generation:
                raise Superseded
            changed = edit(document)
            self.write(changed)
            return changed

    @contextlib.contextmanager
    def locked(self, what: str) -> Iterator[None]:
        """Alone among all processes; the lock lies beside the folder, so that the folder can go while it is held."""
        private(self.folder.parent)
        try:
            with FileLock(self.folder.parent / f".{self.name}.{what}.lock", timeout=LOCK_SECONDS):
                yield
        except TimeoutError as error:
            raise Unavailable(f"service '{self.name}' is being changed by another program", fix="Try again.") from error

    def token(self) -> str:
        """The bearer token; made when it is first asked for."""
        try:
            return str(json.loads(self.secret.read_text())["token"])
        except (OSError, ValueError, KeyError):
            token = secrets.token_urlsafe(32)
            private(self.folder)
            _replace(self.secret, json.dumps({"token": token}))
            return token

    def rotate(self) -> None:
        """Put the lines of a log that has grown large aside; a server that is writing to it goes on at its new beginning."""
        with contextlib.suppress(OSError):
            if self.log.stat().st_size > LOG_BYTES:
                shutil.copyfile(self.log, self.folder / "log.1")
                os.truncate(self.log, 0)

    def remove(self) -> None:
        """Everything of it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def private(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for this user alone (``mkdir`` gives only the last one its mode)."""
    missing = [folder]
    while not missing[-1].parent.exists():
        missing.append(missing[-1].parent)
    try:
        for each in reversed(missing):
            each.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise StorageFull(
            f"cannot make the folder {folder}: {error.strerror}", fix="Make room on the disk, or choose another home."
        ) from error


def _replace(path: Path, text: str) -> None:
    """Write a file that only this user can read, complete or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StorageFull(
            f"cannot write {path.name}: {error.strerror}", fix="Make room on the disk, or remove old runs."
        ) from error


def places(root: Path) -> list[Place]:
    """All services below a folder, by namespace and name."""
    return sorted((Place(path.parent) for path in root.glob("*/*/isvc.json")), key=lambda place: (place.namespace, place.name))

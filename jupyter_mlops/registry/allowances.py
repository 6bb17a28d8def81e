"""What the user allowed by hand: versions that may run code when they are loaded, by their digests, with who, when and why.

Kept in the user's own folder and in no registry, where others could write it. A version that is pushed again under the same tag has
another digest, and is not the one that was allowed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

from jupyter_mlops.errors import Corrupt, NotFound, StorageFull, WrongUsage
from jupyter_mlops.oci.disk import replace_file
from jupyter_mlops.oci.lock import locked
from jupyter_mlops.registry.events import actor

FILE = "allowed.json"


@dataclass(frozen=True, slots=True)
class Allowance:
    """One version that may be loaded whatever its pickle names."""

    digest: str
    model: str
    """``churn:v3``, as it was named then."""

    reason: str
    who: str
    when: str
    """ISO 8601, UTC."""


class Allowances:
    """The list in ``<home>/allowed.json``."""

    def __init__(self, home: Path) -> None:
        self._path = home / FILE

    def list(self) -> Sequence[Allowance]:
        """All, oldest first. Raises Corrupt where the file is none of ours: nothing is allowed by guessing."""
        try:
            entries = [Allowance(**one) for one in json.loads(self._path.read_text(encoding="utf-8"))]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError) as error:
            raise Corrupt(
                f"{self._path} cannot be read: {error}", code="allowances-unreadable", fix="Mend it, or remove it and allow again."
            ) from error
        return entries

    def has(self, digest: str) -> bool:
        """Whether a version is allowed."""
        return any(one.digest == digest for one in self.list())

    def add(self, digest: str, model: str, reason: str) -> Allowance:
        """Allow a version; allowing it again replaces the reason.

        Raises:
            WrongUsage: no reason.
            StorageFull: the file cannot be written.
        """
        if not reason.strip():
            raise WrongUsage("no reason", code="no-reason", fix="Say why: --reason 'trained by the fraud team, reviewed by me'.")
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        fresh = Allowance(digest, model, reason.strip(), actor(), now)
        self._change(lambda before: [*(one for one in before if one.digest != digest), fresh])
        return fresh

    def revoke(self, digest: str) -> None:
        """Allow a version no more. Raises NotFound where it was not."""
        if not self.has(digest):
            raise NotFound(
                f"{digest[:19]} was not allowed", code="not-allowed-before", fix="`jupyter mlops models --allowed` lists what is."
            )
        self._change(lambda before: [one for one in before if one.digest != digest])

    def _change(self, change: Callable[[Sequence[Allowance]], Sequence[Allowance]]) -> None:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with locked(self._path.with_suffix(".lock")):
                text = json.dumps([asdict(one) for one in change(self.list())], indent=1)
                fresh = self._path.with_name(f".{FILE}")
                replace_file(self._path, text.encode(), fresh)
                self._path.chmod(0o600)
        except OSError as error:
            raise StorageFull(f"{self._path} cannot be written: {error.strerror}", fix="Make room, or mend its rights.") from error

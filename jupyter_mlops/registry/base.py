"""The port above bytes: what a registry can be asked besides the blobs, manifests and tags of ``oci.store.Store``.

It is apart from ``Store`` because a step needs none of it, and ``Store`` travels into every step.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from jupyter_mlops.oci.store import Store

GRACE = 3600.0
"""Seconds that what nothing points to is kept while somebody publishes in the same repository."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a repository takes. ``bytes`` counts what it shares with others too; ``own`` what would be free without it."""

    repository: str
    bytes: int
    own: int
    manifests: int


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collection took away, or would have: ``skipped`` names repositories that were left alone, and why."""

    manifests: int = 0
    blobs: int = 0
    bytes: int = 0
    skipped: tuple[str, ...] = ()


class Registry(Protocol):
    """Keeps house over the repositories of a store. Errors are those of ``jupyter_mlops.errors``."""

    @property
    def store(self) -> Store:
        """The store that it is about."""

    def repositories(self, prefix: str = "") -> Sequence[str]:
        """All repositories whose name starts with the prefix, sorted."""

    def point(self, repository: str, tag: str, digest: str) -> None:
        """Let a tag name a manifest that is there; NotFound if it is not."""

    def delete(self, repository: str, *references: str) -> None:
        """Take tags off, or drop manifests with all their tags, at once; NotFound, and nothing done, if one is not there."""

    def usage(self) -> Sequence[Usage]:
        """What each repository takes."""

    def collect(self, repository: str | None = None, *, grace: float = GRACE, dry_run: bool = False) -> Collected:
        """Free what no tag leads to, in one repository or in all. Referrers live as long as what they are about."""

    def exclusive(self, repository: str) -> AbstractContextManager[None]:
        """Keep other publishers out of a repository; not reentrant."""

"""The port of bytes: whatever holds blobs and manifests under the rules of OCI 1.1.

Deliberately small, since the runner carries it into every step. Everything is verified against its digest while it moves.
A repository is a path like ``models/churn``; a reference is a tag or a digest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol

Content = bytes | Path | Iterable[bytes | memoryview]
"""Bytes to store: themselves, a file's, or chunks, each of which need only be valid until the next is asked for."""


@dataclass(frozen=True)
class Descriptor:
    """An OCI content descriptor; ``size`` in bytes."""

    media_type: str
    digest: str
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict)
    artifact_type: str | None = None
    platform: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Manifest:
    """A manifest or index: the very bytes, their descriptor, and the parsed document."""

    descriptor: Descriptor
    data: bytes
    document: Mapping[str, Any]


class Store(Protocol):
    """Blobs, manifests and tags of many repositories."""

    @property
    def address(self) -> str:
        """What a document writes to name this store: ``file:///…`` or ``http(s)://host[/base]``."""

    def put_blob(self, repository: str, data: Content, media_type: str, *, new: bool = False) -> Descriptor:
        """Store bytes (streamed when a path or chunks are given) and return their descriptor; present ones are not written.

        ``new``: the repository surely lacks them, so that they may be sent without a look whether it has them.
        """

    def open_blob(self, repository: str, digest: str) -> AbstractContextManager[BinaryIO]:
        """A stream that raises Corrupt at its end if the bytes do not have the digest; NotFound if there is no such blob."""

    def read_range(self, repository: str, digest: str, start: int, count: int) -> bytes:
        """Up to ``count`` bytes of a blob from ``start``, fewer where it ends; NotFound if there is no such blob.

        A part has no digest: this is for looking at what a blob says of itself, never for what is loaded.
        """

    def put_manifest(self, repository: str, document: Mapping[str, Any], *, tags: Sequence[str] = ()) -> Manifest:
        """Store a manifest (canonical JSON, deterministic) and point tags at it. Its ``subject`` makes it a referrer."""

    def get_manifest(self, repository: str, reference: str) -> Manifest:
        """By tag or digest, verified; NotFound if there is none."""

    def tags(self, repository: str) -> Sequence[str]:
        """All tags, sorted; empty for an unknown repository."""

    def referrers(self, repository: str, digest: str, artifact_type: str | None = None) -> Sequence[Descriptor]:
        """Descriptors of the manifests whose subject is this digest, with their annotations."""

"""The registry of the distribution specification: the port ``Registry`` over ``oci.remote.Remote``.

What the specification lacks is made from what it has. A tag is taken off, where only digests can be deleted, by letting it
name a mark of its own, and deleting that: whatever else the tag named stays. Bytes are freed by the registry's own garbage
collection; from here only what would never be found again is cleared away.
"""

from __future__ import annotations

import random
import re
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from jupyter_mlops.errors import MlopsError, NotFound, Unavailable, WrongUsage
from jupyter_mlops.oci.descriptor import blobs_of, children_of
from jupyter_mlops.oci.digest import is_digest
from jupyter_mlops.oci.marker import put_marker
from jupyter_mlops.oci.numbering import CLAIM
from jupyter_mlops.oci.parallel import each
from jupyter_mlops.oci.reference import check_tag
from jupyter_mlops.oci.remote import Remote
from jupyter_mlops.oci.store import Manifest
from jupyter_mlops.registry.base import GRACE, Collected, Usage
from jupyter_mlops.registry.collect import total

READERS = 8
"""Manifests that are asked for at the same time."""

LEASE = "_lease."
_PATIENCE = 60.0
"""Seconds that another one's lease is waited for; one that does not change for half of it was left by a process that died."""

_REFERRER = re.compile(r"sha256-([0-9a-f]{64})(?:\.r-[0-9a-f]{16})?")
_OF_VERSION = re.compile(r"(v[1-9][0-9]*)\.(?:modelpack|linux-[a-z0-9]+)")


class DistributionRegistry:
    """See :class:`jupyter_mlops.registry.base.Registry`."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self._locks: dict[str, threading.Lock] = {}

    @property
    def store(self) -> Remote:
        """The registry."""
        return self._remote

    def repositories(self, prefix: str = "") -> Sequence[str]:
        """All repositories whose name starts with the prefix, sorted; not those whose tags are all gone, where that is known."""
        return [name for name in self._remote.repositories() if name.startswith(prefix)]

    def point(self, repository: str, tag: str, digest: str) -> None:
        """Let a tag name a manifest that is there."""
        check_tag(tag)
        self._remote.put_as(repository, tag, self._remote.get_manifest(repository, digest))

    def delete(self, repository: str, *references: str) -> None:
        """Take tags off, or drop manifests with all their tags; if one is missing, none.

        Raises:
            NotFound: code ``manifest-unknown``.
            WrongUsage: code ``registry-unsupported``: the registry deletes nothing.
        """
        tags = set(self._remote.tags(repository))
        for reference in references:
            if not (self._is_there(repository, reference) if is_digest(reference) else reference in tags):
                raise NotFound(f"{repository} has no {reference}", code="manifest-unknown", fix="It was deleted already.")
        for digest in sorted(set(filter(is_digest, references))):
            self._drop(repository, digest)
        left = set(self._remote.tags(repository)) if any(map(is_digest, references)) else tags
        for tag in references:
            if not is_digest(tag) and tag in left:
                self._untag(repository, tag)

    def usage(self) -> Sequence[Usage]:
        """What the tags of each repository lead to."""
        sizes = {name: self._sizes(name) for name in self.repositories()}
        owners: dict[str, int] = {}
        for blobs, _ in sizes.values():
            for digest in blobs:
                owners[digest] = owners.get(digest, 0) + 1
        return [
            Usage(name, sum(blobs.values()), sum(size for digest, size in blobs.items() if owners[digest] == 1), manifests)
            for name, (blobs, manifests) in sizes.items()
        ]

    def collect(self, repository: str | None = None, *, grace: float = GRACE, dry_run: bool = False) -> Collected:
        """Clear away what nobody would find again; ``grace`` does not apply, since nobody is about to point at it.

        These are the tags of referrers whose subject is gone, those of the parts of a version that is gone, and claims that were
        fulfilled. The bytes are the registry's to free.
        """
        del grace
        names = self.repositories() if repository is None else [repository]
        return total(self._collect(name, dry_run=dry_run) for name in names)

    @contextmanager
    def exclusive(self, repository: str) -> Iterator[None]:
        """Keep others who clean up out of a repository; publishers need no such thing, see ``oci/numbering.py``.

        There is no lock: a lease is a mark, and whoever sees that of another takes theirs back and waits.

        Raises:
            Unavailable: code ``locked``: somebody held it all the time.
        """
        with self._locks.setdefault(repository, threading.Lock()):
            held = self._lease(repository)
            try:
                yield
            finally:
                with suppress(MlopsError):
                    self._remote.delete(repository, held.descriptor.digest)

    # -- inside ------------------------------------------------------------------------------------------------------------

    def _lease(self, repository: str) -> Manifest:
        """The mark of who holds the repository."""
        since: dict[str, float] = {}
        deadline = time.monotonic() + _PATIENCE
        while True:
            mine = f"{LEASE}{uuid.uuid4().hex[:12]}"
            mark = put_marker(self._remote, repository, mine)
            now = time.monotonic()
            others = {tag for tag in self._remote.tags(repository) if tag.startswith(f"{LEASE}") and tag != mine}
            since = {tag: since.get(tag, now) for tag in others}
            if all(now - first > _PATIENCE / 2 for first in since.values()):
                return mark
            with suppress(MlopsError):
                self._remote.delete(repository, mark.descriptor.digest)
            if now > deadline:
                raise Unavailable(
                    f"{repository} has been changed by others for {_PATIENCE:.0f} s", code="locked", fix="Try again later."
                )
            time.sleep(random.uniform(0.05, 0.5))  # noqa: S311 - so that two do not meet again

    def _is_there(self, repository: str, reference: str) -> bool:
        with suppress(NotFound):
            return bool(self._remote.resolve(repository, reference))
        return False

    def _drop(self, repository: str, digest: str) -> None:
        """Delete a manifest. Raises WrongUsage with what to do where nothing is deleted."""
        try:
            self._remote.delete(repository, digest)
        except WrongUsage as error:
            if error.code != "registry-unsupported":
                raise
            raise WrongUsage(
                f"the registry at {self._remote.address} does not delete: {error.message}",
                code="registry-unsupported",
                fix="Ask its administrator to allow it (for Docker's registry: REGISTRY_STORAGE_DELETE_ENABLED=true).",
            ) from error

    def _untag(self, repository: str, tag: str) -> None:
        """Take a tag off, and nothing else away."""
        try:
            self._remote.delete(repository, tag)
        except (WrongUsage, NotFound):  # only by digest; some say that they do not find the tag
            trial = put_marker(self._remote, repository, f"_.delete-{uuid.uuid4().hex[:12]}")
            self._drop(repository, trial.descriptor.digest)  # before the tag is touched: it says so where nothing is deleted
            self._drop(repository, put_marker(self._remote, repository, tag, f"{tag} {uuid.uuid4().hex}").descriptor.digest)

    def _sizes(self, repository: str) -> tuple[dict[str, int], int]:
        """Blobs with their sizes, and the number of manifests, that the tags of a repository lead to."""
        sizes: dict[str, int] = {}
        waiting: Sequence[str] = each(lambda tag: self._digest(repository, tag), self._remote.tags(repository), READERS)
        seen: set[str] = set()
        while waiting := sorted({digest for digest in waiting if digest} - seen):
            seen.update(waiting)
            found = each(lambda digest: self._readable(repository, digest), waiting, READERS)
            manifests = [manifest for manifest in found if manifest is not None]
            for manifest in manifests:
                sizes[manifest.descriptor.digest] = manifest.descriptor.size
                sizes.update((blob.digest, blob.size) for blob in blobs_of(manifest.document))
            waiting = [child.digest for manifest in manifests for child in children_of(manifest.document)]
        return sizes, len(seen)

    def _digest(self, repository: str, tag: str) -> str:
        with suppress(NotFound):
            return self._remote.resolve(repository, tag)
        return ""

    def _readable(self, repository: str, digest: str) -> Manifest | None:
        with suppress(NotFound, WrongUsage):
            return self._remote.get_manifest(repository, digest)
        return None

    def _collect(self, repository: str, *, dry_run: bool) -> Collected:
        """The tags of one repository that lead nowhere."""
        tags = self._remote.tags(repository)
        subjects = {f"sha256:{match[1]}" for tag in tags if (match := _REFERRER.fullmatch(tag))}
        gone = {subject for subject in sorted(subjects) if not self._is_there(repository, subject)}
        lost = [tag for tag in tags if (match := _REFERRER.fullmatch(tag)) and f"sha256:{match[1]}" in gone]
        claims = [tag for tag in tags if tag.startswith(CLAIM) and tag.removeprefix(CLAIM).partition(".")[0] in tags]
        parts = [*claims, *_orphans(tags)]
        reason = f"{repository}: its bytes are freed by the garbage collection of the registry at {self._remote.address}"
        if not dry_run:
            try:
                for tag in (*lost, *parts):
                    self._untag(repository, tag)
            except MlopsError as error:
                return Collected(skipped=(f"{repository}: {error}",))
        return Collected(manifests=len(lost) + len(parts), skipped=(reason,))


def _orphans(tags: Sequence[str]) -> list[str]:
    """Parts of versions that are gone."""
    return [tag for tag in tags if (match := _OF_VERSION.fullmatch(tag)) and not _is_alive(match[1], tags)]


def _is_alive(version: str, tags: Sequence[str]) -> bool:
    """Whether a version is there, or somebody is about to publish it: its parts come first."""
    return version in tags or any(tag.startswith(f"{CLAIM}{version}.") for tag in tags)

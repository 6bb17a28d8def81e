"""Manifests of many tags, with few requests: what has a digest never changes, and is asked for once.

A folder answers at once. A registry is asked for several things at a time, and of a tag that can move only where it points;
one that never moves (``v<N>``) is not asked about twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, runtime_checkable

from jupyter_mlops.errors import Corrupt, MlopsError, NotFound, Unavailable, WrongUsage
from jupyter_mlops.oci.parallel import each
from jupyter_mlops.oci.store import Manifest, Store

AT_ONCE = 4
REMEMBERED = 20_000
"""Manifests, and tags, that are kept in memory."""

FAILED = "registry-failed"
"""A registry that answers, but with an error of its own when it is asked for this: one that is damaged, say."""

Found = Manifest | MlopsError


@runtime_checkable
class Resolving(Protocol):
    """A store that can say where a tag points without sending the manifest."""

    def resolve(self, repository: str, reference: str) -> str:
        """The digest; NotFound if there is none."""


class Reader:
    """Reads manifests of a store, and remembers those of a registry."""

    def __init__(self, store: Store, fixed: Callable[[str], bool]) -> None:
        """``fixed`` tells the tags that never move."""
        self._store, self._fixed = store, fixed
        self._digests: dict[tuple[str, str], str] = {}
        self._manifests: dict[tuple[str, str], Manifest] = {}

    def read(self, repository: str, tags: Iterable[str]) -> Mapping[str, Found]:
        """Tag → its manifest, or why it cannot be read."""
        names = list(tags)
        found: dict[str, Found] = {}
        fixed = [tag for tag in names if self._fixed(tag)]  # first: the others mostly point to the same
        for part in (fixed, [tag for tag in names if tag not in set(fixed)]):
            manifests = each(lambda tag: self._found(repository, tag), part, AT_ONCE if self.remote else 1)
            found.update(zip(part, manifests, strict=True))
        return {tag: found[tag] for tag in names}

    @property
    def remote(self) -> bool:
        """Whether every question is a request."""
        return isinstance(self._store, Resolving)

    def get(self, repository: str, reference: str) -> Manifest:
        """One manifest. Raises as ``Store.get_manifest``."""
        if not isinstance(self._store, Resolving):
            return self._store.get_manifest(repository, reference)
        digest = reference if reference.startswith("sha256:") else self._digests.get((repository, reference), "")
        if not digest and not self._fixed(reference):
            digest = self._store.resolve(repository, reference)
        known = self._manifests.get((repository, digest))
        if known is None:
            known = self._store.get_manifest(repository, digest or reference)
            for memory in (self._manifests, self._digests):
                if len(memory) >= REMEMBERED:
                    memory.clear()
            self._manifests[repository, known.descriptor.digest] = known
        if self._fixed(reference):
            self._digests[repository, reference] = known.descriptor.digest
        return known

    def forget(self, repository: str) -> None:
        """Something of a repository was deleted."""
        for memory in (self._manifests, self._digests):
            for key in [key for key in memory if key[0] == repository]:
                memory.pop(key, None)

    def _found(self, repository: str, tag: str) -> Found:
        try:
            return self.get(repository, tag)
        except (Corrupt, NotFound, WrongUsage) as error:
            return error
        except Unavailable as error:
            if error.code != FAILED:  # it is away, so that nothing can be said of what it holds
                raise
            return error

"""What lists say of the repositories of a store, read again only where something changed.

A manifest has a digest and never changes, so that what was taken out of it once is right for ever; a tag is looked at each
time. In a folder one look at the file with all tags of a repository tells that nothing moved, and the index answers for all of
them; a registry is asked for its tags and where each points, and for no manifest that was read before.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from jupyter_mlops.errors import Corrupt, MlopsError, NotFound, WrongUsage
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.parallel import each
from jupyter_mlops.oci.store import Manifest, Store
from jupyter_mlops.registry.index import Index, Row
from jupyter_mlops.registry.reading import AT_ONCE, Found, Reader, Resolving

SETTLED = 2.0
"""Seconds after which a file's time tells it apart from the next one's: until then, two could bear the same."""

FOLDER = "_index"
"""The index of a folder of layouts, in that folder: a name that no repository has."""

_LOG = logging.getLogger(__name__)

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Listed:
    """A repository: tag → digest of what can be read, and digest → what a list says of it (JSON)."""

    tags: Mapping[str, str]
    facts: Mapping[str, Facts]


@dataclass(frozen=True, slots=True)
class Kind:
    """What is listed: ``shown`` tells its tags from others, ``describe`` reads a manifest, ``summary`` is the short form."""

    shown: Callable[[str], bool]
    describe: Callable[[str, Manifest], Facts]
    summary: Callable[[Listed], Facts]


def index_of(store: Store) -> Index | None:
    """The index that lies with a folder of layouts; None for a registry, whose index is where the caller says."""
    return Index(store.root / FOLDER) if isinstance(store, Layout) else None


def stamp_of(store: Store, repository: str) -> str:
    """How the tags of a repository look from outside; '' where that cannot be told, or not yet."""
    if not isinstance(store, Layout):
        return ""
    try:
        status = os.stat(f"{store.root}/{repository}/index.json")  # noqa: PTH116 - a path made a thousand times
    except OSError:
        return ""
    if abs(time.time() - status.st_mtime) < SETTLED:
        return ""
    return f"{status.st_ino}:{status.st_mtime_ns}:{status.st_size}"


class Catalogue:
    """One kind of thing in a store. Raises what the store raises; never what the index does."""

    def __init__(self, store: Store, reader: Reader, index: Index | None, kind: Kind) -> None:
        self._store, self._reader, self._index, self._kind = store, reader, index, kind

    def read(self, repository: str, *, remembered: bool = True) -> Listed:
        """All of a repository. What is damaged is left out, and told to the log each time that it is read.

        ``remembered`` False: of a folder every manifest is read and verified, for who is going to use one.
        """
        before = stamp_of(self._store, repository)
        asked = self._index is not None and (remembered or self._reader.remote)
        row = self._index.body(repository) if asked and self._index is not None else None
        if row is not None and before and row.stamp == before:
            return _listed(row)
        listed, whole = self._look(repository, _listed(row) if row is not None else Listed({}, {}))
        if self._index is not None and asked and listed.tags:
            self._index.put(
                repository, before if whole else "", self._kind.summary(listed), {"tags": listed.tags, "facts": listed.facts}
            )
        return listed

    def summaries(self, repositories: Sequence[str], prefix: str) -> Mapping[str, Facts]:
        """The short form of those that hold anything; only what changed is read."""
        heads = self._index.heads(prefix) if self._index is not None else {}
        if self._index is not None:
            for gone in heads.keys() - set(repositories):
                self._index.drop(gone)
        changed = [name for name in repositories if not self._is_known(name, heads.get(name))]
        found = dict(zip(changed, each(self.read, changed, AT_ONCE if self._reader.remote else 1), strict=True))
        shown = {}
        for name in repositories:
            if name not in found:
                shown[name] = heads[name].value
            elif found[name].tags:
                shown[name] = self._kind.summary(found[name])
        return shown

    # -- inside ------------------------------------------------------------------------------------------------------------

    def _is_known(self, repository: str, head: Row | None) -> bool:
        return head is not None and bool(head.stamp) and head.stamp == stamp_of(self._store, repository)

    def _look(self, repository: str, known: Listed) -> tuple[Listed, bool]:
        """The repository as it is, and whether all of it could be read."""
        tags = [tag for tag in self._store.tags(repository) if self._kind.shown(tag)]
        digests: dict[str, str] = {}
        if known.facts:
            asked = [tag for tag in tags if tag in known.tags or not self._reader.remote]
            points = each(lambda tag: self._digest(repository, tag), asked, AT_ONCE if self._reader.remote else 1)
            digests = {tag: digest for tag, digest in zip(asked, points, strict=True) if digest in known.facts}
        facts = {digest: known.facts[digest] for digest in digests.values()}
        whole = True
        for tag, found in self._reader.read(repository, [tag for tag in tags if tag not in digests]).items():
            said = self._described(repository, found, facts)
            if isinstance(found, Manifest) and not isinstance(said, MlopsError):
                digests[tag] = found.descriptor.digest
                facts[found.descriptor.digest] = said
            else:
                whole = False
                _LOG.warning("%s:%s cannot be read: %s", repository, tag, said)
        return Listed({tag: digests[tag] for tag in tags if tag in digests}, facts), whole

    def _described(self, repository: str, found: Found, known: Mapping[str, Facts]) -> Facts | MlopsError:
        """What a list says of a manifest, or why it cannot be read."""
        if isinstance(found, MlopsError):
            return found
        if found.descriptor.digest in known:
            return known[found.descriptor.digest]
        try:
            return self._kind.describe(repository, found)
        except (Corrupt, NotFound, WrongUsage) as error:
            return error

    def _digest(self, repository: str, tag: str) -> str:
        """Where a tag points, without the manifest; '' if it is gone meanwhile."""
        if isinstance(self._store, Layout):
            return self._store.index(repository).tags.get(tag, "")
        if isinstance(self._store, Resolving):
            with suppress(NotFound):
                return self._store.resolve(repository, tag)
        return ""


def _listed(row: Row) -> Listed:
    return Listed(row.value["tags"], row.value["facts"])

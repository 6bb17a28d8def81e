"""Collection: what no tag leads to is freed, and nothing that somebody is about to point at.

Roots are tags. A manifest lives if a root is or holds it, or if it is about one that lives (a referrer). Everything else
goes at once when nobody publishes in the repository (nobody holds its lease, see ``oci/lease.py``), else when it has not
been touched for the grace. ``index.json`` is replaced before a blob is removed, so that a crash leaves unreachable blobs
and never a manifest without its bytes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from jupyter_mlops.errors import Corrupt, NotFound, WrongUsage
from jupyter_mlops.oci.digest import ALGORITHMS
from jupyter_mlops.oci.disk import clock_of, explained, is_live
from jupyter_mlops.oci.index import Index
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.lease import alone
from jupyter_mlops.registry.base import Collected
from jupyter_mlops.registry.uploads import abandoned

STARTING = 60.0
"""Seconds for which a temporary file counts as live although nobody has locked it: its writer may be about to."""

LAST_LINKS = 2
"""Names of a blob, the pool's included, when its bytes go with its removal."""


class _Live(NamedTuple):
    """Digests of what stays."""

    manifests: frozenset[str]
    blobs: frozenset[str]


def total(parts: Iterable[Collected]) -> Collected:
    """The sum."""
    found = list(parts)
    return Collected(
        sum(part.manifests for part in found),
        sum(part.blobs for part in found),
        sum(part.bytes for part in found),
        tuple(reason for part in found for reason in part.skipped),
    )


def collect_repository(layout: Layout, repository: str, *, grace: float, dry_run: bool) -> Collected:
    """Collect one repository; one with a damaged manifest is left alone, since nobody knows what that one needs."""
    with explained(layout.root), alone(layout.lease_file(repository)) as idle, layout.edit(repository) as save:
        there = clock_of(layout.root / "_uploads")
        newest = there + 1 if idle else there - grace
        index = layout.index(repository)
        try:
            live = _live(layout, repository, index, newest)
        except (Corrupt, NotFound, WrongUsage) as error:
            return Collected(skipped=(f"{repository}: {error}",))
        gone = set(index.manifests) - live.manifests
        if gone and not dry_run:
            save(Index(tuple(entry for entry in index.entries if entry["digest"] not in gone)))
        blobs = [path for path in blob_files(layout.folder(repository) / "blobs") if _unused(path, live, newest)]
        freed = sum(path.stat().st_size for path in blobs if path.stat().st_nlink <= LAST_LINKS)
        if not dry_run:
            for path in blobs:
                path.unlink(missing_ok=True)
            if idle and not layout.index(repository).entries:
                _remove_empty(layout, repository)
        return Collected(len(gone), len(blobs), freed)


def collect_rest(root: Path, *, dry_run: bool) -> Collected:
    """What killed writers left, and the pool's names of blobs that no repository has any more."""
    there = clock_of(root / "_uploads")
    left = [path for path in _files(root / "_uploads") if there - _touched(path) > STARTING and not is_live(path)]
    left += [path for path in abandoned(root) if not is_live(path)]
    single = [path for path in blob_files(root / "_blobs") if path.stat().st_nlink == 1]
    freed = sum(path.stat().st_size for path in left)
    if not dry_run:
        with explained(root):
            for path in (*left, *single):
                path.unlink(missing_ok=True)
    return Collected(blobs=len(left), bytes=freed)


def _live(layout: Layout, repository: str, index: Index, newest: float) -> _Live:
    """Follow the tags, and what is too young to judge; then whatever is about something that lives, until nothing is added."""
    young = [digest for digest in index.manifests if _touched(layout.blob_path(repository, digest)) > newest]
    about = {digest: layout.facts(repository, digest).subject for digest in index.manifests}
    manifests: set[str] = set()
    blobs: set[str] = set()
    waiting: Sequence[str] = [*index.tags.values(), *young]
    while waiting:
        for digest in waiting:
            _follow(layout, repository, digest, manifests, blobs)
        waiting = [digest for digest, subject in about.items() if subject in manifests and digest not in manifests]
    return _Live(frozenset(manifests), frozenset(blobs))


def _follow(layout: Layout, repository: str, digest: str, manifests: set[str], blobs: set[str]) -> None:
    """Add a manifest and all that it holds."""
    if digest not in manifests:
        facts = layout.facts(repository, digest)
        manifests.add(digest)
        blobs.update(facts.blobs)
        for child in facts.children:
            with suppress(NotFound):  # other tools copy single platforms of an index
                _follow(layout, repository, child, manifests, blobs)


def _unused(path: Path, live: _Live, newest: float) -> bool:
    digest = f"{path.parent.name}:{path.name}"
    return digest not in live.blobs and digest not in live.manifests and _touched(path) <= newest


def _remove_empty(layout: Layout, repository: str) -> None:
    """Take away the folder of a repository that holds nothing, and the empty ones above it."""
    folder = layout.folder(repository)
    if any(blob_files(folder / "blobs")):
        return
    for name in ("index.json", "oci-layout"):
        (folder / name).unlink(missing_ok=True)
    with suppress(OSError):  # another repository lies below
        for algorithm in ALGORITHMS:
            with suppress(FileNotFoundError):
                (folder / "blobs" / algorithm).rmdir()
        (folder / "blobs").rmdir()
        while folder != layout.root:
            folder.rmdir()
            folder = folder.parent


def blob_files(folder: Path) -> Iterator[Path]:
    """The blobs below a folder ``blobs``, of every algorithm: ``<algorithm>/<hex>``."""
    for algorithm in ALGORITHMS:
        yield from _files(folder / algorithm)


def _files(folder: Path) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            yield from [Path(entry.path) for entry in entries if entry.is_file(follow_symlinks=False)]
    except FileNotFoundError:
        return


def _touched(path: Path) -> float:
    """Seconds since the epoch; a file that is gone is as old as can be."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0

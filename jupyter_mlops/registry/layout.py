"""The registry of a folder: the port ``Registry`` over ``oci.layout.Layout``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

from jupyter_mlops.errors import NotFound, WrongUsage
from jupyter_mlops.oci.digest import is_digest
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.reference import check_tag
from jupyter_mlops.oci.store import Store
from jupyter_mlops.registry.base import GRACE, Collected, Registry, Usage
from jupyter_mlops.registry.collect import blob_files, collect_repository, collect_rest, total

LINKS = 2
"""Names of a blob that only one repository has: its own, and the one in the pool."""


class LayoutRegistry:
    """See :class:`jupyter_mlops.registry.base.Registry`."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    @property
    def store(self) -> Layout:
        """The folder."""
        return self._layout

    def repositories(self, prefix: str = "") -> Sequence[str]:
        """All repositories whose name starts with the prefix, sorted."""
        return [name for name in self._layout.repositories() if name.startswith(prefix)]

    def point(self, repository: str, tag: str, digest: str) -> None:
        """Let a tag name a manifest that is there."""
        manifest = self._layout.get_manifest(repository, digest)
        check_tag(tag)
        with self._layout.edit(repository) as save:
            save(self._layout.index(repository).with_manifest(manifest.descriptor, [tag]))

    def delete(self, repository: str, *references: str) -> None:
        """Take tags off, or drop manifests with all their tags; all of them or, if one is missing, none."""
        with self._layout.edit(repository) as save:
            index = self._layout.index(repository)
            for reference in references:
                if index.resolve(reference) is None:
                    raise NotFound(f"{repository} has no {reference}", code="manifest-unknown")
                index = index.without_manifest(reference) if is_digest(reference) else index.without_tag(reference)
            save(index)

    def usage(self) -> Sequence[Usage]:
        """What each repository takes, from the sizes of its files."""
        return [self._usage(name) for name in self._layout.repositories()]

    def bytes(self) -> int:
        """What all repositories take together; a file with several names counts once."""
        names = self._layout.repositories()
        stats = (path.stat() for name in names for path in blob_files(self._layout.folder(name) / "blobs"))
        return sum({(each.st_dev, each.st_ino): each.st_size for each in stats}.values())

    def collect(self, repository: str | None = None, *, grace: float = GRACE, dry_run: bool = False) -> Collected:
        """Free what no tag leads to; what killed writers left goes with it."""
        names = self._layout.repositories() if repository is None else [repository]
        parts = [collect_repository(self._layout, name, grace=grace, dry_run=dry_run) for name in names]
        return total([*parts, collect_rest(self._layout.root, dry_run=dry_run)])

    def exclusive(self, repository: str) -> AbstractContextManager[None]:
        """Keep other publishers out of a repository."""
        return self._layout.exclusive(repository)

    def _usage(self, repository: str) -> Usage:
        stats = [path.stat() for path in blob_files(self._layout.folder(repository) / "blobs")]
        own = sum(each.st_size for each in stats if each.st_nlink <= LINKS)
        return Usage(repository, sum(each.st_size for each in stats), own, len(self._layout.index(repository).manifests))


def registry_of(store: Store) -> Registry:
    """The registry over a store.

    Raises:
        WrongUsage: code ``unsupported-store``: nothing here keeps house over it.
    """
    if isinstance(store, Layout):
        return LayoutRegistry(store)
    if store.address.startswith(("http://", "https://")):
        from jupyter_mlops.oci.remote import Remote  # loads ssl, which this machine's own registry never needs
        from jupyter_mlops.registry.distribution import DistributionRegistry

        if isinstance(store, Remote):
            return DistributionRegistry(store)
    raise WrongUsage(
        f"the registry at {store.address} cannot be listed or cleaned from here",
        code="unsupported-store",
        fix="Use the registry folder of this machine.",
    )

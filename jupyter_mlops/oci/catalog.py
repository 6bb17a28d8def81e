"""Which repositories there are, on a registry that does not tell: a mark for each in a repository of our own.

``_catalog`` is no part of the specification; many registries have none, or show it to administrators alone. Then whoever
pushes a tag to a repository for the first time leaves a mark in ``mlops/catalog``, whose tag is the repository's name.
"""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_mlops.errors import NotFound
from jupyter_mlops.oci.digest import digest_of
from jupyter_mlops.oci.marker import MARK, put_marker
from jupyter_mlops.oci.reference import is_tag
from jupyter_mlops.oci.store import Store

CATALOG = "mlops/catalog"
_LONG = "X-"
"""What a tag starts with that had no room for the name; it stands in the mark. Names have no capital letters."""


def enter(store: Store, repository: str) -> None:
    """Leave the mark of a repository, unless it is there. Raises as ``Store.put_manifest``."""
    tag = tag_of(repository)
    if tag not in store.tags(CATALOG):
        put_marker(store, CATALOG, tag, repository)


def entered(store: Store) -> list[str]:
    """All repositories that have a mark, sorted."""
    found = [_name_of(store, tag) for tag in store.tags(CATALOG)]
    return sorted({name for name in found if name})


def without(names: Sequence[str]) -> list[str]:
    """Names of repositories, but for the catalog itself."""
    return sorted(name for name in names if name != CATALOG)


def tag_of(repository: str) -> str:
    """``/`` as ``..``, which no name of a repository holds."""
    tag = repository.replace("/", "..")
    return tag if is_tag(tag) else _LONG + digest_of(repository.encode())[7:]


def _name_of(store: Store, tag: str) -> str:
    """The repository of a mark; '' for what is none."""
    if tag.startswith(("_", "sha256-")):
        return ""
    if not tag.startswith(_LONG):
        return tag.replace("..", "/")
    try:
        return store.get_manifest(CATALOG, tag).descriptor.annotations.get(MARK, "")
    except NotFound:
        return ""

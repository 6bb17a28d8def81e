"""The audit trail: who moved an alias or deleted a version, and when.

A move is a referrer of the version that the alias names from then on, and lives as long as that one. A deletion outlives
its version, so that it has a tag of its own, which also keeps the number from being used again.
"""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from typing import Any

from jupyter_mlops.oci.artifact import push_artifact, read_config
from jupyter_mlops.oci.modelpack import deleted_tag
from jupyter_mlops.oci.names import EVENT
from jupyter_mlops.oci.store import Descriptor, Store
from jupyter_mlops.registry.times import now


def movement(
    store: Store, repository: str, subject: Descriptor, *, alias: str, before: str | None, after: str | None, reason: str = ""
) -> None:
    """Record that an alias moved; ``before`` None: it is new, ``after`` None: it was removed; ``reason``: why, if that was said."""
    event = {"version": 1, "action": "alias", "actor": actor(), "time": now(), "alias": alias, "from": before, "to": after}
    event |= {"reason": reason} if reason else {}
    push_artifact(store, repository, EVENT, event, subject=subject)


def deletion(store: Store, repository: str, *, tag: str, digest: str, reason: str = "") -> None:
    """Record that a version was deleted; ``reason`` is why it was although something was made of it."""
    event = {"version": 1, "action": "delete", "actor": actor(), "time": now(), "tag": tag, "digest": digest}
    event |= {"reason": reason} if reason else {}
    push_artifact(store, repository, EVENT, event, tags=[deleted_tag(tag)])


def history(store: Store, repository: str, digests: Sequence[str]) -> list[dict[str, Any]]:
    """The moves that these versions got their aliases by, and all deletions, in the order of time."""
    found = [store.get_manifest(repository, event.digest) for each in digests for event in store.referrers(repository, each, EVENT)]
    found += [store.get_manifest(repository, tag) for tag in store.tags(repository) if tag.startswith(deleted_tag(""))]
    return sorted((read_config(store, repository, manifest) for manifest in found), key=lambda event: str(event.get("time")))


def actor() -> str:
    """Who did it: the name of this process's user."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user may have no name
        return "unknown"

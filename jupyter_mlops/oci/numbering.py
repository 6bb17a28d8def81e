"""The next version number, for one publisher and no other.

A folder has a lock. A registry has none, and no compare-and-swap: there each publisher leaves a mark of its own name for the
number that it wants (``_claim.v7.<random>``), and then looks. Who sees no other mark for that number, and no version under
it, has it. Two who want the same both leave a mark before they look, so that at least one sees the other, and takes the next
number: never two have the same one, and at worst a number is left out.
"""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Protocol, runtime_checkable

from jupyter_mlops.errors import Conflict, MlopsError, NotFound
from jupyter_mlops.oci.marker import put_marker
from jupyter_mlops.oci.store import Store

ATTEMPTS = 30
CLAIM = "_claim."
_TAKEN = re.compile(r"(?:_deleted\.|_claim\.)?v([1-9][0-9]*)(?:\.[0-9a-f]{12})?")


@runtime_checkable
class Exclusive(Protocol):
    """A store that can keep other publishers out of a repository."""

    def exclusive(self, repository: str) -> AbstractContextManager[None]:
        """Hold the repository."""


@runtime_checkable
class Deleting(Protocol):
    """A store that can take a manifest away."""

    def delete(self, repository: str, reference: str) -> None:
        """By digest."""


@contextmanager
def next_number(store: Store, repository: str) -> Iterator[int]:
    """N of the next ``v<N>``, which nobody else gets: deleted versions keep theirs. Publish it within the block.

    Raises:
        Conflict: too many publish at once.
    """
    if isinstance(store, Exclusive):
        with store.exclusive(repository):
            yield _after(store.tags(repository))
        return
    for _ in range(ATTEMPTS):
        number = _after(store.tags(repository))
        mark = f"{CLAIM}v{number}.{os.urandom(6).hex()}"
        made = put_marker(store, repository, mark)
        try:
            if _is_mine(store, repository, number, mark):
                yield number
                return
        finally:
            _withdraw(store, repository, made.descriptor.digest)
        time.sleep(random.uniform(0.0, 0.2))  # noqa: S311 - so that two do not meet again
    raise Conflict(f"{repository} is published to by too many at once", fix="Try again.")


def _after(tags: Sequence[str]) -> int:
    """One more than all that were ever given or wanted."""
    return 1 + max((int(match[1]) for tag in tags if (match := _TAKEN.fullmatch(tag))), default=0)


def _is_mine(store: Store, repository: str, number: int, mark: str) -> bool:
    """Whether nobody else wants it, and then whether nobody has got it: a mark goes only after its version is there."""
    start = f"{CLAIM}v{number}."
    if any(tag.startswith(start) and tag != mark for tag in store.tags(repository)):
        return False
    try:
        store.get_manifest(repository, f"v{number}")
    except NotFound:
        return True
    return False


def _withdraw(store: Store, repository: str, digest: str) -> None:
    """Take the mark away, where that is allowed; it does no harm, and nobody sees it."""
    if isinstance(store, Deleting):
        with suppress(MlopsError):
            store.delete(repository, digest)

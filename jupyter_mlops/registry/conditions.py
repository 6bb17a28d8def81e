"""Conditional requests (RFC 9110, section 13): write only over what was seen, and send again only what is new.

An entity tag is the digest in quotes. A condition on a write is checked under the lock of the repository, so that of two who
saw the same tag only one moves it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from jupyter_mlops.errors import Conflict
from jupyter_mlops.oci.index import Index

_TAG = re.compile(r'(W/)?"([^"]*)"')


def entity_tag(digest: str) -> str:
    """The value of ``ETag`` for what has this digest."""
    return f'"{digest}"'


def unchanged(headers: Mapping[str, str], digest: str) -> bool:
    """Whether a reader has these bytes already (``If-None-Match``), so that 304 is the answer."""
    given = headers.get("If-None-Match")
    return given is not None and _names(given, digest, weak=True)


def condition_of(headers: Mapping[str, str], reference: str) -> Callable[[Index], None]:
    """What must hold for a write to this tag or digest, as ``Layout`` asks it under its lock.

    The function given raises Conflict, code ``precondition-failed``: ``If-Match`` names another manifest than the one
    that is there, or ``If-None-Match`` the one that is (``*``: any).
    """
    wanted, unwanted = headers.get("If-Match"), headers.get("If-None-Match")

    def check(index: Index) -> None:
        there = index.resolve(reference)
        if wanted is not None and (there is None or not _names(wanted, there, weak=False)):
            raise _failed(reference, there)
        if unwanted is not None and there is not None and _names(unwanted, there, weak=True):
            raise _failed(reference, there)

    return check


def _names(header: str, digest: str, *, weak: bool) -> bool:
    """Whether a list of entity tags names this one; a weak tag counts only where the comparison is weak."""
    if header.strip() == "*":
        return True
    return any(name == digest and (weak or not mark) for mark, name in _TAG.findall(header))


def _failed(reference: str, there: str | None) -> Conflict:
    return Conflict(
        f"{reference} is {there}" if there else f"there is no {reference}",
        code="precondition-failed",
        fix="Read it again, and decide anew what to write.",
    )

"""A cause as a value."""

from __future__ import annotations

from dataclasses import dataclass

from jupyter_mlops.errors import Blame


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something waits or failed."""

    code: str
    """Stable, kebab-case; each has a row in ``docs/errors.md``."""

    message: str
    """One sentence without jargon, with the names and numbers of this case."""

    blame: Blame
    fix: str
    facts: tuple[str, ...] = ()
    """The cluster's own words, unchanged: ``<object>: <text>``, the telling one first."""

    final: bool = False
    """True if it will not end by itself (waiting longer is of no use)."""

    ended: bool = False
    """True if a container has ended with it: what failed has begun, and nothing waits any more."""

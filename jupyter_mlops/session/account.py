"""What a step was really delivered and what it really changed: the session's own account, kept in the step's report.

A plan is read from source and can only say what may flow. The account says what did: names by the digest of the component
that they came in, names whose component has another digest afterwards, and what changed of the process and of the folder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jupyter_mlops.session.state import State

MERGED = frozenset({"history", "imports"})
"""Carriers of which both sides' content counts, where two steps ran beside each other."""

DRAWN = frozenset({"random", "numpy.random", "torch.random"})
"""Carriers that whoever reads them changes: a draw moves the generator on. Without a seed they differ between any two runs."""

_NOT_OURS = re.compile(r"_\d+|__\w+__")
"""Results that IPython keeps by number, which are outputs, and names of the interpreter's own."""


@dataclass(frozen=True)
class Account:
    """One step's."""

    delivered: Mapping[str, str] = field(default_factory=dict)
    """Name → digest of the component that it came in."""

    changed: Mapping[str, str] = field(default_factory=dict)
    """Name that is new or in another component than before → digest of that."""

    removed: tuple[str, ...] = ()
    carriers: tuple[str, ...] = ()
    """Parts of the process that are not what they were (``random``, ``environ``, …)."""

    files: tuple[str, ...] = ()
    """Files of the folder that were written or removed."""

    asked: tuple[str, ...] = ()
    """Names that the code asked for, whether there were any or not, and those that it bound to what they were before."""

    again: tuple[str, ...] = ()
    """Of the names in ``asked`` those that it only imported, and that an earlier step had imported already."""

    everything: bool = False
    """Whether the code could reach names that it does not mention."""

    def to_json(self) -> dict[str, Any]:
        """As the report has it."""
        return {
            "delivered": dict(sorted(self.delivered.items())),
            "changed": dict(sorted(self.changed.items())),
            "removed": list(self.removed),
            "carriers": list(self.carriers),
            "files": list(self.files),
            "asked": list(self.asked),
            **({"again": list(self.again)} if self.again else {}),
            **({"everything": True} if self.everything else {}),
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Account:
        """The account that a report has. One without ``asked``, of an older run, could have asked for everything."""
        return cls(
            dict(found["delivered"]),
            dict(found["changed"]),
            tuple(found["removed"]),
            tuple(found["carriers"]),
            tuple(found["files"]),
            tuple(found.get("asked", ())),
            tuple(found.get("again", ())),
            bool(found.get("everything", "asked" not in found)),
        )


def account(before: State, after: State, delivered: Mapping[str, str]) -> Account:
    """The account of a step that went from one state to the next."""
    return Account(
        {name: digest for name, digest in delivered.items() if is_ours(name)},
        {name: digest for name, digest in after.names.items() if before.names.get(name) != digest and is_ours(name)},
        tuple(sorted(name for name in before.names if name not in after.names and name not in after.lost and is_ours(name))),
        _differing(before.carriers, after.carriers),
        tuple(sorted({*_differing(before.files, after.files), *(set(after.removed) - set(before.removed))})),
    )


def is_ours(name: str) -> bool:
    """Whether a name is the notebook's own: no result that IPython keeps by number, none of the interpreter."""
    return not _NOT_OURS.fullmatch(name)


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name)))

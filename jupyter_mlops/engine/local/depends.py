"""``depends`` of a DAG task, for the subset that a pipeline compiles to: all of these steps have succeeded.

Argo's full language (``||``, ``!``, ``A.Failed``) is refused by name rather than half understood: what such a task would
do when a step fails is part of Argo's controller, and a pipeline never needs it.
"""

from __future__ import annotations

import re

_NAME = r"[a-zA-Z0-9][-a-zA-Z0-9]*"
_TERM = re.compile(rf"^({_NAME})(?:\.Succeeded)?$")


def needs_of(expression: str) -> tuple[str, ...] | None:
    """The tasks that must have succeeded, in order and once each; None if the expression says anything else.

    ``A`` alone means ``A.Succeeded || A.Skipped || A.Daemoned`` to Argo; within the subset nothing is skipped or a daemon.
    """
    found: dict[str, None] = {}
    for part in expression.split("&&"):
        term = part.strip()
        while term.startswith("(") and term.endswith(")"):
            term = term[1:-1].strip()
        match = _TERM.match(term)
        if match is None:
            return None
        found[match.group(1)] = None
    return tuple(found)

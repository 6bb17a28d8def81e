"""``depends`` of a DAG task, for the subset that a pipeline compiles to: these steps have succeeded, or were skipped.

Argo's full language (``!``, ``A.Failed``, alternatives of several tasks) is refused by name rather than half understood: what such
a task would do when a step fails is part of Argo's controller, and a pipeline never needs it.
"""

from __future__ import annotations

import re

_NAME = r"[a-zA-Z0-9][-a-zA-Z0-9]*"
_TERM = re.compile(rf"^({_NAME})(?:\.(Succeeded|Skipped))?$")


def needs_of(expression: str) -> dict[str, bool] | None:
    """The tasks that must have ended well, in order, each with whether it may have been skipped; None for anything else.

    ``A`` alone means ``A.Succeeded || A.Skipped || A.Daemoned`` to Argo.
    """
    found: dict[str, bool] = {}
    for part in expression.split("&&"):
        outcomes: dict[str, set[str]] = {}
        for alternative in _bare(part).split("||"):
            match = _TERM.match(_bare(alternative))
            if match is None:
                return None
            outcomes.setdefault(match[1], set()).update({match[2]} if match[2] else {"Succeeded", "Skipped"})
        if len(outcomes) != 1:
            return None
        (name, allowed), *_ = outcomes.items()
        if "Succeeded" not in allowed:
            return None
        found[name] = found.get(name, True) and "Skipped" in allowed
    return found


def _bare(term: str) -> str:
    """Without blanks and parentheses around it."""
    found = term.strip()
    while found.startswith("(") and found.endswith(")"):
        found = found[1:-1].strip()
    return found

"""How the branches of a step that fans out are called: ``train(0)`` to people, ``train(0:<item>)`` by Argo, ``train.0`` in tags."""

from __future__ import annotations

import re

_BRANCH = re.compile(r"^([a-zA-Z0-9][-a-zA-Z0-9]*)\(([0-9]+)(?::.*)?\)$", re.DOTALL)


def branch_of(step: str) -> int | None:
    """Number of a branch, by the name of its step or node; None for what is none."""
    match = _BRANCH.match(step)
    return int(match[2]) if match else None


def group_of(step: str) -> str:
    """The step that a branch belongs to; '' for what is none."""
    match = _BRANCH.match(step)
    return match[1] if match else ""


def label_of(step: str) -> str:
    """How a step is called in the tags of what it leaves: ``train``, ``train.0``."""
    return f"{group_of(step)}.{branch_of(step)}" if group_of(step) else step

"""Names of runs: those of Kubernetes objects, and safe as names of folders."""

from __future__ import annotations

import re
import secrets

from jupyter_mlops.errors import NotFound

_NAME = re.compile(r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
"""Those of Kubernetes: no vowels, so that no words come out; nothing that looks like something else."""

_LENGTH, _SUFFIX = 63, 5


def new_name(prefix: str) -> str:
    """A name after ``generateName``: the prefix and five letters at random, 63 characters at most."""
    clean = re.sub(r"[^-a-z0-9]", "-", prefix.lower()).lstrip("-") or "run-"
    return clean[: _LENGTH - _SUFFIX] + "".join(secrets.choice(_LETTERS) for _ in range(_SUFFIX))


def check_name(name: str) -> str:
    """The name itself, if it can be one; else NotFound, since no run has it."""
    if not _NAME.match(name):
        raise NotFound(f"there is no run {name!r} here", code="run-not-found", fix="See `jupyter mlops runs`.")
    return name

"""Which commit a notebook lies at when a run is submitted: part of what its models and datasets were made from.

A rim: asks ``git`` once. Where there is none, or no repository, or it takes too long, nothing is said; a run never waits for
it, and never fails by it.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jupyter_mlops.oci.names import LABEL

PATIENCE = 3.0
"""Seconds that git may take: a folder on a slow disk is no reason to wait."""

COMMIT, DIRTY = f"{LABEL}git-commit", f"{LABEL}git-dirty"
"""Annotations of a Workflow."""

_COMMAND = ("git", "-c", "core.fsmonitor=false", "status", "--porcelain=v2", "--branch", "--untracked-files=no")
_HEAD = "# branch.oid "
_NONE = "(initial)"


@dataclass(frozen=True, slots=True)
class Commit:
    """``dirty``: tracked files of the repository are not as in the commit."""

    digest: str
    dirty: bool


def commit_of(folder: Path) -> Commit | None:
    """The commit that is checked out in a folder's repository; None where that cannot be told."""
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        found = subprocess.run(
            _COMMAND, cwd=folder, env=environment, capture_output=True, timeout=PATIENCE, check=True, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError):
        return None
    lines = found.stdout.decode("utf-8", "replace").splitlines()
    heads = [line.removeprefix(_HEAD) for line in lines if line.startswith(_HEAD)]
    if not heads or heads[0] == _NONE:
        return None
    return Commit(heads[0], any(not line.startswith("#") for line in lines))


def annotations_of(folder: Path) -> Mapping[str, str]:
    """What a Workflow bears of it."""
    found = commit_of(folder)
    return {} if found is None else {COMMIT: found.digest, DIRTY: "true" if found.dirty else "false"}

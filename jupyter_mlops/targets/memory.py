"""What the last check of a target found, kept for a while, so that a list shows health without asking every cluster.

In the cache folder, for its owner alone; it holds what the checks said, which names nothing secret.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mlops.settings import Storage, Target

if TYPE_CHECKING:
    from jupyter_mlops.targets.check import Health

KEPT = 15 * 60.0
"""Seconds that an answer is shown as the target's health. A run does not rely on it: it meets the cluster itself."""


def remember(storage: Storage, target: Target, health: Health) -> None:
    """Keep a check's answer; a disk that cannot be written forgets it."""
    path = _path(storage, target)
    with suppress(OSError):
        storage.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".health.")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(asdict(health), file)
        Path(temporary).replace(path)


def remembered(storage: Storage, target: Target) -> Health | None:
    """The answer, if it is not too old and was about these settings."""
    from jupyter_mlops.targets.check import Check, Health

    try:
        document = json.loads(_path(storage, target).read_text("utf-8"))
        health = Health(tuple(Check(**check) for check in document["checks"]), float(document["checked"]))
    except (OSError, ValueError, KeyError, TypeError):  # none, or one of another version
        return None
    return health if 0 <= time.time() - health.checked < KEPT else None


def forget(storage: Storage, target: Target) -> None:
    """Let the answer go."""
    with suppress(OSError):
        _path(storage, target).unlink()


def _path(storage: Storage, target: Target) -> Path:
    """A file of its own for every target and all that was set about it."""
    text = json.dumps(asdict(target), sort_keys=True)
    return storage.cache / "targets" / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.json"

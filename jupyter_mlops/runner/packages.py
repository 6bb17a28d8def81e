"""Whether this interpreter has the packages that a step needs, looked at before its first cell runs.

An image that lacks a package fails anyway, but late: after the pull, perhaps after an hour in the first cells. So what the
notebook's kernel imports travels with the bundle (``environment.json``) and is compared here. A package that is not there
stops the step; one of another version is told, and may be fine.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import Refused

FILE = "environment.json"
LISTED = 12
"""Packages named in a message at most."""


@dataclass(frozen=True)
class Compared:
    """What a comparison found; texts such as ``pandas 2.2.3``, and ``pandas 2.1.0 for 2.2.3``."""

    missing: tuple[str, ...] = ()
    other: tuple[str, ...] = ()
    here: tuple[tuple[str, str], ...] = ()
    """Name and version of each package that the step needs, as this interpreter has it."""

    installs: bool = False
    """Whether a cell of the notebook installs packages."""

    left: tuple[str, ...] = ()
    """Data files that the notebook names and that were too large to travel."""


def compare(bundle: Path, step: str) -> Compared:
    """Compare what a step needs with what is here; nothing is imported. A bundle without an environment needs nothing."""
    try:
        environment = json.loads((bundle / FILE).read_text(encoding="utf-8"))
        needed = set(environment["steps"].get(step, ()))
        wanted = [one for one in environment["distributions"] if one["name"] in needed]
        installs, left = bool(environment["installs"]), tuple(map(str, environment.get("left") or ()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Compared()
    missing, other, here = [], [], []
    for one in wanted:
        version = _version(one)
        if version is None:
            missing.append(f"{one['name']} {one['version']}")
            continue
        here.append((str(one["name"]), version))
        if version not in {one["version"], ""}:
            other.append(f"{one['name']} {version} for {one['version']}")
    return Compared(tuple(missing), tuple(other), tuple(here), installs, left)


def check(found: Compared, image: str) -> None:
    """Stop a step whose packages are missing, unless a cell installs some: then they may be there in time.

    Raises:
        Refused: code ``missing-packages``, with all of them.
    """
    if not found.missing or found.installs:
        return
    names = ", ".join(found.missing[:LISTED]) + (" and more" if len(found.missing) > LISTED else "")
    pinned = " ".join(one.replace(" ", "==") for one in found.missing[:LISTED])
    raise Refused(
        f"{image or 'this interpreter'} lacks packages that the step imports: {names}",
        code="missing-packages",
        fix=f"Use an image that has them (mlops.image of the step, or the target's image); in its build: pip install {pinned}",
    )


def warnings(found: Compared) -> list[str]:
    """What is worth a line at the step's start, and stops nothing."""
    said = []
    if found.other:
        said.append(f"this image has other versions than the notebook's kernel: {', '.join(found.other)}")
    if found.missing and found.installs:
        said.append(f"not there yet: {', '.join(found.missing)}; a cell of the notebook installs packages")
    if found.left:
        names = ", ".join(found.left[:LISTED]) + (" and more" if len(found.left) > LISTED else "")
        said.append(f"too large to travel with the notebook: {names}; read them from a bucket, or log_dataset them")
    return said


def _version(one: Mapping[str, Any]) -> str | None:
    """The version that is here; '' where the module is there under another distribution's name, None where it is not."""
    from importlib import metadata  # compiling it takes a container 40 ms, for steps that need packages

    try:
        return metadata.version(one["name"])
    except metadata.PackageNotFoundError:
        pass
    try:
        return "" if one["modules"] and all(find_spec(module) is not None for module in one["modules"]) else None
    except (ImportError, ValueError):
        return None

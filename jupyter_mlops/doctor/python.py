"""Checks of Python and of what is installed in it."""

from __future__ import annotations

import re
import stat
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from jupyter_mlops.doctor.check import Finding, Machine, check, fail, ok, skip, warn

OLDEST = (3, 10)
DISTRIBUTION = "jupyter-mlops"


@check("DP01", "requirements")
def requirements(on: Machine) -> Finding:
    """Each requirement of this product is installed in a version that it takes."""
    del on
    from importlib.metadata import PackageNotFoundError, requires

    try:
        wanted = requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        return skip("jupyter-mlops is not installed as a package")
    return satisfied(wanted, _installed)


def satisfied(wanted: Iterable[str], installed: Callable[[str], str | None]) -> Finding:
    """Compare requirements with what is installed."""
    from packaging.requirements import Requirement

    wrong = []
    for text in wanted:
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        version = installed(requirement.name)
        if version is None:
            wrong.append(f"{requirement.name} is missing")
        elif not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} {version} is not {requirement.specifier}")
    if wrong:
        return fail("; ".join(wrong), "pip install --upgrade jupyter-mlops")
    return ok("all are installed")


@check("DP02", "Python version")
def python_version(on: Machine) -> Finding:
    """Old versions of Python are not tested."""
    del on
    return version_at(sys.version_info[:3])


def version_at(version: tuple[int, int, int]) -> Finding:
    """The check, for any version."""
    shown = ".".join(map(str, version))
    if version < OLDEST:
        return fail(f"this is Python {shown}", "Install Python 3.10 or newer, and jupyter-mlops in it.")
    return ok(f"Python {shown}")


@check("DX02", "registry passwords")
def docker_config(on: Machine) -> Finding:
    """The file with registry passwords is for its owner alone."""
    del on
    import os

    folder = os.environ.get("DOCKER_CONFIG")
    return private(Path(folder) if folder else Path.home() / ".docker")


def private(folder: Path) -> Finding:
    """The check, for any folder."""
    path = folder / "config.json"
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return skip(f"there is no {path}")
    except OSError as error:
        return warn(f"{path} cannot be looked at: {error.strerror}", f"chmod 600 {path}")
    if mode & 0o077:
        return warn(f"{path} can be read by other users (mode {mode:o})", f"chmod 600 {path}")
    return ok(f"{path} is for its owner alone")


def _installed(name: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(re.sub(r"[-_.]+", "-", name))
    except PackageNotFoundError:
        return None

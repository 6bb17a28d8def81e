"""What this person said about targets: ``$JUPYTER_MLOPS_HOME/targets.json``, for its owner alone (0600).

There is no secret in it, only addresses and names of objects; but who could write it could send a run's code to a registry
of their own. A file edited by hand is read as carefully as what a command line says: a key that is none is refused with the
nearest that is, rather than left out of account.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import Where, WrongUsage
from jupyter_mlops.oci.lock import locked
from jupyter_mlops.targets.values import KEYS, check_value

NAME = "targets.json"
_TOP = ("version", "default", "targets")


@dataclass(frozen=True, slots=True)
class Said:
    """The file's content. ``targets``: name of a target → its settings."""

    default: str = ""
    targets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def read(home: Path) -> Said:
    """The file as it is; nothing where there is none.

    Raises:
        WrongUsage: code ``targets-invalid``: not what this file holds, with the place.
    """
    path = home / NAME
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Said()
    except OSError as error:
        raise _invalid(path, f"cannot be read: {error.strerror}", "Make it readable for yourself: chmod 600.") from error
    import msgspec

    try:
        document = msgspec.json.decode(data, type=dict[str, Any])
        _only(path, document, _TOP, "")
        targets = msgspec.convert(document.get("targets", {}), dict[str, dict[str, Any]])
        default = msgspec.convert(document.get("default", ""), str)
    except msgspec.DecodeError as error:  # a ValidationError is one too; both name the place and quote nothing
        raise _invalid(path, f"is not what it should be: {error}", "Correct the file, or delete it.") from error
    for name, settings in targets.items():
        _only(path, settings, KEYS, f"targets.{name}.")
        try:
            targets[name] = {key: check_value(key, value) for key, value in settings.items()}
        except WrongUsage as error:
            raise _invalid(path, f"targets.{name}: {error.message}", error.fix) from error
    return Said(default, targets)


def change(home: Path, edit: Callable[[Said], Said]) -> Said:
    """Read, edit and write, with nobody else in between; the file is whole at every moment.

    Raises:
        WrongUsage: the file cannot be read or written.
    """
    path = home / NAME
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locked(home / ".targets.lock"):
            edited = edit(read(home))
            kept = {name: dict(settings) for name, settings in sorted(edited.targets.items()) if settings}
            document = {"version": 1, "default": edited.default, "targets": kept}
            handle, temporary = tempfile.mkstemp(dir=home, prefix=f".{NAME}.")  # mode 0600
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(document, file, indent=2, ensure_ascii=False)
            Path(temporary).replace(path)
    except OSError as error:
        raise _invalid(
            path, f"cannot be written: {error.strerror}", "Make the folder writable, or set JUPYTER_MLOPS_HOME."
        ) from error
    return replace(edited, targets=kept)


def _only(path: Path, document: Mapping[str, Any], known: tuple[str, ...], place: str) -> None:
    for key in document:
        if key not in known:
            near = get_close_matches(key, known, 1)
            meant = f"Did you mean {near[0]}? " if near else ""
            raise _invalid(path, f"has an unknown key {place}{key}", f"{meant}Known are {', '.join(known)}.")


def _invalid(path: Path, what: str, fix: str) -> WrongUsage:
    return WrongUsage(f"{path} {what}", code="targets-invalid", fix=fix, where=Where(field=NAME))

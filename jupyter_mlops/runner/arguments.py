"""The arguments of a step, as the Workflow writes them (``docs/formats.md``)."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import WrongUsage

DEFAULT_TERMINATION = "/dev/termination-log"
_NAMES = ("registry", "bundle", "run", "step", "state", "out")
_OPTIONAL = ("resume", "after", "item", "outcome", "join", "lane", "early", "commit")


@dataclass(frozen=True)
class Arguments:
    """``state`` is '' for the first step; ``parameters`` are values given for this run; ``resume`` is an earlier run or ''."""

    registry: str
    bundle: str
    run: str
    step: str
    state: str
    out: Path
    parameters: dict[str, Any] = field(default_factory=dict)
    resume: str = ""
    after: str = ""
    """The step between ``state`` and this one: ``STEP`` where it fans out, ``STEP:PHASE`` where it may have been skipped."""

    item: str = ""
    """``INDEX:ITEM`` of a branch (see :func:`item_of`)."""

    outcome: str = ""
    """Argo's phase of the run so far, for the step that runs at its end."""

    join: str = ""
    """Steps that ran beside each other after ``state``: sections with ``;``, lanes with ``,``, steps of a lane with ``+``."""

    lane: str = ""
    """For the first step of a lane, the steps of the lanes before it, with ``,``: in the document they run first."""

    early: str = ""
    """A word that stands in the path of the working folder, where the step is tried before its turn; '' where it is its turn."""

    commit: str = ""
    """``true``: the steps of ``lane`` have ended; what was tried ``early`` is compared with them and made the step's own."""

    @property
    def label(self) -> str:
        """The step, with the number of its branch: the end of the tags of what it leaves."""
        return f"{self.step}.{self.item.partition(':')[0]}" if self.item else self.step

    @property
    def repository(self) -> str:
        """Repository of the bundle, which holds the run's states and reports too."""
        return self.bundle.rpartition("@")[0]


def parse(argv: Sequence[str]) -> Arguments:
    """The arguments of the process.

    Raises:
        WrongUsage: an option is unknown, missing or without a value; a parameter is not ``NAME=JSON``.
    """
    given: dict[str, str] = {}
    parameters: dict[str, Any] = {}
    if len(argv) % 2:
        raise WrongUsage("an option without a value", fix="Start steps from the Workflow that was compiled.")
    for option, value in zip(argv[::2], argv[1::2], strict=True):
        name = option.removeprefix("--")
        if name == "param":
            key, separator, text = value.partition("=")
            try:
                parameters[key] = json.loads(text)
            except ValueError as error:
                raise WrongUsage(f"parameter {value!r} is not NAME=JSON", fix="Give the value as JSON.") from error
            if not separator:
                raise WrongUsage(f"parameter {value!r} is not NAME=JSON", fix="Give the value as JSON.")
        elif name in {*_NAMES, *_OPTIONAL}:
            given[name] = value
        else:
            raise WrongUsage(
                f"unknown option {option}", fix=f"Known: {', '.join('--' + x for x in (*_NAMES, *_OPTIONAL, 'param'))}."
            )
    if missing := [name for name in _NAMES if name not in given]:
        raise WrongUsage(f"missing option --{missing[0]}", fix="Start steps from the Workflow that was compiled.")
    return Arguments(**{**given, "out": Path(given["out"]), "parameters": parameters})  # type: ignore[arg-type]


def item_of(text: str) -> Any:
    """The value of an item as the Workflow writes it: ``INDEX:`` and JSON in which ``=XX`` is a character.

    Raises:
        WrongUsage: it is no such text.
    """
    try:
        index, _, written = text.partition(":")
        int(index)
        return json.loads(re.sub(r"=([0-9A-F]{2})", lambda found: chr(int(found[1], 16)), written))
    except ValueError as error:
        raise WrongUsage(f"{text[:60]!r} is not an item", fix="Start steps from the Workflow that was compiled.") from error


def termination_path() -> Path:
    """Where the termination message goes."""
    return Path(os.environ.get("MLOPS_TERMINATION") or DEFAULT_TERMINATION)

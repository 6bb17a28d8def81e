"""Whether a model's file may be read in this process: the last question before its format reads it.

Who decides is the policy (``registry.policy``), which knows where a model comes from; it hands one word to whoever reads. What is
looked at here are the very bytes that are read next, and not what was once said of them: a card, a scan of another day, and a
note in a registry are somebody's words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from jupyter_mlops.errors import NotAllowed
from jupyter_mlops.formats.allowed import Verdict, judge
from jupyter_mlops.formats.base import Runs

Rule = Literal["never", "listed", "any"]
"""No file that can run code; one whose names are all on the list of ``allowed``; every one."""

RULES: tuple[Rule, ...] = ("never", "listed", "any")
SETTINGS = ("never", "listed", "own", "any")
"""The words of the setting ``pickles``; each lets in what those before it do."""

_SHOWN = 3
"""Names that a refusal tells; the scan tells all."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a version of a model comes from, as far as can be relied on."""

    own: bool = False
    """This user's runs or kernels on this machine made it."""

    allowed: bool = False
    """The user allowed this very version."""


def rule_for(setting: str, origin: Origin) -> Rule:
    """What loading a version may run, by the setting ``pickles``.

    ``never``: no file that can run code. ``listed``: those of known names, and what was allowed. ``own``: also what was made here.
    ``any``: every one. A word that is none of these is as strict as can be.
    """
    if setting not in SETTINGS:
        return "never"
    if setting in {"never", "any"}:
        return "never" if setting == "never" else "any"
    return "any" if origin.allowed or (origin.own and setting == "own") else "listed"


def check(path: Path, runs: Runs, rule: Rule, card: Mapping[str, Any] | None = None) -> None:
    """Refuse a file that the rule does not let in.

    Args:
        path: the model's file.
        runs: what reading it can run, as its format says.
        rule: what is allowed.
        card: of the model, for its name.

    Raises:
        NotAllowed: code ``pickle-refused``: it names file, reason and the ways out.
        OSError: it cannot be read.
    """
    if rule == "any" or runs == "nothing":
        return
    why = "" if rule == "never" or runs == "anything" else refusal(judge(path, runs))
    if rule == "listed" and not why and runs != "anything":
        return
    raise NotAllowed(
        f"{path.name} may run code when it is loaded{why or _because(runs, rule)}",
        code="pickle-refused",
        fix=_fix(rule, str((card or {}).get("name") or "MODEL")),
    )


def refusal(verdict: Verdict) -> str:
    """Why a pickle is not let in, as the end of a sentence; '' where it is."""
    if not verdict.refused:
        return f": it cannot be followed to its end ({verdict.unreadable})" if verdict.unreadable else ""
    more = len(verdict.refused) - _SHOWN
    return f": it names {', '.join(verdict.refused[:_SHOWN])}" + (f" and {more} more" if more > 0 else "")


def _because(runs: Runs, rule: Rule) -> str:
    if rule == "never":
        return ", and the setting pickles is never"
    return ": code lies beside it" if runs == "anything" else ""


def _fix(rule: Rule, name: str) -> str:
    safe = "Register it in a format that runs none (skops, ONNX, safetensors)"
    if rule == "never":
        return f"{safe}, or change JUPYTER_MLOPS_PICKLES."
    return f"If you know who made it, allow this version: jupyter mlops models allow {name}:VERSION --reason WHY. {safe}."

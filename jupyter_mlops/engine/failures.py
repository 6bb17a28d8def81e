"""Why a step failed, from what its node says: the termination message of our runner, or Argo's own words.

``main: Error (exit code 1): {…}`` carries the runner's JSON; Argo 3.6 leaves out ``main: ``. Everything else that a
container can end with is recognised here, said in one sentence and given a fix.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from jupyter_mlops.diagnose.cause import Cause
from jupyter_mlops.engine.base import Failure
from jupyter_mlops.engine.branches import group_of

_NODE = re.compile(r"^(?:main: |wait: )?(Error|OOMKilled) \(exit code (\d+)\)(?:: (.*))?$", re.DOTALL)
_MEMORY = "Load less at a time, ask for more memory in the step's options, or close other programs on this machine."
_KILLED = 137
_SEE_LOG = "The step's log holds what it printed last: `jupyter mlops logs RUN --step STEP`."
_PATTERNS: tuple[tuple[re.Pattern[str], str, str, str], ...] = (
    (
        re.compile(r"exceeded (its|workflow) deadline|longer than the specified deadline|Max duration limit"),
        "timeout", "user", "Give the step a longer `timeout`, or less to do.",
    ),
    (
        re.compile(r"No space left on device|disk quota exceeded", re.IGNORECASE),
        "storage-full", "platform", "Free space on the disk, or delete runs that are no longer needed, and run again.",
    ),
    (re.compile(r"^pod deleted|Evicted|node shutdown"), "interrupted", "platform", "Run it again."),
    (
        re.compile(r"failed to find name in PATH|command not found"),
        "command-not-found", "user", "Use an image or kernel that has it.",
    ),
)  # fmt: skip
"""(what the message says, code, blame, fix), the first match counts."""


def failure_of_message(message: str, step: str | None) -> Failure | None:
    """The failure that a node's message tells; None where it tells nothing."""
    if not message:
        return None
    match = _NODE.match(message)
    if match is None:
        return _failure_of_words(message, step)
    reason, code, said = match.group(1), int(match.group(2)), (match.group(3) or "").strip()
    if reason == "OOMKilled":
        return Failure("out-of-memory", f"{_subject(step)} ran out of memory and was killed", step=step, fix=_MEMORY)
    if told := told_failure(message, step):
        return told
    if said:
        return _failure_of_words(said, step) if code != _KILLED else _killed_failure(said, step)
    if code == _KILLED:
        return _killed_failure("was killed (SIGKILL)", step)
    return Failure("step-failed", f"{_subject(step)} ended with exit code {code} and did not say why", step=step, fix=_SEE_LOG)


def told_failure(message: str, step: str | None) -> Failure | None:
    """The failure that our runner wrote into a node's message; None where the words are somebody else's, or cut off."""
    match = _NODE.match(message)
    said = (match.group(3) or "").strip() if match else ""
    if not said.startswith("{"):
        return None
    try:
        return failure_of_object(json.loads(said), step)
    except ValueError:
        return None


def failure_of_object(found: Any, step: str | None) -> Failure:
    """A termination message, or what an engine wrote in the same form; fields of another type are left out."""
    known: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
    message = known.get("message")
    return Failure(
        code=_str(known.get("code")) or "step-failed",
        message=_str(message) or _str(known.get("error")) or f"{_subject(step)} failed",
        cell=_int(known.get("cell")),
        line=_int(known.get("line")),
        step=step if step and group_of(step) == known.get("step") else _str(known.get("step")) or step,
        blame=_str(known.get("blame")) or "user",
        fix=_str(known.get("fix")),
        traceback=_lines(known.get("traceback")),
        facts=_lines(known.get("facts")),
    )


def failure_of_cause(cause: Cause, step: str | None, cell: int | None = None) -> Failure:
    """A cause that the cluster's documents told, as the failure of a run (``step`` None) or of a step, at the cell that ran."""
    return Failure(cause.code, cause.message, cell=cell, step=step, blame=cause.blame, fix=cause.fix, facts=cause.facts)


def _killed_failure(said: str, step: str | None) -> Failure:
    subject = _subject(step)
    text = said if said.startswith(subject) else f"{subject} {said if said.startswith('was ') else 'was ' + said}"
    return Failure("killed", text, step=step, fix=f"If it was short of memory: {_MEMORY[0].lower()}{_MEMORY[1:]} {_SEE_LOG}")


def _failure_of_words(message: str, step: str | None) -> Failure:
    for pattern, code, blame, fix in _PATTERNS:
        if pattern.search(message):
            return Failure(code, message if step is None else f"{_subject(step)}: {message}", step=step, blame=blame, fix=fix)
    return Failure("step-failed", message if step is None else f"{_subject(step)}: {message}", step=step, fix=_SEE_LOG)


def _subject(step: str | None) -> str:
    return f"step {step!r}" if step else "the step"


def _str(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _int(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _lines(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(value.splitlines())
    return tuple(line for line in value if isinstance(line, str)) if isinstance(value, list) else ()

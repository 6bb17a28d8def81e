"""Why a container ended: what the step itself left, the kernel's kill, its exit code.

A step's runner leaves a JSON object, with cell and line of the notebook in its message: that is the cause, whatever else is
true. Everything else is read from reason, exit code and the last words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from jupyter_mlops.diagnose.archive import archive_cause
from jupyter_mlops.diagnose.bundle import with_setting
from jupyter_mlops.diagnose.cause import Cause
from jupyter_mlops.diagnose.documents import Document, fact, mapping, name, number, text, words
from jupyter_mlops.diagnose.fetching import fetch_cause
from jupyter_mlops.diagnose.model import model_cause
from jupyter_mlops.diagnose.owner import Owner, foreign
from jupyter_mlops.diagnose.quantity import larger
from jupyter_mlops.diagnose.rights import rights_cause
from jupyter_mlops.diagnose.starting import REASONS, start_cause
from jupyter_mlops.errors import Blame

OOM, KILLED, TERMINATED, EXECUTOR, NOT_STARTED = "OOMKilled", 137, 143, 64, 128
"""Kubernetes' reason for memory; exit codes of SIGKILL, of SIGTERM, of Argo's own executor and of a container that never ran."""

CRASHES = {
    132: "an illegal instruction",
    134: "an abort",
    135: "a bus error",
    136: "an arithmetic error",
    139: "a segmentation fault",
}
BLAMES: Mapping[str, Blame] = {"user": "user", "platform": "platform", "us": "us"}
CODE = 64
"""Characters of a code at most."""

_CODE = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_PATH = re.compile(r"failed to find name in PATH: (exec: .{1,500})", re.DOTALL)
_FULL = re.compile(r"No space left on device|disk quota exceeded", re.IGNORECASE)


def end_cause(owner: Owner, container: str, ended: Document) -> Cause | None:
    """The cause that a container's ``terminated`` state tells; None if it ended well."""
    code, reason, said = number(ended.get("exitCode")), text(ended.get("reason")), text(ended.get("message")).strip()
    if code == 0 and reason != OOM:
        return None
    if reason in REASONS:
        return start_cause(owner, container, reason, said)
    return replace(ending(owner, container, code, reason, said), ended=True)


def ending(owner: Owner, container: str, code: int, reason: str, said: str) -> Cause:
    """The cause of an end that was not good.

    Args:
        owner: whose container it is.
        container: its name; ``main`` or '' for the step itself.
        code: exit code as a shell has it (128 + signal).
        reason: Kubernetes' reason: ``Error``, ``OOMKilled``, ….
        said: the termination message, or the end of the log.
    """
    where = f"{owner.about}, container {name(container)}" if container else owner.about
    about = fact(where, f"{reason or 'Error'} (exit code {code})", said)
    if told := _told(owner, said):
        return _own(owner, told, about)
    if reason == OOM:
        return _memory(owner, container, about)
    found = rights_cause(owner, said, about) or fetch_cause(owner, container, code, said, about)
    return found or _by_words(owner, container, code, said, about) or _by_code(owner, container, code, said, about)


def _by_words(owner: Owner, container: str, code: int, said: str, about: str) -> Cause | None:
    match = _PATH.search(said)
    if match or (code == NOT_STARTED and said):
        found = start_cause(owner, container, "", match[1] if match else said)
        return replace(found, facts=(about,), final=True)
    if _FULL.search(said):
        message = f"{owner.who} has no room left on its disk"
        fix = "Write less, or ask for more disk (the option `resources`: ephemeral-storage)."
        return Cause("storage-full", message, "user", fix, (about,), final=True)
    if kept := archive_cause(owner, container, said, about):
        return kept
    return model_cause(owner, said, about) if owner.kind == "service" and not foreign(container) else None


def _told(owner: Owner, said: str) -> Document:
    """The object that our runner or model server left, also after lines of another kind; empty if there is none.

    A server of somebody else may log JSON too: only with a code is it taken for ours.
    """
    for candidate in (said, said.rpartition("\n")[2]):
        if candidate.startswith("{"):
            try:
                found = mapping(json.loads(candidate))
            except (ValueError, RecursionError):
                continue
            if text(found.get("code")) or (owner.kind != "service" and text(found.get("message"))):
                return found
    return {}


def _own(owner: Owner, told: Document, about: str) -> Cause:
    """What the step said of itself: its message names cell and line."""
    code, blame = text(told.get("code")), text(told.get("blame"))
    lines = told.get("traceback")
    traceback = "\n".join(line for line in lines if isinstance(line, str)) if isinstance(lines, list) else text(lines)
    place = _place(told)
    message = text(told.get("message")) or text(told.get("error")) or f"{owner.who} failed"
    cause = Cause(
        code=code if _CODE.fullmatch(code) and len(code) <= CODE else "model-failed" if owner.kind == "service" else "step-failed",
        message=words(message if place in message else f"{message} ({place})"),
        blame=BLAMES.get(blame, "user"),
        fix=words(told.get("fix")) or owner.log_fix(),
        facts=(fact(owner.about, traceback), about) if traceback else (about,),
        final=True,
    )
    return with_setting(owner, cause)


def _place(told: Document) -> str:
    parts = [f"{key} {told[key]}" for key in ("cell", "line") if isinstance(told.get(key), int) and not isinstance(told[key], bool)]
    return ", ".join(parts) if parts and parts[0].startswith("cell") else ""


def _memory(owner: Owner, container: str, about: str) -> Cause:
    limit = owner.limit(container)
    if container == "storage-initializer":
        message = f"{owner.who} cannot start: fetching its model took more than the {limit or 'memory'} that KServe gives for it"
        fix = (
            "Deploy it in another way (`oci+native://`, or without a choice), or ask an administrator to raise KServe's "
            "limit for it."
        )
        return Cause("out-of-memory", message, "platform", fix, (about,), final=True)
    if whose := foreign(container):
        message = (
            f"{owner.who} failed: the container '{name(container)}' that {whose} adds ran out of "
            f"memory{f' ({limit})' if limit else ''}"
        )
        return Cause(
            "out-of-memory", message, "platform", f"An administrator gives {whose}'s containers more memory.", (about,), final=True
        )
    needed = f"more memory than the {limit} it may have" if limit else "more memory than its machine has left"
    return Cause(
        "out-of-memory",
        f"{owner.who} needs {needed} and was stopped",
        "user",
        owner.memory_fix(larger(limit)),
        (about,),
        final=True,
    )


def _by_code(owner: Owner, container: str, code: int, said: str, about: str) -> Cause:
    last = words(said.strip().rpartition("\n")[2], 300)
    because = f": {last}" if last else ""
    whose = foreign(container)
    if code in CRASHES:
        message = f"{owner.who} crashed in compiled code with {CRASHES[code]} (exit code {code})"
        fix = "Most often a compiled package does not fit the image or the machine: use the image that the notebook was made with."
        return Cause("crashed", message, "user", fix, (about,), final=True)
    if code == KILLED:
        message = f"{owner.who} was killed (exit code 137){because}"
        fix = f"If it was short of memory: {owner.memory_fix('')[:1].lower()}{owner.memory_fix('')[1:]} {owner.log_fix()}"
        return Cause("killed", message, "platform", fix, (about,), final=True)
    if code == TERMINATED:
        message = f"{owner.who} was ended from outside (exit code 143){because}"
        return Cause(
            "interrupted",
            message,
            "platform",
            "Run it again; with the option `retries` a step does so by itself.",
            (about,),
            final=True,
        )
    if code in {126, 127}:
        message = f"{owner.who} called a program that its image does not have or may not run (exit code {code}){because}"
        return Cause(
            "command-not-found", message, "user", f"Use an image that has it: {owner.image_setting}.", (about,), final=True
        )
    if whose:
        message = f"{owner.who} failed in the container '{name(container)}' that {whose} adds (exit code {code}){because}"
        return Cause(
            "platform-container",
            message,
            "platform",
            "Run it again; if it lasts, show the facts to an administrator.",
            (about,),
            final=True,
        )
    if code == EXECUTOR and owner.kind == "step":
        message = f"{owner.who} could not be started by Argo (exit code 64){because}"
        return Cause(
            "platform-container",
            message,
            "platform",
            "Run it again; if it lasts, show the facts to an administrator.",
            (about,),
            final=True,
        )
    if owner.kind == "service":
        message = f"the model server of {owner.who} ended with exit code {code}{because}"
        return Cause("model-failed", message, "user", owner.log_fix(), (about,), final=True)
    message = f"{owner.who} ended with exit code {code}{because or ' and did not say why'}"
    return Cause("step-failed", message, "user", owner.log_fix(), (about,), final=True)


def ended_well_but(owner: Owner, container: str, ended: Any) -> Cause:
    """A server that ends without an error is as gone as one that fails."""
    about = fact(
        f"{owner.about}, container {name(container)}", f"{text(mapping(ended).get('reason')) or 'Completed'} (exit code 0)"
    )
    message = f"the program of {owner.who} ends by itself instead of serving"
    return Cause("model-failed", message, "user", owner.log_fix(), (about,), final=True)

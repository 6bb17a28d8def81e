"""What the message of an Argo node means where its pod is not there to be asked.

The controller copies the pod's words: ``ImagePullBackOff: …`` while it waits, ``main: Error (exit code 3): …`` when it ended,
without ``main: `` on 3.6; it adds words of its own for what it did or could not do.
"""

from __future__ import annotations

import re

from jupyter_mlops.diagnose.admission import admission_cause
from jupyter_mlops.diagnose.cause import Cause
from jupyter_mlops.diagnose.documents import fact, name, text, words
from jupyter_mlops.diagnose.ending import ending
from jupyter_mlops.diagnose.image import REASONS as IMAGE_REASONS
from jupyter_mlops.diagnose.image import image_cause
from jupyter_mlops.diagnose.owner import Owner
from jupyter_mlops.diagnose.pod import pod_words
from jupyter_mlops.diagnose.rights import rights_cause
from jupyter_mlops.diagnose.scheduling import scheduling_cause
from jupyter_mlops.diagnose.starting import REASONS as START_REASONS
from jupyter_mlops.diagnose.starting import missing_object, start_cause

ENDED = re.compile(
    r"^(?:([a-z0-9][a-z0-9-]{0,62}): )?(Error|OOMKilled|[A-Z]\w{1,40}) \(exit code (\d{1,3})\)(?:: ?(.*))?$", re.DOTALL
)
"""A container's end in a node's message."""

_WAITING = re.compile(r"^([A-Z]\w{2,60}): (.*)$", re.DOTALL)
_PREFIX = re.compile(r"^(?:error in entry template execution|error in exit template execution): ")
_LOCK = re.compile(r"[Ww]aiting for (\S{1,300}) lock(?:\.\s*Lock status:\s*(\S{1,40}))?")
_ENTRY = re.compile(r"failed to look-?up entrypoint/cmd for image \"([^\"]{1,500})\"")
_UNDEFINED = re.compile(r"template name '([^'\n]{1,128})' undefined")
_TOO_BIG = re.compile(
    r"longer than maximum allowed size|request is too large|Request entity too large|Too long: must have at most"
    r"|offload node status is not supported|trying to send message larger than max"
)


def node_cause(owner: Owner, message: str) -> Cause | None:
    """The cause that a node's or a Workflow's message tells; None where it tells nothing that is known."""
    said = _PREFIX.sub("", text(message).strip())
    if not said:
        return None
    about = fact(owner.about, text(message))
    if match := ENDED.match(said):
        return ending(owner, match[1] or _whose(match[4] or ""), int(match[3]), match[2], match[4] or "")
    if match := _WAITING.match(said):
        reason, rest = match[1], match[2]
        if reason in IMAGE_REASONS:
            return image_cause(owner, "", reason, rest)
        if reason in START_REASONS:
            return start_cause(owner, "main", reason, rest)
        if reason in {"Unschedulable", "SchedulingGated"}:
            return scheduling_cause(owner, reason, rest)
    return _of_the_controller(owner, said, about) or admission_cause(owner, said, owner.who) or pod_words(owner, "", said)


def _whose(said: str) -> str:
    """The container behind an end that 3.6 reports without its name."""
    return "wait" if rights_cause(Owner("step", ""), said, "") else ""


def _of_the_controller(owner: Owner, said: str, about: str) -> Cause | None:
    """Words of Argo's controller itself."""
    if found := rights_cause(owner, said, about):
        return found
    if match := _ENTRY.search(said):
        return _entry_point(owner, name(match[1]), said, about)
    if _TOO_BIG.search(said):
        message = f"{owner.who} became larger than a Workflow may be (1 MiB)"
        return Cause(
            "workflow-too-large", message, "user", "Join neighbouring steps, or pass less in parameters.", (about,), final=True
        )
    if said == "timeout" or "exceeded its deadline" in said or "exceeded workflow deadline" in said or "Max duration limit" in said:
        message = f"{owner.who} took longer than the time it was given"
        return Cause("timeout", message, "user", "Give it a longer `timeout`, or less to do.", (about,), final=True)
    if said.startswith("pod deleted"):
        message = f"{owner.who} was interrupted: its pod was deleted, by a person or because its machine was needed or lost"
        return Cause(
            "interrupted",
            message,
            "platform",
            "Run it again; with the option `retries` a step does so by itself.",
            (about,),
            final=True,
        )
    if said.startswith(("invalid spec", "invalid workflow")) or "failed to resolve {{" in said:
        return _invalid(said, about)
    return _waits(owner, said, about) or missing_object(owner, said, about)


def _waits(owner: Owner, said: str, about: str) -> Cause | None:
    """What the controller keeps waiting on purpose."""
    if match := _LOCK.search(said):
        return _lock(owner, match, about)
    if "too many workflows are already running" in said or "max parallelism reached" in said.lower():
        message = f"{owner.who} waits: as many runs as are allowed at a time are already running"
        return Cause("too-many-runs", message, "platform", "Wait until one of them has ended, or stop one of yours.", (about,))
    if "resource creation rate-limit reached" in said:
        message = f"{owner.who} waits: Argo starts only so many steps a second"
        return Cause("too-many-runs", message, "platform", "Wait; it goes on by itself.", (about,))
    return None


def _entry_point(owner: Owner, image: str, said: str, about: str) -> Cause:
    if re.search(r"MANIFEST_UNKNOWN|manifest unknown|not found|NAME_UNKNOWN|404", said):
        message = f"{owner.who} cannot start: the image {image} does not exist"
        fix = f"Check its name and tag for a typing error, or push it; it is set in {owner.image_setting}."
        return Cause("image-not-found", message, "user", fix, (about,), final=True)
    message = f"{owner.who} names no command, and Argo cannot ask the registry for the one of the image {image}"
    return Cause("image-command", message, "user", "Write the `command` of its container into the Workflow.", (about,), final=True)


def _lock(owner: Owner, match: re.Match[str], about: str) -> Cause:
    parts = name(match[1]).split("/")
    kind = next((part for part in parts if part in {"Mutex", "ConfigMap", "Database"}), "")
    what = f"the semaphore '{parts[-1]}'" if kind in {"ConfigMap", "Database"} else f"the lock '{parts[-1]}'"
    message = f"{owner.who} waits for {what}, which other runs hold" + (f" ({name(match[2])} free)" if match[2] else "")
    return Cause("waits-for-lock", message, "platform", "Wait until they have ended, or stop one of yours.", (about,))


def _invalid(said: str, about: str) -> Cause:
    if match := _UNDEFINED.search(said):
        message = f"the Workflow is not valid: it uses a template '{name(match[1])}' that it does not have"
        return Cause("workflow-invalid", message, "user", "Add the template, or correct the name.", (about,), final=True)
    rest = said.partition(":")[2].strip() or said
    message = f"the Workflow is not valid: {words(rest, 350)}"
    return Cause(
        "workflow-invalid",
        message,
        "user",
        "Correct what it names; Workflows made from a notebook are checked before.",
        (about,),
        final=True,
    )

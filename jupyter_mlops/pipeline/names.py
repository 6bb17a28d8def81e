"""Names that Kubernetes, Argo and OCI registries take, made from what people wrote.

A step's name is the name of a DAG task, a part of a pod's name and of a tag; a pipeline's name is a label, the beginning of
a Workflow's name and a repository. The strictest of these rules is kept everywhere: a DNS label that begins with a letter
for steps (Argo refuses a task with ``depends`` whose name begins with a digit), a DNS label for pipelines.
"""

from __future__ import annotations

import re
import unicodedata

STEP_LENGTH = 40
"""Characters of a step's name: pod names hold the Workflow's name (≤ 56) beside it, cut by Argo at 253, shown in narrow panels."""

PIPELINE_LENGTH = 50
"""Characters of a pipeline's name: with ``-`` and the five that ``generateName`` adds, a label value of 63 has room to spare."""

NUMBERING = re.compile(r"^[\W_]*(?:(?:\d+[.):]+)+\d*\s*|\d+\s+)(?=.*[^\W\d_])")
"""``1. ``, ``2) ``, ``3.1 `` before a heading; not the ``3`` of ``3D``."""

SPELLED = str.maketrans(
    {
        "ä": "ae",
        "ö": "oe",
        "ü": "ue",
        "ß": "ss",
        "æ": "ae",
        "ø": "o",
        "œ": "oe",
        "ł": "l",
        "đ": "d",
        "þ": "th",
        "ð": "d",
        "&": " and ",
    }
)
"""Letters that Unicode does not decompose, or that have an established spelling."""


def slug(text: str, length: int) -> str:
    """Lower-case letters, digits and single dashes, at most ``length``; '' where the text holds none of these."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFC", text).lower().translate(SPELLED))
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if len(words) <= length:
        return words
    cut = words[: length + 1].rpartition("-")[0] if "-" in words[length // 2 : length + 1] else words[:length]
    return cut[:length].strip("-")


def step_name(text: str) -> str:
    """Name of a step from a heading or tag: ``1. Load data`` is ``load-data``; '' where nothing is left of it."""
    name = slug(NUMBERING.sub("", text), STEP_LENGTH)
    return f"step-{name}"[:STEP_LENGTH].rstrip("-") if name[:1].isdigit() else name


def unique(names: list[str], fallback: str = "step") -> list[str]:
    """The names in order, each once: the second ``load`` is ``load-2``, an empty one ``step-<its place>``."""
    taken: set[str] = set()
    result = []
    for place, name in enumerate(names, 1):
        wanted = name or f"{fallback}-{place}"
        found, count = wanted, 2
        while found in taken or (found != wanted and found in names):
            found, count = f"{wanted}-{count}", count + 1
        taken.add(found)
        result.append(found)
    return result


def pipeline_name(stem: str) -> str:
    """Name of the pipeline from the notebook's name: ``Umsatz 2024`` is ``umsatz-2024``."""
    return slug(stem, PIPELINE_LENGTH) or "notebook"

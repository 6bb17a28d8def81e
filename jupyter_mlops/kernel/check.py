"""``%mlops check`` as a page: the answer, then what differs, the first first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_mlops.check.verdict import sentence, words
from jupyter_mlops.kernel.page import Block, Line, Page, Part

if TYPE_CHECKING:
    from jupyter_mlops.check.verdict import Verdict


def check_page(verdict: Verdict, what: str) -> Page:
    """What a check found; ``what`` is the notebook as it was compared."""
    parts: list[Part] = [Line(f"{verdict.notebook}: {sentence(verdict)}", "strong")]
    if verdict.differences:
        parts.append(Block(tuple(line for found in verdict.differences for line in words(found))))
    parts += [Line(f"not compared: {one['name']} ({one['reason']})") for one in verdict.uncompared]
    return Page((*parts, Line(f"Compared {what}.", "quiet")))

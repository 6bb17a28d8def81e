"""Headings of a notebook: where its author divided it, and what the parts are called."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from jupyter_mlops.notebook.document import Cell

HEADING = re.compile(r" {0,3}(?P<marks>#{1,2})[ \t]+(?P<text>.+?)[ \t]*#*[ \t]*$")
HTML_HEADING = re.compile(r"<h([12])\b[^>]*>(.*?)</h\1>", re.IGNORECASE | re.DOTALL)
FENCE = re.compile(r" {0,3}(```|~~~)")


def headings(cell: Cell) -> Iterator[tuple[int, str]]:
    """(level, text) of each heading of level 1 or 2 in a markdown cell, in order; not those inside code fences."""
    fence = ""
    for line in cell.source.split("\n"):
        mark = FENCE.match(line)
        if mark:
            fence = "" if fence == mark[1] else (fence or mark[1])
        elif not fence and (match := HEADING.match(line)):
            yield len(match["marks"]), plain_text(match["text"])
    for match in HTML_HEADING.finditer(cell.source):
        yield int(match[1]), plain_text(match[2])


def plain_text(markdown: str) -> str:
    """A heading without tags, links, emphasis and code marks."""
    text = re.sub(r"<[^>]+>", "", markdown)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return html.unescape(re.sub(r"[*`]|(?<!\w)_|_(?!\w)", "", text)).strip()

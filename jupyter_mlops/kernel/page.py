"""What a magic shows, as a value: a few lines, tables and log tails that are written once and come out as text and as HTML.

A cell's output must read well in JupyterLab, in a terminal, in a diff of the notebook and to a screen reader, so both forms
are made from the same parts. HTML takes its colours and fonts from where it is shown (light or dark), and everything that
came from a notebook, a log or a model is escaped: a column named ``<script>`` is a column named ``<script>``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Literal

from jupyter_mlops.oci.names import MIME_RUN

Tone = Literal["plain", "strong", "quiet"]


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence. ``strong`` opens a page, ``quiet`` is what one may skip."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a head, all of them words by now. An empty table shows nothing."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Block:
    """Lines whose spaces matter: a log's tail, a traceback, a help text."""

    lines: tuple[str, ...]


Part = Line | Table | Block


@dataclass(frozen=True, slots=True)
class Page:
    """Everything that one command shows, in order."""

    parts: tuple[Part, ...]
    run: Mapping[str, Any] | None = None
    """``{"run", "phase", "home"}`` where the page is about one run: the front end shows it live."""


def as_text(page: Page) -> str:
    """For terminals and for ``text/plain``."""
    return "\n".join(text for part in page.parts if (text := _text(part)))


def as_html(page: Page) -> str:
    """For notebooks; colours and fonts are inherited."""
    inner = "".join(_html(part) for part in page.parts)
    return f'<div class="jupyter-mlops" style="line-height: 1.5">{inner}</div>'


def bundle(page: Page) -> dict[str, Any]:
    """The display bundle: text, HTML and, for a run, the product's own type."""
    made: dict[str, Any] = {"text/plain": as_text(page), "text/html": as_html(page)}
    if page.run is not None:
        made[MIME_RUN] = dict(page.run)
    return made


def _text(part: Part) -> str:
    match part:
        case Line(text=text):
            return text
        case Block(lines=lines):
            return "\n".join(f"  {line}".rstrip() for line in lines)
        case Table(head=head, rows=rows):
            return _text_table(head, rows) if rows else ""


def _text_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    grid = [tuple(_one_line(word) for word in row) for row in (head, *rows)]
    widths = [max(len(row[column]) for row in grid) for column in range(len(head))]
    return "\n".join("  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip() for row in grid)


def _one_line(text: str) -> str:
    return " ".join(text.split())


STYLE: Mapping[Tone, str] = {"plain": "", "strong": ' style="font-weight: 600"', "quiet": ' style="opacity: 0.75"'}
_CELL = "text-align: left; padding: 2px 12px 2px 0; vertical-align: top"
_TABLE = "margin: 4px 0; border: 0; color: inherit; font: inherit"
_BLOCK = "margin: 4px 0; max-height: 20em; overflow: auto; white-space: pre-wrap; background: none; color: inherit"


def _html(part: Part) -> str:
    match part:
        case Line(text=text, tone=tone):
            return f"<div{STYLE[tone]}>{escape(text)}</div>"
        case Block(lines=lines):
            return f'<pre style="{_BLOCK}">{escape(chr(10).join(lines))}</pre>' if lines else ""
        case Table(head=head, rows=rows):
            return _html_table(head, rows) if rows else ""


def _html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f'<th scope="col" style="{_CELL}">{escape(word)}</th>' for word in head)
    body = "".join("<tr>" + "".join(f'<td style="{_CELL}">{escape(word)}</td>' for word in row) + "</tr>" for row in rows)
    return f'<table style="{_TABLE}"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>'

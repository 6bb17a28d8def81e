"""Where words go: results to standard output, everything else to standard error.

With ``--json`` standard output holds the JSON document and nothing else, so that a script can pipe it. What others wrote
(logs, names, annotations) may hold control sequences that move the cursor or set the title of a terminal: only colours pass.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from jupyter_mlops.errors import MlopsError

CONTROL = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # titles and links (OSC)
    r"|\x1b\[(?![0-9;]*m)[0-?]*[ -/]*[@-~]"  # cursor movements (CSI), but not colours
    r"|\x1b(?!\[)."  # any other sequence
    r"|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f\x80-\x9f]"
)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
STYLES = {"red": "31", "green": "32", "yellow": "33", "blue": "34", "grey": "90", "bold": "1"}

MINUTE, HOUR, DAY = 60, 3600, 86400


class Console:
    """Standard output and error of a command."""

    def __init__(self, out: TextIO, err: TextIO, *, as_json: bool = False) -> None:
        self.out = out
        self.err = err
        self.as_json = as_json
        self.live = err.isatty() and os.environ.get("TERM") != "dumb"
        """Whether progress can be painted over itself."""

    @property
    def width(self) -> int:
        """Columns of the terminal."""
        return shutil.get_terminal_size((100, 24)).columns

    def line(self, text: str = "") -> None:
        """A line of the result."""
        self.out.write(clean(text) + "\n")

    def note(self, text: str) -> None:
        """A line beside the result: progress, hints."""
        self.err.write(clean(text) + "\n")
        self.err.flush()

    def emit(self, document: Mapping[str, Any]) -> None:
        """The JSON document of a command."""
        self.out.write(json.dumps(_finite(document), ensure_ascii=False, default=str) + "\n")
        self.out.flush()

    def error(self, error: MlopsError) -> None:
        """What happened and what to do. Refusals list every finding."""
        self.note(f"{self.styled('error', 'red', on=self.err)}: {error}")
        found = getattr(error, "diagnostics", ())
        for diagnostic in found:
            self.note(f"  {finding(diagnostic)}")
        if error.fix and error.fix not in {diagnostic.fix for diagnostic in found}:
            self.note(f"  fix: {error.fix}")

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Columns as wide as their widest entry; the last one is cut at the edge of a terminal."""
        cells = [[*headers], *([clean(value) for value in row] for row in rows)]
        widths = [max(map(_columns, column)) for column in zip(*cells, strict=True)]
        for index, row in enumerate(cells):
            padded = [value + " " * (width - _columns(value)) for value, width in zip(row, widths, strict=True)]
            text = "  ".join(padded).rstrip()
            if self.out.isatty() and len(text) > self.width and not COLOUR.search(text):
                text = text[: self.width - 1] + "…"
            self.line(self.styled(text, "bold") if index == 0 else text)

    def styled(self, text: str, style: str, *, on: TextIO | None = None) -> str:
        """Coloured where a terminal shows it and nobody asked for none (``NO_COLOR``)."""
        stream = self.out if on is None else on
        if not stream.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
            return text
        return f"\x1b[{STYLES[style]}m{text}\x1b[0m"


def finding(diagnostic: Any) -> str:
    """One finding about a notebook: place, message, fix."""
    place = (
        "" if diagnostic.cell is None else f"cell {diagnostic.cell}" + ("" if diagnostic.line is None else f":{diagnostic.line}")
    )
    fix = f"\n      fix: {diagnostic.fix}" if diagnostic.fix else ""
    return f"{diagnostic.severity:<7}  {place:<12}  {diagnostic.message} [{diagnostic.code}]{fix}"


def clean(text: str) -> str:
    """Text that cannot command a terminal."""
    return CONTROL.sub("", text)


def duration(value: float | None) -> str:
    """Seconds as people read them: 0.4 s, 12 s, 3 m 20 s, 2 h 5 m."""
    if value is None:
        return "-"
    if value < MINUTE:
        return f"{value:.1f} s"
    if value < HOUR:
        return f"{int(value // MINUTE)} m {int(value % MINUTE)} s"
    return f"{int(value // HOUR)} h {int(value % HOUR // MINUTE)} m"


def ago(when: float | None, now: float | None = None) -> str:
    """A time as its distance from now; the date where it is more than a month away. None and 0 are no time."""
    if not when:
        return "-"
    passed = (time.time() if now is None else now) - when
    for limit, unit, name in ((MINUTE, 1, "s"), (HOUR, MINUTE, "min"), (2 * DAY, HOUR, "h"), (30 * DAY, DAY, "days")):
        if passed < limit:
            return f"{max(0, int(passed // unit))} {name} ago"
    return datetime.fromtimestamp(when).astimezone().date().isoformat()


def size(count: int) -> str:
    """Bytes as people read them."""
    value = float(count)
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1000:  # noqa: PLR2004  (decimal units, as file managers show them)
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def _columns(text: str) -> int:
    return len(COLOUR.sub("", text))


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity; null says that there is no number."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value

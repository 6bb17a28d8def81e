"""Outputs of two runs of one notebook, cell by cell: text, displays by MIME type, errors.

Equal means equal bytes, after the rules in ``RULES``: libraries number or name what they draw, so that the same picture has
another id each time, and an object without a text of its own shows where it lies. Times and process numbers are not touched:
those differ between two plain runs too, and are told so. Text of one stream is compared as one piece, since how it interleaves
with the other stream is up to the kernel.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jupyter_mlops.check.verdict import Difference

RULES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("random ids (UUIDs) of widgets, charts and figures", re.compile(r"\b[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\b")),
    ("ids of pandas' styled tables", re.compile(r"\bT_[0-9a-f]{5}")),
    ("numbers of scikit-learn's diagrams in a process", re.compile(r"\bsk-(?:container|estimator)-id-\d+")),
    ("ids of paths and markers in matplotlib's SVG", re.compile(r"(?<![0-9A-Za-z])[mpC][0-9a-f]{10}(?:_\w+)?(?![0-9A-Za-z])")),
    ("the times that %time and %%time print", re.compile(r"(?m)(?<=^CPU times: ).*$|(?<=^Wall time: ).*$")),
    ("the times that %timeit prints", re.compile(r"(?m)^.* per loop \(mean ± .*$|^The slowest run took .*$")),
    ("addresses in the texts of objects", re.compile(r"(?<= at )0x[0-9a-fA-F]{6,16}(?=[>\s,;)\]]|$)")),
    ("files that a cell is said to be in", re.compile(r"(?:/[^\s:\"'<>/]+)*/ipykernel_\d+/\d+\.py|<ipython-input-[^>\s]+>")),
    ("the date in matplotlib's SVG", re.compile(r"(?<=<dc:date>)[^<]+")),
)
"""What is replaced by its number of appearance in an output, each with its reason. ``docs/notebooks.md`` lists them for people."""

ASKED = "StdinNotImplementedError"
"""An exception whose text is the kernel's own: only its name is compared."""

_MOST = 200


@dataclass(frozen=True)
class Compared:
    """Outputs that are equal, and differences in document order."""

    equal: int
    differences: tuple[Difference, ...]


Outputs = Mapping[int, Sequence[Mapping[str, Any]]]
"""Cell → its outputs as nbformat has them."""


def compare(
    single: Outputs, pipeline: Outputs, folders: tuple[Sequence[str], Sequence[str]] = ((), ()), before: int | None = None
) -> Compared:
    """Compare all outputs.

    Args:
        single: of the single kernel.
        pipeline: of the pipeline.
        folders: where each side ran; a path below it says the same as one below the other's.
        before: only cells before this one, at which one of the sides stopped.
    """
    equal, found = 0, []
    for cell in sorted(cell for cell in single.keys() | pipeline.keys() if before is None or cell < before):
        mine, theirs = (_pieces(side.get(cell, ()), place) for side, place in ((single, folders[0]), (pipeline, folders[1])))
        for what in dict.fromkeys((*mine, *theirs)):
            if mine.get(what) == theirs.get(what):
                equal += 1
            else:
                found.append(Difference("output", what, *_apart(what, mine.get(what), theirs.get(what)), cell=cell))
    return Compared(equal, tuple(found))


def _pieces(outputs: Sequence[Mapping[str, Any]], folders: Sequence[str]) -> dict[str, str]:
    """What there is to compare by its label: each stream as one text, each display by MIME type, each error."""
    found: dict[str, str] = {}
    shown = 0
    for output in outputs:
        kind = output.get("output_type")
        if kind == "stream":
            name = str(output.get("name"))
            found[name] = found.get(name, "") + _text(output.get("text"))
        elif kind == "error":
            said = "" if output.get("ename") == ASKED else f": {_text(output.get('evalue'))}"
            found["error"] = f"{output.get('ename')}{said}"
        else:
            shown += 1
            for mime, data in dict(output.get("data") or {}).items():
                found[f"{mime} ({shown})" if shown > 1 else mime] = _text(data)
    return {what: normal(text, folders) for what, text in found.items() if text}


def normal(text: str, folders: Sequence[str] = ()) -> str:
    """A text after the rules."""
    for folder in folders:
        text = text.replace(folder, "<folder>")
    for number, (_, pattern) in enumerate(RULES):
        seen: dict[str, str] = {}
        text = pattern.sub(lambda match, seen=seen, n=number: seen.setdefault(match[0], f"<id {n}.{len(seen) + 1}>"), text)  # type: ignore[misc]
    return text


def _text(data: Any) -> str:
    if isinstance(data, str):
        return data
    if isinstance(data, list) and all(isinstance(part, str) for part in data):
        return "".join(data)
    return "" if data is None else json.dumps(data, sort_keys=True)


def _apart(what: str, first: str | None, second: str | None) -> tuple[str, str]:
    """What shows how two outputs differ: of text the first lines that do, of anything else its size."""
    if not (what.startswith("text/plain") or what in {"stdout", "stderr", "error"}):
        one, other = ("nothing" if text is None else f"{len(text)} characters" for text in (first, second))
        return (one, other) if one != other else (f"{one}, digest {_digest(first)}", f"{other}, digest {_digest(second)}")
    ours, theirs = (text.splitlines() if text is not None else ["nothing"] for text in (first, second))
    place = next((number for number, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]), None)
    place = min(len(ours), len(theirs)) if place is None else place
    return _line(ours, place), _line(theirs, place)


def _line(lines: Sequence[str], place: int) -> str:
    """One line and what follows it, on one line; a missing one is said to be missing."""
    text = " ⏎ ".join(line.rstrip() for line in lines[place : place + 3])
    return (text if len(text) <= _MOST else f"{text[: _MOST - 1]}…") if place < len(lines) else "no more lines"


def _digest(text: str | None) -> str:
    return hashlib.sha256((text or "").encode()).hexdigest()[:12]

"""Anybody's notebooks on trial: convert each one unedited, run it both ways, and say in a table what came of it.

    python scripts/trial.py FOLDER… [--cuts proposed --cuts cells] [--limit 300] [--match 'stats*'] [--json FILE]

The promise is that a notebook converts and equals Restart & Run All, or is refused with cell, line and fix. The examples of
this checkout cannot show that; notebooks that others wrote can. A folder may hold ``.ipynb`` files and scripts with ``# %%``
marks, as galleries keep them; nothing in it is changed. Each notebook is converted and checked once for every way to cut it:

- ``proposed``: the steps that conversion proposes,
- ``cells``: one step a cell, where everything between two cells has to travel.

Only the product's own command line is asked. It is that of the Python that runs this script, which has to have the packages
that the notebooks import. The exit status is 0 where every notebook was equal, unsteady (two plain runs of it differ too) or
refused; 1 where one differs, could not be checked or took longer than the limit.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

CUTS = ("proposed", "cells")
MARK = re.compile(r"^# ?%%|^#{20,}\s*$")
"""What begins a cell of a script: a mark, or the line of hashes of Sphinx-Gallery."""

FINE = frozenset({"equal", "unsteady", "refused"})
PATIENCE = 20.0
"""Seconds between the request to stop and the end by force."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command said."""

    seconds: float
    code: int | None
    """Its exit status; None where it took longer than the limit."""

    document: Mapping[str, Any]
    said: str


@dataclass(frozen=True, slots=True)
class Row:
    """One notebook, cut in one way."""

    notebook: str
    cut: str
    cells: int
    steps: int = 0
    convert: float = 0.0
    """Seconds of ``convert``, its process included."""

    check: float = 0.0
    outcome: str = "failed"
    """``equal``, ``unsteady``, ``different``, ``refused``, ``failed`` or ``timeout``."""

    note: str = ""
    """Where both sides stop, what the first difference is, or why there is no answer."""

    diagnostics: Sequence[str] = field(default=())
    """Each as ``severity code cell:line message``."""

    differences: Sequence[Mapping[str, Any]] = field(default=())


def found(folders: Sequence[Path], match: str) -> Iterator[Path]:
    """Notebooks and scripts with marks, sorted; checkpoints are none."""
    for folder in folders:
        paths = [folder] if folder.is_file() else sorted(path for path in folder.rglob("*") if path.suffix in {".ipynb", ".py"})
        for path in paths:
            if ".ipynb_checkpoints" in path.parts or not fnmatch.fnmatch(path.name, match):
                continue
            if path.suffix == ".ipynb" or any(map(MARK.match, path.read_text(encoding="utf-8").splitlines())):
                yield path


def cells_of(script: str) -> list[dict[str, Any]]:
    """The cells of a script with marks: comments that stand right under a mark are text, what follows is code."""
    made: list[tuple[str, list[str]]] = [("code", [])]
    for line in script.splitlines():
        if MARK.match(line):
            made.append(("markdown", []))
        elif made[-1][0] == "markdown" and not line.startswith("#"):
            made.append(("code", [line]))
        else:
            made[-1][1].append(line.lstrip("#").strip() if made[-1][0] == "markdown" else line)
    texts = [(kind, "\n".join(lines).strip("\n")) for kind, lines in made]
    return [
        {"cell_type": kind, "id": f"c{number}", "metadata": {}, "source": text}
        | ({"outputs": [], "execution_count": None} if kind == "code" else {})
        for number, (kind, text) in enumerate((kind, text) for kind, text in texts if text.strip())
    ]


def document_of(path: Path) -> dict[str, Any]:
    """A notebook's document; a script's cells as one."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        document: dict[str, Any] = json.loads(text)
        return document
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": cells_of(text), "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}


def cut_by_cells(document: Mapping[str, Any]) -> dict[str, Any]:
    """The same notebook with one step for each code cell that holds code."""
    cells = []
    for number, cell in enumerate(document["cells"]):
        metadata = dict(cell.get("metadata") or {})
        if cell.get("cell_type") == "code" and "".join(cell.get("source") or "").strip():
            metadata["mlops"] = {"step": f"cell-{number}"}
        cells.append({**cell, "metadata": metadata})
    return {**document, "cells": cells}


def laid_out(path: Path, document: Mapping[str, Any], scratch: Path) -> Path:
    """The notebook in a copy of its folder, so that neither the folder nor the notebook itself is touched."""
    folder = scratch / "folder"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(path.parent, folder, ignore=shutil.ignore_patterns("*.ipynb", ".git", "__pycache__"), dirs_exist_ok=True)
    there = folder / f"{path.stem}.ipynb"
    there.write_text(json.dumps(document), encoding="utf-8")
    return there


def ask(words: Sequence[str], scratch: Path, limit: float) -> Answer:
    """Ask the command line for JSON; after the limit it is interrupted, as a person would, and then ended."""
    command = [sys.executable, "-m", "jupyter_mlops.cli", *words, "--json"]
    environ = {**os.environ, "JUPYTER_MLOPS_HOME": str(scratch / "home")}
    began = time.monotonic()
    with (scratch / "out").open("w+") as out, (scratch / "err").open("w+") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, env=environ, start_new_session=True)
        code: int | None
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            code = None
            process.send_signal(signal.SIGINT)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read())
    try:
        said = json.loads(texts[0])
    except ValueError:
        said = {}
    return Answer(time.monotonic() - began, code, said, texts[1].strip())


def one_line(diagnostic: Mapping[str, Any]) -> str:
    """A diagnostic in one line."""
    place = ":".join(str(diagnostic.get(part, "") if diagnostic.get(part) is not None else "") for part in ("cell", "line"))
    return f"{diagnostic.get('severity')} {diagnostic.get('code')} {place} {diagnostic.get('message')}"


def tried(path: Path, cut: str, scratch: Path, limit: float) -> Row:
    """Convert and check one notebook, cut in one way."""
    try:
        document = document_of(path)
        kinds = Counter(str(cell.get("cell_type")) for cell in document["cells"])
        row = Row(path.name, cut, kinds["code"])
        there = laid_out(path, cut_by_cells(document) if cut == "cells" else document, scratch)
    except (ValueError, KeyError, TypeError, AttributeError):
        row = Row(path.name, cut, 0)
        there = shutil.copy(path, scratch)
    planned = ask(["convert", str(there)], scratch, limit)
    error = planned.document.get("error") or {}
    shown = planned.document.get("diagnostics") or error.get("diagnostics") or ()
    row = replace(
        row, convert=planned.seconds, steps=len(planned.document.get("steps") or ()), diagnostics=tuple(map(one_line, shown))
    )
    if planned.code is None:
        return replace(row, outcome="timeout", note="convert")
    if planned.code == 2:
        return replace(row, outcome="refused", note=f"{error.get('code')}: {error.get('message')}")
    if planned.code != 0:
        return replace(row, note=last_line(planned))
    return judged(row, ask(["check", str(there)], scratch, limit))


def judged(row: Row, answer: Answer) -> Row:
    """The row with what a check said."""
    row = replace(row, check=answer.seconds)
    if answer.code is None:
        return replace(row, outcome="timeout", note=last_line(answer))
    outcome = answer.document.get("outcome")
    if outcome is None:
        return replace(row, note=last_line(answer))
    if outcome == "refused":
        error = answer.document["error"]
        return replace(row, outcome=outcome, note=f"{error.get('code')}: {error.get('message')}")
    differences = tuple(answer.document["differences"])
    first = next((one for one in differences if not one["unsteady"]), differences[0] if differences else None)
    note = ""
    if stop := answer.document.get("stopped"):
        note = f"both stop at cell {stop['cell']}, line {stop['line']}: {stop['error']}"
    if first is not None:
        place = "" if first["cell"] is None else f"cell {first['cell']}: "
        note = f"{place}{first['kind']} {first['path'] or first['what']}: {first['single']} | {first['pipeline']}"
    return replace(row, outcome=outcome, note=note, differences=differences)


def last_line(answer: Answer) -> str:
    """The last thing that a command said to people."""
    error = answer.document.get("error") or {}
    return str(error.get("message") or (answer.said.splitlines() or ["it said nothing"])[-1])


def line_of(row: Row) -> str:
    """A row as people read it."""
    note = " ".join(row.note.split())
    return (
        f"{row.notebook[:44]:<44} {row.cut:<8} {row.cells:>5} {row.steps:>5} {row.convert:>7.1f} {row.check:>7.1f} "
        f"{len(row.diagnostics):>4}  {row.outcome:<9} {note[:110]}"
    )


HEAD = f"{'notebook':<44} {'cut':<8} {'cells':>5} {'steps':>5} {'convert':>7} {'check':>7} {'said':>4}  outcome"


def main(words: Sequence[str] | None = None) -> int:
    """Try all; the table grows while it works."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="a folder, or one notebook")
    parser.add_argument("--cuts", action="append", choices=CUTS, help="repeat for more; both where none is given")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds for each command")
    parser.add_argument("--match", default="*", help="pattern of the names of the files")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write what was found, diagnostics and differences included")
    given = parser.parse_args(words)
    rows: list[Row] = []
    print(HEAD, flush=True)
    for path in found(given.folders, given.match):
        for cut in given.cuts or CUTS:
            with tempfile.TemporaryDirectory(prefix="mlops-trial-", ignore_cleanup_errors=True) as scratch:
                rows.append(tried(path, cut, Path(scratch), given.limit))
            print(line_of(rows[-1]), flush=True)
            if given.json:
                given.json.write_text(json.dumps([asdict(row) for row in rows], indent=1), encoding="utf-8")
    counts = Counter(row.outcome for row in rows)
    print(f"\n{len(rows)} trials: " + ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common()))
    return 0 if all(row.outcome in FINE for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

"""``jupyter mlops import``: a notebook or pipeline of another tool becomes an ordinary notebook, with an account of every field."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlops.cli.console import Console, finding
from jupyter_mlops.errors import Diagnostic, Refused
from jupyter_mlops.pipeline.contract import diagnostic_json

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench
    from jupyter_mlops.importers.base import Item

EXAMPLES = """\
  jupyter mlops import titanic.ipynb              a Kale, papermill or SAME notebook; writes a new one beside it
  jupyter mlops import analysis.pipeline          an Elyra pipeline with its notebooks and scripts
  jupyter mlops import job.json -o imported/      a job of jupyter-scheduler, into another folder
  jupyter mlops import titanic.ipynb --in-place   over the source itself
  jupyter mlops import analysis.pipeline --json | jq '.report[] | select(.outcome == "lost")'"""

TITLES = {"taken": "taken over as", "not-needed": "not needed here", "lost": "lost"}


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments."""
    parser.add_argument("path", type=Path, metavar="PATH", help="notebook, .pipeline, job as .json, or same_config.yaml")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="folder, or FILE.ipynb (default: beside the source, under a new name)"
    )
    parser.add_argument("--in-place", action="store_true", help="write over the source, where it is a notebook")


def run(arguments: argparse.Namespace, console: Console, bench: Workbench) -> int:
    """Import, say what became of every field, and whether the result converts."""
    from jupyter_mlops.importing import import_file

    written = import_file(arguments.path, arguments.output, in_place=arguments.in_place)
    steps, found = _converted(written.path, bench)
    if console.as_json:
        console.emit(
            {
                "format": written.imported.format,
                "source": str(arguments.path),
                "notebook": str(written.path),
                "steps": steps,
                "report": [item.to_dict() for item in written.imported.items],
                "diagnostics": [diagnostic_json(one) for one in found],
            }
        )
        return 0
    count = len(steps)
    console.line(f"{arguments.path} ({written.imported.format}) → {written.path}: {count} step{'' if count == 1 else 's'}")
    for outcome, title in TITLES.items():
        _show(title, [item for item in written.imported.items if item.outcome == outcome], console)
    for one in found:
        console.line(finding(one))
    console.note(f"Look at it: jupyter mlops convert {written.path}")
    return 0


def _converted(path: Path, bench: Workbench) -> tuple[list[dict[str, Any]], Sequence[Diagnostic]]:
    """Steps of the notebook that came out, and what conversion finds about it."""
    try:
        pipeline = bench.convert(bench.read(path))
    except Refused as refused:
        return [], refused.diagnostics
    return [
        {"name": step.name, "cells": list(step.cells), "needs": list(step.needs)} for step in pipeline.steps
    ], pipeline.diagnostics


def _show(title: str, items: Sequence[Item], console: Console) -> None:
    if not items:
        return
    console.line()
    console.line(title)
    for item in items:
        place = "" if item.cell is None else f" (cell {item.cell})"
        console.line(f"  {item.field}{place}: {item.meaning}")
        if item.fix:
            console.line(f"      fix: {item.fix}")

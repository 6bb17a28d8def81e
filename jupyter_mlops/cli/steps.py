"""``jupyter mlops steps``: the steps of a notebook, and a person's changes to them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlops.cli.console import Console
from jupyter_mlops.cli.convert import ranges, write_text
from jupyter_mlops.errors import WrongUsage
from jupyter_mlops.pipeline.contract import to_json

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench
    from jupyter_mlops.notebook.document import Notebook
    from jupyter_mlops.pipeline.edit import CellEdit
    from jupyter_mlops.pipeline.pipeline import Pipeline

EXAMPLES = """\
  jupyter mlops steps churn.ipynb                     the steps and their cells
  jupyter mlops steps churn.ipynb --split 7           a step begins at cell 7
  jupyter mlops steps churn.ipynb --split 7 --name train
  jupyter mlops steps churn.ipynb --join load prepare neighbours become one step
  jupyter mlops steps churn.ipynb --rename step-2 evaluate
  jupyter mlops steps churn.ipynb --pin load train    train waits for load, also where no value flows
  jupyter mlops steps churn.ipynb --unpin load train  take that back
  jupyter mlops steps churn.ipynb --reset             take all names back: steps are proposed again"""


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments."""
    parser.add_argument("notebook", type=Path, metavar="NOTEBOOK.ipynb")
    change = parser.add_mutually_exclusive_group()
    change.add_argument("--split", type=int, metavar="CELL", help="begin a step at this cell, counted from 0 over all cells")
    change.add_argument("--join", nargs=2, metavar=("STEP", "STEP"), help="make one step of two neighbours")
    change.add_argument("--rename", nargs=2, metavar=("STEP", "NAME"), help="give a step another name")
    change.add_argument("--pin", nargs=2, metavar=("STEP", "LATER"), help="keep an order where no value flows")
    change.add_argument("--unpin", nargs=2, metavar=("STEP", "LATER"), help="take a pinned order back")
    change.add_argument("--reset", action="store_true", help="take back every name in metadata and tags")
    parser.add_argument("--name", default="", help="with --split: name of the step that begins there")
    parser.add_argument("--dry-run", action="store_true", help="show the steps after the change, and write nothing")


def run(arguments: argparse.Namespace, console: Console, bench: Workbench) -> int:
    """Change the notebook's metadata if asked, and list the steps."""
    if arguments.name and arguments.split is None:
        raise WrongUsage("--name is the name of a step that --split begins", fix="Use --rename STEP NAME to rename one.")
    notebook = bench.read(arguments.notebook)
    edits = _edits(arguments, notebook, bench)
    if edits:
        notebook = _changed(arguments, notebook, edits, console)
    pipeline = bench.convert(notebook)
    if console.as_json:
        console.emit({"steps": to_json(pipeline)["steps"], "changed": [_edit_json(edit) for edit in edits]})
        return 0
    console.table(
        ("STEP", "CELLS", "TITLE"),
        [(step.name, ranges(step.cells), step.title) for step in pipeline.steps],
    )
    return 0


def _edits(arguments: argparse.Namespace, notebook: Notebook, bench: Workbench) -> tuple[CellEdit, ...]:
    """What has to be written for the change that was asked for."""
    from jupyter_mlops.pipeline import edit

    if arguments.reset:
        return edit.reset(notebook)
    now: Pipeline = bench.convert(notebook)
    if arguments.split is not None:
        return edit.write(notebook, edit.split(now, arguments.split, arguments.name))
    if arguments.join:
        return edit.write(notebook, edit.join(now, *arguments.join))
    if arguments.rename:
        return edit.write(notebook, edit.rename(now, *arguments.rename))
    if arguments.pin:
        return edit.pin(notebook, now, *arguments.pin)
    if arguments.unpin:
        return edit.unpin(notebook, now, *arguments.unpin)
    return ()


def _changed(arguments: argparse.Namespace, notebook: Notebook, edits: tuple[CellEdit, ...], console: Console) -> Notebook:
    """The notebook with the edits; written to its file unless this is a dry run."""
    from jupyter_mlops.notebook.read import parse
    from jupyter_mlops.notebook.write import text_of
    from jupyter_mlops.pipeline.edit import applied

    before = arguments.notebook.read_text(encoding="utf-8")
    text = text_of(applied(notebook.raw, edits), before)
    if not arguments.dry_run:
        write_text(str(arguments.notebook), text, console)
    return parse(text, arguments.notebook.name)


def _edit_json(edit: CellEdit) -> dict[str, Any]:
    return {"cell": edit.cell, "metadata": dict(edit.metadata), "source": edit.source}

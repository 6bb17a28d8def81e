"""``%%step NAME [options]`` in a kernel: the cell runs as if the line were not there.

The line is a note for the pipeline; in a kernel it must change nothing, neither line numbers in a traceback, nor what is
displayed, nor ``await``. So an input transformer blanks a line that can be read, before IPython looks for magics; only one
that cannot be read reaches the magic of the same name, which says what is wrong with it. (A magic that ran the body itself
would shift every line and run a cell inside a cell.)
"""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_mlops.errors import WrongUsage
from jupyter_mlops.notebook.document import Cell, Notebook
from jupyter_mlops.notebook.magic import FLAGS, STEP
from jupyter_mlops.notebook.metadata import read_requests

HELP = (["--help"], ["-h"])

USAGE = f"""usage: %%step NAME [{"] [".join(f"{flag} VALUE" for flag in FLAGS)}]

Names the pipeline step that this cell belongs to, and what the step asks of the place it runs in. In a notebook the cell runs
as usual. Cells with the same name make one step. docs/metadata.md explains each option.

examples:
  %%step train --gpu 1 --memory 8Gi --timeout 3600
  %%step load --env REGION=eu --secret TOKEN=portal:token
  %%step fit --output model:clf"""


def blank_step_line(lines: list[str]) -> list[str]:
    """Input transformer: the cell without a ``%%step`` line that can be read, all other lines on their numbers.

    Where the body starts with another cell magic (``%%time``), that must be the first line; its body has its own line numbers
    in IPython anyway.
    """
    match = STEP.match(lines[0]) if lines else None
    if match is not None and len(lines) == 1 and match["line"].split() in HELP:
        return [*lines, "\n"]  # IPython refuses a cell magic without a body before asking it
    if match is None or _problems(match["line"]):
        return lines
    for index, line in enumerate(lines[1:], start=1):
        if line.strip():
            return lines[index:] if line.startswith("%%") else ["\n", *lines[1:]]
    return ["\n", *lines[1:]]


def check(line: str) -> None:
    """See that a ``%%step`` line can be read.

    Raises:
        WrongUsage: With every problem of the line.
    """
    problems = _problems(line)
    if problems:
        message = f"%%step: {'; '.join(problems)}"
        raise WrongUsage(message, fix="For example %%step train --gpu 1; %%step --help shows every option.")


def _problems(line: str) -> Sequence[str]:
    """What conversion would refuse the line for: asked of the very reader that conversion uses."""
    cell = Cell(0, "code", f"%%step {line}")
    found = read_requests(Notebook("", (cell,))).diagnostics
    return [item.message.removeprefix("%%step in cell 0: ").replace(" of cell 0", "") for item in found if item.severity == "error"]

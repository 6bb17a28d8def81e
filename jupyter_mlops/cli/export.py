"""What ``jupyter mlops convert --to python`` writes: the notebook as a script, or why there can be none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_mlops.errors import Refused, Where

if TYPE_CHECKING:
    from jupyter_mlops.notebook.document import Notebook
    from jupyter_mlops.pipeline.pipeline import Pipeline


def python_script(notebook: Notebook, pipeline: Pipeline) -> str:
    """The script of a notebook.

    Raises:
        Refused: code ``export-control``, ``export-history`` or ``export-future``: a file cannot do what the notebook does.
    """
    from jupyter_mlops.notebook.script import Option, script_of

    for step in pipeline.steps:
        if step.options.each or step.options.when or step.options.final is not None:
            raise Refused(
                f"step {step.name} has each, when or finally, which a script does not have",
                "export-control",
                "Run it as a pipeline: jupyter mlops run.",
                Where(pipeline.notebook, step.cells[0] if step.cells else None),
            )
    for found in pipeline.diagnostics:
        if found.code == "history":
            raise Refused(
                f"a script has no history: {found.message}",
                "export-history",
                "Give the value a name in the cell that makes it.",
                Where(pipeline.notebook, found.cell, found.line),
            )
    steps = {cell: step.name for step in pipeline.steps for cell in step.cells}
    options = [Option(x.name, x.type, x.default, x.cell, tuple(x.choices), x.description) for x in pipeline.parameters]
    return script_of(notebook, steps, options)

"""Small notebooks, submitted to a cluster as the product does it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from jupyter_mlops.engine.base import Engine, Run, Submission
from jupyter_mlops.flow import Workbench
from jupyter_mlops.notebook.read import parse
from jupyter_mlops.oci.store import Store
from jupyter_mlops.registry.bundles import push_bundle, source_digest
from jupyter_mlops.settings import Target
from jupyter_mlops.workflow.compile import compile_workflow

Cell = tuple[str, str]
"""Its step and its source."""


def notebook_text(cells: Sequence[Cell], options: Mapping[str, Mapping[str, Any]] | None = None) -> str:
    """A notebook of these cells; ``options`` of a step stand at its first cell."""
    found, seen = [], set()
    for index, (step, source) in enumerate(cells):
        own = {} if step in seen else dict((options or {}).get(step, {}))
        seen.add(step)
        found.append({
            "cell_type": "code", "id": f"cell{index}", "metadata": {"mlops": {"step": step, **own}}, "source": source,
            "outputs": [], "execution_count": None,
        })  # fmt: skip
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": found})


def compiled(
    store: Store, target: Target, cells: Sequence[Cell], *, name: str = "demo", resume: str = "", options: Any = None
) -> dict[str, Any]:
    """The Workflow of a notebook, its bundle pushed."""
    notebook = parse(notebook_text(cells, options), f"{name}.ipynb")
    pipeline = replace(Workbench().convert(notebook), python="3.11")
    bundle = push_bundle(store, notebook, pipeline)
    return compile_workflow(pipeline, bundle=bundle, source_digest=source_digest(notebook), target=target, resume=resume)


def submit_notebook(engine: Engine, store: Store, target: Target, cells: Sequence[Cell], **options: Any) -> Run:
    """Convert, push, compile and submit."""
    return engine.submit(
        Submission(compiled(store, target, cells, **options), f"/home/someone/{options.get('name', 'demo')}.ipynb")
    )

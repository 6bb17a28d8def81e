"""Notebooks for tests, made from cells as short as they can be written."""

from __future__ import annotations

import json
from typing import Any

from jupyter_mlops.notebook.document import Notebook
from jupyter_mlops.notebook.read import parse

Spec = str | tuple[str, dict[str, Any]]


def document(*cells: Spec, metadata: dict[str, Any] | None = None) -> dict[str, Any]:
    """A v4 document. ``"# Title"`` with ``md:`` before it is markdown; a tuple is (source, metadata); tags may be given as a list."""
    listed = []
    for spec in cells:
        source, about = spec if isinstance(spec, tuple) else (spec, {})
        about = {"tags": about} if isinstance(about, list) else about
        kind = "markdown" if source.startswith("md:") else "code"
        cell: dict[str, Any] = {"cell_type": kind, "metadata": about, "source": source.removeprefix("md:")}
        listed.append(cell | ({"outputs": [], "execution_count": None} if kind == "code" else {}))
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata or {}, "cells": listed}


def notebook(*cells: Spec, name: str = "test.ipynb", metadata: dict[str, Any] | None = None) -> Notebook:
    """The document, read."""
    return parse(json.dumps(document(*cells, metadata=metadata)), name)

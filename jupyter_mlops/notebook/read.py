"""The text of an ``.ipynb`` file becomes a ``Notebook``, or is refused with every reason at once.

Our own reader of the v4 format, on ``json`` alone: conversion runs in the command line, in a kernel and in the server, and
nbformat with its JSON schemas costs more time to import than all of the conversion takes. What can be understood is taken
(``source`` as text or as lines, absent ``id`` and ``metadata``); what cannot is named with its cell.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, cast

from jupyter_mlops.errors import Diagnostic, Refused, Where
from jupyter_mlops.notebook.document import Cell, Notebook

KINDS = ("code", "markdown", "raw")
PYTHON = frozenset({"", "python", "python3", "ipython", "ipython3"})
"""What Python kernels call their language; a notebook that names none is taken for Python, as Jupyter does."""

UPGRADE = "Open it in JupyterLab and save it, or run: jupyter nbconvert --to notebook --nbformat 4 --inplace NOTEBOOK"


def parse(text: str, name: str) -> Notebook:
    """The notebook in ``text``; ``name`` is its file name, for messages and for the pipeline's name.

    Raises:
        Refused: not JSON, not a notebook, not format 4, not Python, or with malformed cells; all reasons are in ``diagnostics``.
    """
    document = _document(text, name)
    _check_version(document, name)
    cells, found = _cells(document, name)
    metadata = document.get("metadata")
    notebook = Notebook(name=_stem(name), cells=cells, metadata=metadata if isinstance(metadata, Mapping) else {}, raw=document)
    if notebook.language not in PYTHON:
        found.append(
            Diagnostic(
                "other-language",
                "error",
                f"the notebook is written in {notebook.language}, not in Python",
                fix="Only Python notebooks become pipelines; choose a Python kernel if its cells are Python after all.",
            )
        )
    if found:
        raise _refused(found, name)
    return notebook


def _stem(name: str) -> str:
    """The file's name without folder and ending."""
    base = name.replace("\\", "/").rsplit("/", 1)[-1]
    return base[: -len(".ipynb")] if base.lower().endswith(".ipynb") else base


def _refused(found: list[Diagnostic], name: str) -> Refused:
    first = found[0]
    return Refused(first.message, first.code, first.fix, Where(name, first.cell, first.line), tuple(found))


def _document(text: str, name: str) -> Mapping[str, Any]:
    """The JSON object of the file."""
    fix = "Give a notebook: a file that ends in .ipynb and that JupyterLab opens."
    try:
        document = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else None
        place = f" (line {line} of the file)" if line else ""
        what = "is empty" if not text.strip() else f"is not JSON{place}"
        raise _refused([Diagnostic("not-a-notebook", "error", f"{name} {what}", fix=fix)], name) from error
    if not isinstance(document, dict) or not ("nbformat" in document or "cells" in document or "worksheets" in document):
        raise _refused([Diagnostic("not-a-notebook", "error", f"{name} is JSON, but not a notebook", fix=fix)], name)
    return cast("Mapping[str, Any]", document)


def _check_version(document: Mapping[str, Any], name: str) -> None:
    """Format 4 of any minor; the formats before kept cells in worksheets."""
    version = document.get("nbformat", 3 if "worksheets" in document else 4)
    if not isinstance(version, int) or isinstance(version, bool):
        message, fix = f"{name} has no valid format number: nbformat is {version!r}", "Open it in JupyterLab and save it."
        raise _refused([Diagnostic("not-a-notebook", "error", message, fix=fix)], name)
    if version < 4:  # noqa: PLR2004 - the format's own number
        message = f"{name} is in the old notebook format {version}; format 4 is needed"
        raise _refused([Diagnostic("old-notebook-format", "error", message, fix=UPGRADE)], name)
    if version > 4:  # noqa: PLR2004
        message = f"{name} is in notebook format {version}, which is newer than this version knows"
        raise _refused([Diagnostic("new-notebook-format", "error", message, fix="Upgrade jupyter-mlops.")], name)


def _cells(document: Mapping[str, Any], name: str) -> tuple[tuple[Cell, ...], list[Diagnostic]]:
    """All cells that can be understood, and a finding for each that cannot."""
    listed = document.get("cells")
    if not isinstance(listed, list):
        message = f"{name} has no list of cells"
        raise _refused([Diagnostic("not-a-notebook", "error", message, fix="Open it in JupyterLab and save it.")], name)
    cells: list[Cell] = []
    found: list[Diagnostic] = []
    for index, raw in enumerate(listed):
        cell = _cell(index, raw)
        if isinstance(cell, Cell):
            cells.append(cell)
        else:
            fix = "Open the notebook in JupyterLab, delete this cell and save."
            found.append(Diagnostic("malformed-cell", "error", f"cell {index} {cell}", cell=index, fix=fix))
    return tuple(cells), found


def _cell(index: int, raw: Any) -> Cell | str:
    """The cell, or what is wrong with it."""
    if not isinstance(raw, dict):
        return "is not an object"
    kind = raw.get("cell_type")
    if kind not in KINDS:
        return f"has the unknown type {kind!r}"
    source = raw.get("source", "")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        return "has a source that is neither text nor a list of lines"
    metadata, cell_id = raw.get("metadata"), raw.get("id")
    return Cell(
        index=index,
        kind=cast("Literal['code', 'markdown', 'raw']", kind),
        source=source.replace("\r\n", "\n").replace("\r", "\n"),
        id=cell_id if isinstance(cell_id, str) else "",
        metadata=metadata if isinstance(metadata, dict) else {},
    )

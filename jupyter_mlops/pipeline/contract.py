"""The JSON form of a pipeline: what ``convert --json`` prints and the REST interface answers, fixed for others to script.

Cells count all cells of the notebook from 0, lines of a cell from 1.
"""

from __future__ import annotations

from typing import Any

from jupyter_mlops.errors import Diagnostic
from jupyter_mlops.pipeline.options import set_options
from jupyter_mlops.pipeline.pipeline import Link, Parameter, Pipeline, Step


def to_json(pipeline: Pipeline) -> dict[str, Any]:
    """``{"pipeline", "steps", "links", "parameters", "diagnostics"}``, plain JSON values only."""
    return {
        "pipeline": pipeline.name,
        "steps": [step_json(step) for step in pipeline.steps],
        "links": [link_json(link) for link in pipeline.links],
        "parameters": [parameter_json(parameter) for parameter in pipeline.parameters],
        "diagnostics": [diagnostic_json(diagnostic) for diagnostic in pipeline.diagnostics],
    }


def step_json(step: Step) -> dict[str, Any]:
    """A step; ``options`` holds only what is set, and it and ``pins`` are absent where nothing is."""
    document: dict[str, Any] = {"name": step.name, "cells": list(step.cells), "needs": list(step.needs), "title": step.title}
    if step.pins:
        document["pins"] = list(step.pins)
    options = set_options(step.options)
    return {**document, "options": options} if options else document


def link_json(link: Link) -> dict[str, Any]:
    """A link from one cell to another."""
    return {"from": link.source, "to": link.target, "names": list(link.names), "kind": link.kind}


def parameter_json(parameter: Parameter) -> dict[str, Any]:
    """A parameter; ``choices`` only for an enum."""
    document: dict[str, Any] = {
        "name": parameter.name,
        "type": parameter.type,
        "default": parameter.default,
        "cell": parameter.cell,
        "line": parameter.line,
        "description": parameter.description,
    }
    return {**document, "choices": list(parameter.choices)} if parameter.choices else document


def diagnostic_json(diagnostic: Diagnostic) -> dict[str, Any]:
    """A finding."""
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "cell": diagnostic.cell,
        "line": diagnostic.line,
        "message": diagnostic.message,
        "fix": diagnostic.fix,
        "docs": diagnostic.docs,
    }

"""Misspelled fields of a Workflow, where the cluster's own definition of it checks nothing.

Argo 3.x is usually installed with minimal definitions, whose schema takes any field; the controller then drops what it does
not know, and a run goes on without it. So the fields are compared with those of the ``argo-workflows`` package, a tenth of a
second once. A field that is unknown but near none that is known may be of a newer Argo: it is left to the cluster.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from jupyter_mlops.cluster.base import WORKFLOWS, Cluster
from jupyter_mlops.errors import Diagnostic, Refused

NEAR = 0.8
"""How alike two names are (difflib's ratio) before one counts as a misspelling of the other."""


def refuse_misspelled(workflow: Mapping[str, Any], cluster: Cluster) -> None:
    """Refuse a Workflow with misspelled fields where the cluster would take it; elsewhere the API server says it better.

    Raises:
        Refused: with a diagnostic for each such field.
        NotAllowed, Unavailable: the API server.
    """
    found = misspelled(workflow)
    if found and cluster.has_field(WORKFLOWS, "spec.entrypoint") is not True:
        raise Refused(found[0].message, found[0].code, found[0].fix, diagnostics=found)


def misspelled(workflow: Mapping[str, Any]) -> tuple[Diagnostic, ...]:
    """Each field of the spec that is not known and near one that is, with its path as JSON (``spec.templates[0].x``)."""
    from argo_workflows.model.io_argoproj_workflow_v1alpha1_workflow_spec import IoArgoprojWorkflowV1alpha1WorkflowSpec as Spec

    return tuple(
        Diagnostic("unknown-field", "error", f'unknown field "{path}"', fix=f"Did you mean {near}?")
        for path, near in _unknown(workflow.get("spec"), Spec, "spec")
    )


def _unknown(value: Any, kind: Any, path: str) -> Iterator[tuple[str, str]]:
    """(path, nearest known name) below a value that the package says to be of a kind.

    The package writes a kind as a class, a list of one as ``([K],)`` and a map as ``({str: (K,)},)``.
    """
    if isinstance(kind, tuple):
        kind = kind[0] if len(kind) == 1 else None
    if isinstance(kind, list) and isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            yield from _unknown(item, kind[0], f"{path}[{number}]")
    elif isinstance(kind, Mapping) and isinstance(value, Mapping):
        for name, item in value.items():
            yield from _unknown(item, kind.get(str), f"{path}.{name}")
    elif hasattr(kind, "attribute_map") and isinstance(value, Mapping):
        known = {name: kind.openapi_types[attribute] for attribute, name in kind.attribute_map.items()}
        for name, item in value.items():
            if name in known:
                yield from _unknown(item, known[name], f"{path}.{name}")
            elif near := difflib.get_close_matches(str(name), known, n=1, cutoff=NEAR):
                yield f"{path}.{name}", near[0]

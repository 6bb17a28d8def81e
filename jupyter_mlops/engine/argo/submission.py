"""What a compiled Workflow gets at the moment in which it is submitted: when, where, and the run that it resumes."""

from __future__ import annotations

import copy
import time
from typing import Any

from jupyter_mlops.engine.base import Submission
from jupyter_mlops.engine.decode import RESUME, SUBMITTED
from jupyter_mlops.engine.times import rfc3339
from jupyter_mlops.errors import Refused
from jupyter_mlops.settings import Target
from jupyter_mlops.workflow.lint import lint

MANAGED_BY = "app.kubernetes.io/managed-by"


def prepare(submission: Submission, target: Target, namespace: str) -> dict[str, Any]:
    """The document that is created.

    Raises:
        Refused: a cluster would not run it; what the API server's schema does not catch is found here.
    """
    document = copy.deepcopy(dict(submission.workflow))
    if found := lint(document):
        first = found[0]
        raise Refused(first.message, first.code, first.fix, diagnostics=found)
    metadata = document.setdefault("metadata", {})
    metadata["namespace"] = namespace
    labels, annotations = metadata.setdefault("labels", {}), metadata.setdefault("annotations", {})
    labels.setdefault(MANAGED_BY, "jupyter-mlops")
    annotations[SUBMITTED] = rfc3339(time.time())
    if target.service_account:
        document["spec"].setdefault("serviceAccountName", target.service_account)
    if submission.resume:
        _set_argument(document["spec"], RESUME, submission.resume)
    return document


def _set_argument(spec: dict[str, Any], name: str, value: str) -> None:
    parameters = spec.setdefault("arguments", {}).setdefault("parameters", [])
    for parameter in parameters:
        if parameter.get("name") == name:
            parameter["value"] = value
            return
    parameters.append({"name": name, "value": value})

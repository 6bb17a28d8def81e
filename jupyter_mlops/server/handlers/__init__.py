"""Routes: each path of ``api.yaml`` and the handler that answers it, on one page.

Path pieces are matched by the characters that names may have, so that nothing else of a request reaches a file or a store.
"""

from __future__ import annotations

from jupyter_mlops.server.handlers import (
    check,
    convert,
    datasets,
    doctor,
    lineage,
    models,
    options,
    runfiles,
    runs,
    serve,
    services,
    status,
    steps,
    targets,
)
from jupyter_mlops.server.handlers.base import MlopsHandler, NoSuchRoute

API = "/jupyter-mlops/api/v1"
DOOR = "/jupyter-mlops/serve"

LABEL = r"[a-z0-9](?:[-a-z0-9]{0,251}[a-z0-9])?"
"""A DNS label or a run's name."""

MODEL = r"[a-z0-9][a-z0-9._-]{0,127}"
DATASET = rf"{MODEL}(?:%2[Ff]{MODEL}){{0,7}}"
"""``team/rows`` is one too, its slash percent-encoded."""

TAG = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
"""A tag of the OCI distribution specification."""

TARGET = r"[^/]{1,3072}"
"""A target's name, percent-encoded: contexts of a kubeconfig hold colons, slashes and spaces."""

ROUTES: dict[str, type[MlopsHandler]] = {
    "/status": status.StatusHandler,
    "/convert": convert.ConvertHandler,
    "/workflow": convert.WorkflowHandler,
    "/steps": steps.StepsHandler,
    "/options": options.OptionsHandler,
    "/checks": check.ChecksHandler,
    "/checks/{check}": check.CheckHandler,
    "/checks/{check}/stop": check.CheckStopHandler,
    "/runs": runs.RunsHandler,
    "/runs/{run}": runs.RunHandler,
    "/runs/{run}/stop": runs.RunStopHandler,
    "/runs/{run}/pause": runs.RunPauseHandler,
    "/runs/{run}/unpause": runs.RunUnpauseHandler,
    "/runs/{run}/approve": runs.RunApproveHandler,
    "/runs/{run}/logs": runs.RunLogsHandler,
    "/runs/{run}/notebook": runs.RunNotebookHandler,
    "/runs/{run}/workflow": runs.RunWorkflowHandler,
    "/runs/{run}/files": runfiles.RunFilesHandler,
    "/runs/{run}/file": runfiles.RunFileHandler,
    "/models": models.ModelsHandler,
    "/models/{model}": models.ModelHandler,
    "/models/{model}/history": models.HistoryHandler,
    "/models/{model}/diff": models.DiffHandler,
    "/models/{model}/aliases/{alias}": models.AliasHandler,
    "/models/{model}/versions/{tag}": models.VersionHandler,
    "/datasets": datasets.DatasetsHandler,
    "/datasets/{dataset}": datasets.DatasetHandler,
    "/datasets/{dataset}/diff": datasets.DatasetDiffHandler,
    "/datasets/{dataset}/versions/{tag}": datasets.DatasetVersionHandler,
    "/lineage": lineage.LineageHandler,
    "/services": services.ServicesHandler,
    "/services/{namespace}/{service}": services.ServiceHandler,
    "/services/{namespace}/{service}/stop": services.ServiceStopHandler,
    "/services/{namespace}/{service}/start": services.ServiceStartHandler,
    "/services/{namespace}/{service}/logs": services.ServiceLogsHandler,
    "/services/{namespace}/{service}/sample": services.SampleHandler,
    "/services/{namespace}/{service}/predict": services.PredictHandler,
    "/deployment": services.DeploymentHandler,
    "/targets": targets.TargetsHandler,
    "/targets/{target}": targets.TargetHandler,
    "/targets/{target}/check": targets.TargetCheckHandler,
    "/default-target": targets.DefaultTargetHandler,
    "/doctor": doctor.DoctorHandler,
}
"""Paths as ``api.yaml`` writes them."""

PIECES = {
    "check": LABEL,
    "run": LABEL,
    "model": MODEL,
    "dataset": DATASET,
    "alias": TAG,
    "tag": TAG,
    "namespace": LABEL,
    "service": LABEL,
    "target": TARGET,
}


def pattern(path: str) -> str:
    """The regular expression of a path of ``api.yaml``."""
    for name, piece in PIECES.items():
        path = path.replace(f"{{{name}}}", f"(?P<{name}>{piece})")
    return API + path


def table() -> list[tuple[str, type[MlopsHandler]]]:
    """What the extension adds to the server; the last line answers every other path below ``/jupyter-mlops/``."""
    return [
        *((pattern(path), handler) for path, handler in ROUTES.items()),
        (rf"{DOOR}/(?P<namespace>{LABEL})/(?P<service>{LABEL})/(?P<path>.*)", serve.ServeHandler),
        (r"/jupyter-mlops/.*", NoSuchRoute),
    ]

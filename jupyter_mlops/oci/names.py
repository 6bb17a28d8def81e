"""Every media type, annotation and label of ours, once.

A type that ends in ``+json`` is JSON, one in ``.tar`` an uncompressed tar. See ``docs/formats.md``.
"""

from __future__ import annotations

MEDIA = "application/vnd.jupyter-mlops."
ANNOTATION = "io.github.jupyter-mlops."
LABEL = "jupyter-mlops.github.io/"

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"

BUNDLE = MEDIA + "bundle.v1"
BUNDLE_CONFIG = MEDIA + "bundle.config.v1+json"
BUNDLE_CODE = MEDIA + "bundle.code.v1.tar+gzip"
BUNDLE_RUNNER = MEDIA + "bundle.runner.v1.tar+gzip"
BUNDLE_IPYTHON = MEDIA + "bundle.ipython.v1.tar+gzip"
BUNDLE_LEXERS = MEDIA + "bundle.ipython.lexers.v1.tar+gzip"
BUNDLE_COMPILED = MEDIA + "bundle.compiled.v1"
BUNDLE_DATA = MEDIA + "bundle.data.v1.tar+gzip"

SERVER = MEDIA + "server.v1"
SERVER_CONFIG = MEDIA + "server.config.v1+json"
SERVER_CODE = MEDIA + "server.code.v1.tar+gzip"

STATE = MEDIA + "state.v1"
STATE_CONFIG = MEDIA + "state.v1+json"
STATE_PART = MEDIA + "state.part.v1"

REPORT = MEDIA + "report.v1"
REPORT_CONFIG = MEDIA + "report.v1+json"
REPORT_OUTPUTS = MEDIA + "report.outputs.v1+json"

LEARNED = MEDIA + "learned.v1"
LEARNED_CONFIG = MEDIA + "learned.v1+json"

RUN = MEDIA + "run.v1"
RUN_CONFIG = MEDIA + "run.v1+json"
RUN_WORKFLOW = MEDIA + "workflow.v1+json"
ARTIFACT = MEDIA + "artifact.v1"
ARTIFACT_CONFIG = MEDIA + "artifact.config.v1+json"
NOTEBOOK = "application/x-ipynb+json"

MODEL = MEDIA + "model.v1"
METRICS = MEDIA + "metrics.v1+json"
SCAN = MEDIA + "scan.v1+json"
EVENT = MEDIA + "event.v1+json"
DATASET = MEDIA + "dataset.v1"
DATASET_CONFIG = MEDIA + "dataset.config.v1+json"

MODELPACK_MANIFEST = "application/vnd.cncf.model.manifest.v1+json"
MODELPACK_CONFIG = "application/vnd.cncf.model.config.v1+json"
MODELPACK_WEIGHT = "application/vnd.cncf.model.weight.v1.tar"
MODELPACK_WEIGHT_CONFIG = "application/vnd.cncf.model.weight.config.v1.tar"

MIME_RUN = MEDIA + "run+json"
"""MIME type under which a magic shows a run; the front end renders it live."""

"""The run's code bundle: plan, notebook and local modules in one layer, the runner in another, IPython in a third.

The bundle is named by its digest before it is pushed, so that ``convert`` can write a Workflow without writing to a
registry. Everything in it is deterministic, and outputs, counts and time stamps of the notebook are left out: running a
notebook again makes no new bundle, and every notebook shares the layers of the runner and of IPython. See ``docs/formats.md``.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import as_file, files
from itertools import zip_longest
from pathlib import Path
from typing import Any

from jupyter_mlops.notebook.document import Notebook
from jupyter_mlops.oci.artifact import artifact_document
from jupyter_mlops.oci.canonical import canonical
from jupyter_mlops.oci.descriptor import manifest_of
from jupyter_mlops.oci.digest import digest_of
from jupyter_mlops.oci.names import (
    BUNDLE,
    BUNDLE_CODE,
    BUNDLE_COMPILED,
    BUNDLE_CONFIG,
    BUNDLE_DATA,
    BUNDLE_IPYTHON,
    BUNDLE_LEXERS,
    BUNDLE_RUNNER,
)
from jupyter_mlops.oci.store import Descriptor, Store
from jupyter_mlops.oci.tar import tar_chunks
from jupyter_mlops.pipeline.control import asks, literal_items, loop_of
from jupyter_mlops.pipeline.pipeline import Options, Pipeline, Step
from jupyter_mlops.registry.compiledlayer import compiled_layer
from jupyter_mlops.registry.ipythonlayer import ipython_layer
from jupyter_mlops.registry.localmodules import local_modules

VERSION = 1
ROOMS = ("formats", "oci", "session", "runner")
"""Rooms of this package that travel."""

_KEPT_OF_NOTEBOOK = ("kernelspec", "mlops")
_VOLATILE = frozenset(
    {"execution", "ExecuteTime", "collapsed", "scrolled", "outputId", "papermill", "trusted", "jupyter", "widgets"}
)
"""Cell metadata that says how a cell was shown or run, and nothing about what it does."""


@dataclass(frozen=True, slots=True)
class Packed:
    """What a bundle takes along besides the notebook: the kernel's environment as JSON (b'': unknown), and data files by name."""

    environment: bytes = b""
    data: Mapping[str, Path] = field(default_factory=dict)


def bundle_reference(notebook: Notebook, pipeline: Pipeline, folder: Path | None = None, packed: Packed | None = None) -> str:
    """``runs/<pipeline>@sha256:…`` of the bundle; nothing is written.

    Args:
        notebook: what runs.
        pipeline: its plan.
        folder: where local modules are looked for; None: none travel.
        packed: what it takes along.

    Raises:
        WrongUsage: local modules that are too large.
    """
    return f"{repository_of(pipeline)}@{_Bundle(notebook, pipeline, folder, packed or Packed()).digest}"


def push_bundle(
    store: Store, notebook: Notebook, pipeline: Pipeline, folder: Path | None = None, packed: Packed | None = None
) -> str:
    """Store the bundle and return its reference; the same for the same notebook, environment and data.

    Raises:
        WrongUsage: local modules that are too large.
        StorageFull, PlatformError: the store cannot be written.
    """
    bundle, repository = _Bundle(notebook, pipeline, folder, packed or Packed()), repository_of(pipeline)
    for data, media_type in bundle.blobs:
        store.put_blob(repository, data, media_type)
    tag = f"bundle-{bundle.digest.partition(':')[2][:12]}"
    manifest = store.put_manifest(repository, bundle.document, tags=[tag])
    return f"{repository}@{manifest.descriptor.digest}"


def repository_of(pipeline: Pipeline) -> str:
    """Repository of a pipeline's bundles, states, reports and runs."""
    return f"runs/{pipeline.name}"


def source_digest(notebook: Notebook) -> str:
    """Digest of what the notebook does: cells, tags and options, without outputs, counts and how it was shown."""
    cells = [[cell.kind, cell.source, sorted(cell.tags), cell.metadata.get("mlops")] for cell in notebook.cells]
    text = json.dumps([cells, notebook.metadata.get("mlops"), notebook.kernel], sort_keys=True, default=str)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


class _Bundle:
    """The bytes of a bundle."""

    def __init__(self, notebook: Notebook, pipeline: Pipeline, folder: Path | None, packed: Packed) -> None:
        modules = local_modules([cell.source for cell in notebook.code], folder) if folder else {}
        python = pipeline.python or f"{sys.version_info.major}.{sys.version_info.minor}"
        ipython = ipython_layer(python)
        plan = plan_document(pipeline) | ({"no_ipython": ipython.why} if ipython.why else {})
        content: dict[str, Path | bytes] = {
            "plan.json": canonical(plan),
            "notebook.ipynb": canonical(_without_outputs(notebook)),
            **({"environment.json": packed.environment} if packed.environment else {}),
            **{f"files/{name}": path for name, path in modules.items()},
        }
        data: dict[str, Path | bytes] = {f"files/{name}": path for name, path in packed.data.items()}
        compiled = compiled_layer(python, runner_layer(), ipython.data)
        self.blobs = (
            (canonical({"version": VERSION}), BUNDLE_CONFIG),
            (_tar_gzip(content), BUNDLE_CODE),
            (runner_layer(), BUNDLE_RUNNER),
            *(((ipython.data, BUNDLE_IPYTHON),) if ipython.data else ()),
            *(((ipython.lexers, BUNDLE_LEXERS),) if ipython.lexers else ()),
            *(((_tar_gzip(data), BUNDLE_DATA),) if data else ()),
            *(((compiled, BUNDLE_COMPILED),) if compiled else ()),
        )
        config, *layers = (Descriptor(media_type, digest_of(data), len(data)) for data, media_type in self.blobs)
        self.document = artifact_document(BUNDLE, config, layers)
        self.digest = manifest_of(canonical(self.document), None, "the bundle").descriptor.digest


def plan_document(pipeline: Pipeline) -> dict[str, Any]:
    """``plan.json``: what the runner needs to know of a pipeline."""
    return {
        "version": VERSION,
        "pipeline": pipeline.name,
        "notebook": pipeline.notebook,
        "python": pipeline.python,
        "kernel": pipeline.kernel,
        "steps": [
            {
                "name": step.name,
                "cells": list(step.cells),
                "outputs": list(step.options.outputs),
                "declared": sorted({*step.options.env, *(secret["env"] for secret in step.options.secrets)}),
                "secrets": sorted(secret["env"] for secret in step.options.secrets),
                **control_document(step, following),
                **_files_document(step.options),
            }
            for step, following in zip_longest(pipeline.steps, pipeline.steps[1:])
        ],
        "parameters": [{"name": x.name, "type": x.type, "default": x.default, "cell": x.cell} for x in pipeline.parameters],
    }


def control_document(step: Step, following: Step | None) -> dict[str, Any]:
    """What the runner needs to know of a step's control flow; nothing for most.

    ``ask`` is the expression that the step evaluates at its end for the one after it, ``for`` that step's first cell.
    """
    options = step.options
    found: dict[str, Any] = {"cache": "off"} if options.cache == "off" else {}
    if options.each:
        found["each"] = loop_of(options.each)[0]
        items = literal_items(options.each)
        found |= {} if items is None else {"items": items}
    found |= {"when": True} if options.when else {}
    found |= {"finally": options.final} if options.final is not None else {}
    if following is not None and asks(following):
        kind = "when" if following.options.when else "each"
        found["ask"] = {"kind": kind, "expression": asks(following), "step": following.name, "cell": following.cells[0]}
    return found


def _files_document(options: Options) -> dict[str, Any]:
    """What of the working folder may travel, where the notebook says so."""
    found: dict[str, Any] = {"file_limit": options.file_limit} if options.file_limit is not None else {}
    return {**found, "file_ignore": list(options.file_ignore)} if options.file_ignore else found


def _without_outputs(notebook: Notebook) -> dict[str, Any]:
    cells: list[dict[str, Any]] = []
    for cell in notebook.cells:
        metadata = {key: value for key, value in cell.metadata.items() if key not in _VOLATILE}
        kept: dict[str, Any] = {"cell_type": cell.kind, "metadata": metadata, "source": cell.source}
        if cell.id:
            kept["id"] = cell.id
        if cell.kind == "code":
            kept |= {"outputs": [], "execution_count": None}
        cells.append(kept)
    metadata = {key: notebook.metadata[key] for key in _KEPT_OF_NOTEBOOK if key in notebook.metadata}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}


@cache
def runner_layer() -> bytes:
    """The layer that every bundle shares: our travelling rooms and cloudpickle, as they are installed here."""
    content: dict[str, Path | bytes] = {}
    with as_file(files("jupyter_mlops")) as ours:
        for name in ("__init__.py", "errors.py"):
            content[f"lib/jupyter_mlops/{name}"] = (ours / name).read_bytes()
        for room in ROOMS:
            content |= _python_files(ours / room, f"lib/jupyter_mlops/{room}")
    with as_file(files("cloudpickle")) as theirs:
        content |= _python_files(theirs, "lib/cloudpickle")
    return _tar_gzip(content)


def _python_files(folder: Path, prefix: str) -> dict[str, Path | bytes]:
    return {f"{prefix}/{path.relative_to(folder).as_posix()}": path.read_bytes() for path in sorted(folder.rglob("*.py"))}


def _tar_gzip(content: dict[str, Path | bytes]) -> bytes:
    return gzip.compress(b"".join(bytes(chunk) for chunk in tar_chunks(content)), compresslevel=6, mtime=0)

"""Runs small notebooks as Workflows on the cluster, and reads what they left: status, reports, outputs, logs."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jupyter_mlops.cluster.base import PODS, WORKFLOWS, Cluster, Document
from jupyter_mlops.notebook.document import Cell, Notebook
from jupyter_mlops.oci.artifact import layers_of, read_config
from jupyter_mlops.oci.open import open_store
from jupyter_mlops.oci.store import Manifest, Store
from jupyter_mlops.pipeline.pipeline import Options, Parameter, Pipeline, Step
from jupyter_mlops.registry.bundles import push_bundle
from jupyter_mlops.settings import Target
from jupyter_mlops.workflow.compile import compile_workflow

DONE = {"Succeeded", "Failed", "Error"}
PYTHON = "3.11"
"""Python of the cluster's image."""


@dataclass
class OnCluster:
    """One notebook on the cluster. ``registry`` is the address as pods and this process reach it."""

    cluster: Cluster
    target: Target
    cells: Sequence[str]
    steps: Sequence[tuple[int, ...]] = ()
    parameters: Sequence[Parameter] = ()
    options: Mapping[int, Options] = field(default_factory=dict)
    given: Mapping[str, Any] = field(default_factory=dict)
    name: str = "stage"
    python: str = PYTHON
    change: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the Workflow's spec that the test sets."""

    store_here: Store | None = None
    run: str = ""

    @property
    def store(self) -> Store:
        """The registry from here."""
        return self.store_here or open_store(self.target.registry_here or self.target.registry)

    @property
    def repository(self) -> str:
        return f"runs/{self.name}"

    def start(self) -> OnCluster:
        """Push the bundle and create the Workflow."""
        parts = self.steps or [(index,) for index in range(len(self.cells))]
        notebook = Notebook(self.name, tuple(Cell(index, "code", source) for index, source in enumerate(self.cells)))
        steps = tuple(Step(f"s{n}", tuple(part), options=self.options.get(n, Options())) for n, part in enumerate(parts))
        pipeline = Pipeline(self.name, "stage.ipynb", steps, parameters=tuple(self.parameters), python=self.python)
        bundle = push_bundle(self.store, notebook, pipeline)
        workflow = compile_workflow(
            pipeline, bundle=bundle, source_digest="sha256:0", parameters=dict(self.given), target=self.target
        )
        workflow["spec"].update(self.change)
        created = self.cluster.create(WORKFLOWS, workflow, self.target.namespace)
        self.run = created["metadata"]["name"]
        return self

    def document(self) -> Document:
        """The Workflow as it is now."""
        return self.cluster.get(WORKFLOWS, self.run, self.target.namespace)

    def until_done(self, seconds: float = 150.0) -> Document:
        """The Workflow when it has ended."""
        end = time.monotonic() + seconds
        while (found := self.document()).get("status", {}).get("phase") not in DONE:
            assert time.monotonic() < end, json.dumps(found.get("status"), indent=1)[:4000]
            time.sleep(0.2)
        return found

    def node(self, step: str) -> Mapping[str, Any]:
        """The pod's node of a step."""
        nodes = self.document()["status"]["nodes"].values()
        return next(node for node in nodes if node["type"] == "Pod" and node["displayName"].startswith(step))

    def pods(self) -> Sequence[Document]:
        return self.cluster.list(PODS, self.target.namespace, labels=f"workflows.argoproj.io/workflow={self.run}").items

    def manifest(self, step: str) -> Manifest:
        return self.store.get_manifest(self.repository, f"report.{self.run}.{step}")

    def report(self, step: str) -> dict[str, Any]:
        """What the step reported."""
        return read_config(self.store, self.repository, self.manifest(step))

    def layer(self, step: str, number: int) -> bytes:
        with self.store.open_blob(self.repository, layers_of(self.manifest(step))[number].digest) as stream:
            return stream.read()

    def outputs(self, step: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.layer(step, 0))
        return found

    def log(self, step: str) -> str:
        """The step's log, from the registry."""
        assert layers_of(self.manifest(step))[1].annotations["org.opencontainers.image.title"] == "log"
        return self.layer(step, 1).decode()

    def stream(self, cell: int, name: str = "stdout", step: str = "") -> str:
        """Text that a cell printed."""
        found = self.outputs(step or f"s{cell}").get(str(cell), {}).get("outputs", [])
        return "".join(x["text"] for x in found if x["output_type"] == "stream" and x["name"] == name)

"""An Argo controller of a test's own beside the cluster's: it looks after one namespace, with a configuration that a test wants.

It is the kit's program. Argo keeps controllers apart by an instance id: this one takes up Workflows with the label that
:meth:`OwnController.label` puts on, and the cluster's own leaves them alone, so that nobody else's configuration is changed.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.cluster.base import CONFIG_MAPS, Cluster
from tests.cluster.conftest import wait_for

LABEL = "workflows.argoproj.io/controller-instanceid"
CONFIG = "own-controller"
ALONE = {"metricsConfig": {"enabled": False}, "telemetryConfig": {"enabled": False}}
"""Ports that the cluster's own controller has."""


@dataclass
class OwnController:
    """The controller of a namespace: it can be killed and started."""

    cluster: Cluster
    namespace: str
    registry: str
    log: Path
    leases: bool = False
    """Whether it renews a lease, as one of several replicas does; else it is alone and needs none."""

    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def label(self, workflow: Mapping[str, Any]) -> dict[str, Any]:
        """The Workflow for this controller."""
        metadata = dict(workflow.get("metadata") or {})
        return {**workflow, "metadata": {**metadata, "labels": {**(metadata.get("labels") or {}), LABEL: self.namespace}}}

    def configure(self, config: Mapping[str, Any]) -> None:
        """Write its configuration; one that runs takes it over."""
        settings = {"instanceID": self.namespace, **ALONE, **config}
        data = {key: value if isinstance(value, str) else json.dumps(value) for key, value in settings.items()}
        document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": CONFIG}, "data": data}
        before = self._said("Configuration updated")
        self.cluster.apply(CONFIG_MAPS, document, self.namespace)
        if self.process is not None:
            wait_for(lambda: self._said("Configuration updated") > before, "the controller to take its configuration over", 30)

    def start(self) -> None:
        """Run it, and wait until it works."""
        program = shutil.which("workflow-controller")
        if program is None or not os.environ.get("KUBECONFIG"):
            pytest.skip("NOT RUN: there is no workflow-controller to start one of the test's own")
        version = Path(program).parent.name.removeprefix("argo-")
        command = [
            program, "--namespaced", "-n", self.namespace, f"--managed-namespace={self.namespace}", f"--configmap={CONFIG}",
            f"--kubeconfig={os.environ['KUBECONFIG']}", f"--executor-image={self.registry}/argoexec:{version}",
        ]  # fmt: skip
        alone = {"LEADER_ELECTION_IDENTITY": "own"} if self.leases else {"LEADER_ELECTION_DISABLE": "true"}
        environ = {**os.environ, **alone, "DEFAULT_REQUEUE_TIME": "1s"}
        begun = self._said("workflow garbage collector controller")
        with self.log.open("ab") as log:
            process = self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environ)
        works = lambda: process.poll() is not None or self._said("workflow garbage collector controller") > begun  # noqa: E731
        wait_for(works, "the controller of the test", 60)
        assert process.poll() is None, self.log.read_text()[-3000:]

    def kill(self) -> None:
        """End it without a word."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _said(self, words: str) -> int:
        """How often it has said this."""
        return self.log.read_text().count(words) if self.log.exists() else 0


@contextlib.contextmanager
def own_controller(
    cluster: Cluster, namespace: str, registry: str, folder: Path, config: Mapping[str, Any], *, leases: bool = False
) -> Iterator[OwnController]:
    """The controller with these settings until the block ends; its log lies in the folder."""
    controller = OwnController(cluster, namespace, registry, folder / "controller.log", leases)
    controller.configure(config)
    controller.start()
    try:
        yield controller
    finally:
        controller.kill()

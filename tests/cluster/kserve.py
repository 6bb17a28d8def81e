"""A namespace, a registry and a backend for tests that serve models on a real cluster."""

from __future__ import annotations

import json
import secrets
import tempfile
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from jupyter_mlops.cluster.base import Cluster
from jupyter_mlops.oci.modelpack import publish_model
from jupyter_mlops.oci.remote import Remote
from jupyter_mlops.oci.tar import files_below
from jupyter_mlops.registry.models import ModelVersion
from jupyter_mlops.serving.base import Request
from jupyter_mlops.serving.kserve.backend import KServeBackend
from jupyter_mlops.serving.wait import until_ready
from jupyter_mlops.settings import Settings, Target
from tests.unit.serving.support import python_model

SECONDS = 100.0


@dataclass
class Lab:
    """Models go into a real registry, and are served in a namespace of its own."""

    cluster: Cluster
    target: Target
    scratch: Path = field(default_factory=lambda: Path(tempfile.mkdtemp()))

    @property
    def store(self):
        return Remote(self.target.registry)

    @property
    def backend(self):
        return KServeBackend(Settings(), self.cluster, self.target, self.store)

    def publish(self, name, folder):
        """A version of a model whose repository no other test has."""
        made = publish_model(
            self.store,
            f"t-{name}-{secrets.token_hex(3)}",
            folder,
            key=f"run/step/{secrets.token_hex(4)}",
            annotations={},
            metrics={},
        )
        card = json.loads((folder / "mlops.json").read_text())
        size = sum(path.stat().st_size for path in files_below(folder).values())
        return ModelVersion(made.name, made.tag, made.digest, card=card, bytes=size, format=card["format"])

    def python(self, name, predict, **options):
        return self.publish(name, python_model(self.scratch / f"{name}-{secrets.token_hex(3)}", predict, name=name, **options))

    def apply(self, version, name, **options):
        return self.backend.apply(self.backend.prepare(version, name=name, **options))

    def ready(self, name, seconds=SECONDS):
        return until_ready(self.backend, name, self.target.namespace, seconds)

    def deploy(self, version, name, **options):
        self.apply(version, name, **options)
        return self.ready(name)

    def predict(self, name, rows):
        answer = self.backend.call(name, Request("POST", f"/v1/models/{name}:predict", json.dumps({"instances": rows}).encode()))
        assert answer.status == 200, answer.body
        return json.loads(answer.body)["predictions"]

    def settled(self, name, want, seconds=SECONDS):
        """The first state for which ``want`` holds."""
        seen = []
        with closing(self.backend.settle(name, self.target.namespace, seconds)) as states:
            for service in states:
                if want(service):
                    return service
                seen.append((service.phase, service.code, service.message))
        raise AssertionError(f"not after {seconds:g} s: {seen[-3:]}")

    def in_target(self, **changes):
        return replace(self, target=replace(self.target, **changes))


def double(rows):
    """A model: by value, as a notebook's function."""
    return [2 * row for row in rows]


def lab_in(cluster, namespace, registry, image):
    return Lab(cluster, Target(name="test", namespace=namespace, registry=f"http://{registry}", image=image))

"""A machine of its own for each test: registry, services and backend in a temporary home, and no process left after it."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import pytest

from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.made import note_made
from jupyter_mlops.oci.modelpack import publish_model
from jupyter_mlops.registry.models import Models
from jupyter_mlops.serving.local.backend import LocalBackend
from jupyter_mlops.serving.local.place import Place, places
from jupyter_mlops.serving.local.process import identify, terminate
from jupyter_mlops.serving.manifest import inference_service
from jupyter_mlops.serving.wait import until_ready
from jupyter_mlops.settings import Settings, Storage
from tests.unit.serving.support import iris_model, python_model

hypothesis.settings.register_profile("untimed", deadline=None)  # how long something takes is for benchmarks/
hypothesis.settings.load_profile("untimed")


@dataclass
class Machine:
    settings: Settings
    store: Layout
    backend: LocalBackend
    models: Models
    scratch: Path

    def publish(self, name, folder):
        made = publish_model(self.store, name, folder, key=f"run/step/{time.monotonic_ns()}", annotations={}, metrics={})
        note_made(self.store, made.digest)
        return made

    def publish_python(self, name, predict, **options):
        return self.publish(name, python_model(self.scratch / f"{name}-{time.monotonic_ns()}", predict, name=name, **options))

    def publish_iris(self, name="iris"):
        return self.publish(name, iris_model(self.scratch / name))

    def document(self, model, name=None, namespace="default", port=None):
        return inference_service(self.models.find(model), name=name, namespace=namespace, port=port)

    def deploy(self, model, name=None, namespace="default", port=None, timeout=60):
        service = self.backend.apply(self.document(model, name, namespace, port))
        return until_ready(self.backend, service.name, namespace, timeout)

    def place(self, name, namespace="default"):
        return Place(self.settings.storage.services / namespace / name)


def eventually(check, seconds=30.0):
    """Poll until ``check`` gives something; its last value otherwise."""
    until = time.monotonic() + seconds
    while not (value := check()) and time.monotonic() < until:
        time.sleep(0.02)
    return value


@pytest.fixture
def machine(tmp_path, monkeypatch):
    home = tmp_path / "home"
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(home))
    settings = Settings(storage=Storage(home=home))
    store = Layout(settings.storage.registry)
    made = Machine(settings, store, LocalBackend(settings, store), Models(store), tmp_path / "scratch")
    yield made
    for place in places(settings.storage.services):
        terminate(place.supervisor, 1)
        terminate(place.server, 1)
    left = processes_of(home)
    for pid in left:
        terminate(identify(pid), 1)
    assert not left, "a test left processes behind"


def processes_of(home: Path) -> list[int]:
    """Processes that have this home on their command line, the test itself apart."""
    pids = [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]
    return [pid for pid in pids if pid != os.getpid() and str(home) in command_of(pid) and identify(pid)]


def command_of(pid: int) -> str:
    """The command line of a process; nothing for one that is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""

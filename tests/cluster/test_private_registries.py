"""Registries as companies have them: with a certificate of a private authority, and with a login, for kubelet and for ours alike."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.cluster.base import CONFIG_MAPS, SECRETS, Cluster
from jupyter_mlops.engine.base import DONE, Failure, Run
from jupyter_mlops.flow import Workbench
from jupyter_mlops.serving.base import Service
from jupyter_mlops.settings import Settings, Storage
from tests.cluster.conftest import fresh_namespace
from tests.cluster.guarded import guarded, plain_for_the_node
from tests.cluster.own_registry import PASSWORD, USER, OwnRegistry, own_registry
from tests.cluster.pods import notebook

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]


class Person:
    """Somebody with a notebook, and a target whose settings each test changes."""

    def __init__(self, cluster: Cluster, namespace: str, registry: str, image: str, folder: Path) -> None:
        self.cluster, self.namespace, self.folder = cluster, namespace, folder
        self.home = Settings(storage=Storage(home=folder / "home"))
        targets = Workbench(self.home).targets
        self.name = next(found.target.name for found in targets.list() if found.target.context == cluster.context)
        self.set(namespace=namespace, registry=registry, image=image)
        (folder / "iris.ipynb").write_text(json.dumps(notebook()))

    def set(self, **settings: str) -> None:
        Workbench(self.home).targets.set(self.name, settings)

    @property
    def bench(self) -> Workbench:
        """As the settings are now."""
        return Workbench(self.home).at(self.name)

    def run(self, until: str = "") -> Run:
        """The notebook's run, as it is when it is over, or when a cause of this code is told."""
        bench = self.bench
        started = bench.run(self.folder / "iris.ipynb")
        last = started
        for last in bench.engine.watch(started.name):
            if last.phase in DONE or any(step.cause and step.cause.code == until for step in last.steps):
                break
        return last

    def serve(self, name: str) -> Service:
        """The model's service when it is ready, or when it is known why it cannot be."""
        bench = self.bench
        bench.deploy("pod-model", name=name)
        with closing(bench.services.settle(name, self.namespace, 120)) as states:
            return next(service for service in states if service.ready or service.phase == "Failed")


def why(run: Run) -> Failure:
    """Why it failed, or why its step cannot start."""
    told = [run.failure, *(step.cause for step in run.steps)]
    return next(one for one in told if one is not None)


# -- a private authority -------------------------------------------------------------------------------------------------------


@pytest.fixture
def private(registry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnRegistry]:
    """A registry with TLS, which this machine trusts and pods do not."""
    with own_registry(registry, tmp_path, tls=True) as own:
        monkeypatch.setenv("SSL_CERT_FILE", str(own.authority))
        yield own


def test_a_private_authority(cluster: Cluster, private: OwnRegistry, python_image: str, tmp_path: Path) -> None:
    with fresh_namespace(cluster, "h-private") as namespace:
        person = Person(cluster, namespace, f"{private.address}/team", python_image, tmp_path)
        refused = why(person.run("registry-certificate"))
        assert (refused.code, refused.blame) == ("registry-certificate", "platform")
        assert f"does not trust the certificate of {private.address}/team" in refused.message
        assert f"kubectl -n {namespace} create configmap" in refused.fix
        assert "setting `ca`" in refused.fix
        data = {"ca.crt": (private.authority or tmp_path).read_text()}
        cluster.create(CONFIG_MAPS, {"metadata": {"name": "company"}, "data": data}, namespace)
        person.set(ca="company")
        run = person.run()
        assert (run.phase, run.failure) == ("Succeeded", None)
        assert dict(run.metrics) == {"accuracy": 1.0}
        assert run.executed
        trusted = person.serve("trusted")
        assert trusted.ready, trusted
        assert person.bench.predict("trusted").predictions == [0, 0, 1]
        person.set(ca="")
        stranger = person.serve("stranger")
        assert (stranger.phase, stranger.code) == ("Failed", "registry-certificate")
        assert "setting `ca`" in stranger.fix


# -- a login -------------------------------------------------------------------------------------------------------------------


def login(password: str, *hosts: str) -> dict[str, Any]:
    """A pull secret for some registries."""
    auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
    config = {"auths": {host: {"username": USER, "password": password, "auth": auth} for host in hosts}}
    return {"type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": json.dumps(config)}}


def test_one_secret_serves_kubelet_and_ours(
    cluster: Cluster, registry: str, python_image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = python_image.partition("/")[2]
    with (
        guarded(registry, USER, PASSWORD) as images,
        plain_for_the_node(images),
        own_registry(registry, tmp_path, password=True) as own,
        fresh_namespace(cluster, "h-login") as namespace,
    ):
        hosts = (images, f"{own.host}:{own.port}")
        right = login(PASSWORD, *hosts)
        (tmp_path / "config.json").write_text(right["stringData"][".dockerconfigjson"])
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
        cluster.create(SECRETS, {"metadata": {"name": "right"}, **right}, namespace)
        cluster.create(SECRETS, {"metadata": {"name": "wrong"}, **login("guessed", *hosts)}, namespace)
        person = Person(cluster, namespace, f"{own.address}/team", f"{images}/{image}", tmp_path)
        for secret, words in (("", "wants a login for the image"), ("wrong", "with the pull secret wrong")):
            person.set(pull_secret=secret)
            run = person.run("image-login")
            refused = why(run)
            assert (refused.code, refused.blame, refused.step) == ("image-login", "user", "iris")
            assert words in refused.message
            assert "pull_secret" in refused.fix or "Renew the login in wrong" in refused.fix
            assert PASSWORD not in repr(run)
            person.bench.engine.control(run.name, "stop")
        person.set(pull_secret="right")
        run = person.run()
        assert (run.phase, run.failure) == ("Succeeded", None), run.steps
        trusted = person.serve("trusted")
        assert trusted.ready, trusted
        assert person.bench.predict("trusted").predictions == [0, 0, 1]
        person.set(pull_secret="wrong")
        stranger = person.serve("stranger")
        assert (stranger.phase, stranger.code) == ("Failed", "image-login")
        assert "with the pull secret wrong" in stranger.message
        assert "Renew the login in wrong" in stranger.fix

"""A cluster without Argo and KServe, and one from which Argo is removed while a run is watched: said at once, and how to go on.

A real API server of the tests' own, so that nobody else's definitions are touched.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_mlops.cluster.base import CRDS, WORKFLOWS
from jupyter_mlops.engine.base import Submission
from jupyter_mlops.errors import MlopsError, NotFound, PlatformError
from jupyter_mlops.flow import Workbench
from jupyter_mlops.settings import Settings, Storage
from jupyter_mlops.testing.embedded import embedded_registry
from jupyter_mlops.testing.engine import workflow
from tests.cluster.conftest import wait_for
from tests.cluster.own_apiserver import OwnApiServer, own_apiserver
from tests.cluster.pods import notebook
from tests.e2e.machine import Machine

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnApiServer]:
    with own_apiserver(tmp_path_factory.mktemp("apiserver")) as running:
        yield running


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    with embedded_registry(tmp_path / "registry") as address:
        yield address


def pushed(folder: Path) -> list[str]:
    """What lies in the registry."""
    return sorted(path.name for path in (folder / "registry").rglob("*") if path.is_file())


@pytest.fixture
def person(bare: OwnApiServer, registry: str, tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    machine.env["KUBECONFIG"] = str(bare.kubeconfig)
    machine.ask("targets", "set", "own", f"registry={registry}", "namespace=default")
    (machine.work / "iris.ipynb").write_text(json.dumps(notebook()))
    yield machine
    machine.clean()


def test_without_argo_and_kserve_every_command_says_so_and_nothing_is_pushed(person: Machine, tmp_path: Path) -> None:
    checked = person.ask("targets", "--check", "own", code=1)
    checks = {check["id"]: check for check in checked["checks"]}
    assert (checked["health"], checks["TK01"]["level"]) == ("fail", "ok")
    assert (checks["TA01"]["level"], checks["TA01"]["why"]) == ("fail", "this cluster has no Argo Workflows")
    assert "install.yaml" in checks["TA01"]["fix"]
    assert (checks["TS01"]["level"], "models cannot be served" in checks["TS01"]["why"]) == ("warn", True)
    assert "KServe 0.18 or newer" in checks["TS01"]["fix"]

    before = pushed(tmp_path)
    error = person.ask("run", "iris.ipynb", "--target", "own", code=1)["error"]
    assert (error["code"], error["blame"]) == ("no-argo", "platform")
    assert "has no Argo Workflows" in error["message"]
    assert "targets --check" in error["fix"]
    error = person.ask("deploy", "iris", "--target", "own", code=1)["error"]
    assert (error["code"], "KServe" in error["fix"]) == ("no-kserve", True)
    assert pushed(tmp_path) == before

    error = person.ask("runs", "--target", "own", code=2)["error"]
    assert "Argo Workflows is not installed" in error["message"]
    error = person.ask("services", "--target", "own", code=2)["error"]
    assert "KServe is not installed" in error["message"]


@pytest.fixture
def bench(bare: OwnApiServer, registry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    monkeypatch.setenv("KUBECONFIG", str(bare.kubeconfig))
    bench = Workbench(Settings(storage=Storage(home=tmp_path / "home")))
    bench.targets.set("own", {"registry": registry, "namespace": "default"})
    return bench.at("own")


def test_argo_is_removed_while_a_run_is_watched(bare: OwnApiServer, bench: Workbench, tmp_path: Path) -> None:
    name = bare.define("argo", "workflows")
    run = bench.engine.submit(Submission(workflow(("a", "pass"), name="orphan")))
    assert WORKFLOWS.plural in bench.cluster.kinds(WORKFLOWS.group)
    watch = bench.engine.watch(run.name)
    assert next(watch).phase == "Pending"
    bare.cluster.delete(CRDS, name)
    with pytest.raises(NotFound, match=r"Argo Workflows is (being removed from|not installed in) the cluster") as said:
        list(watch)
    assert said.value.code == "no-such-kind"

    def gone() -> bool:
        try:
            bench.engine.list()
        except NotFound as error:
            return error.code == "no-such-kind"
        return False

    wait_for(gone, "the definition's end", 60)
    with pytest.raises(MlopsError, match="Argo Workflows is not installed"):
        bench.engine.submit(Submission(workflow(("a", "pass"), name="late")))
    (tmp_path / "iris.ipynb").write_text(json.dumps(notebook()))
    fresh = Workbench(bench.settings).at("own")
    with pytest.raises(PlatformError, match="has no Argo Workflows"):
        fresh.run(tmp_path / "iris.ipynb")

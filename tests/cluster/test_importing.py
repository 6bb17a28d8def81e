"""Imported pipelines of Kale and Elyra run on a real Argo, and show there what their own kernels show.

What the kit's one node does not have is taken out of the options: images of others, claims, GPUs, more than a part of its processors.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.cluster.base import SECRETS, Cluster
from tests.cluster.conftest import fresh_namespace
from tests.cluster.test_cli_main_job import There
from tests.e2e.machine import Machine
from tests.e2e.test_importing import of_source, shown
from tests.unit.importers.samples import ELYRA8, KALE0, KALE1, KALE2, Sample

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(500)]

NOT_THERE = ("image", "volumes", "gpu", "gpu_resource", "cpu", "memory", "resources", "queue")
SAMPLES = {"kale0": KALE0, "kale1": KALE1, "kale2": KALE2, "elyra8": ELYRA8}


@pytest.fixture(scope="module")
def there(cluster: Cluster, registry: str, python_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[There]:
    machine = Machine(tmp_path_factory.mktemp("importing"))
    try:
        with fresh_namespace(cluster, "h-importing") as namespace, pytest.MonkeyPatch.context() as patch:
            patch.setattr("tests.e2e.machine.PATIENCE", 300.0)
            secret = {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "hub"},
                "stringData": {"token": "from the cluster"},
            }
            cluster.create(SECRETS, secret, namespace)
            yield There(machine, cluster, namespace, registry, python_image)
    finally:
        machine.env.pop("KUBECONFIG", None)
        machine.clean()


def fitted(path: Path) -> list[dict[str, Any]]:
    """Take out of a notebook's options what the kit does not have; the options of its steps afterwards."""
    document = json.loads(path.read_text())
    options = [cell["metadata"].get("mlops", {}) for cell in document["cells"]]
    for known in (*options, document["metadata"].get("mlops", {}), document["metadata"].get("mlops", {}).get("defaults", {})):
        for name in NOT_THERE:
            known.pop(name, None)
    path.write_text(json.dumps(document))
    return options


@pytest.fixture(scope="module")
def runs(there: There, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, list[str], Path]]:
    """All of them at once: run, what the source shows, and where the import lies."""
    made = {}
    for name, sample in SAMPLES.items():
        folder = tmp_path_factory.mktemp(name)
        expected = of_source(sample, _written(sample, folder / "own"), {**there.machine.env, "TOKEN": "x"})
        _written(sample, folder / "here")
        answer = there.machine.ask("import", folder / "here" / sample.main, cwd=folder / "here")
        fitted(Path(answer["notebook"]))
        run = there.ask("run", answer["notebook"], "--detach", cwd=folder / "here")["run"]
        made[name] = (run, expected, Path(answer["notebook"]))
    return made


def _written(sample: Sample, folder: Path) -> Path:
    sample.write(folder)
    return folder


@pytest.mark.parametrize("name", SAMPLES)
def test_an_import_shows_on_argo_what_its_source_shows(
    there: There, runs: dict[str, tuple[str, list[str], Path]], name: str
) -> None:
    run, expected, _ = runs[name]
    done = there.machine.run("logs", run, "-f", "--target", there.name)
    found = there.ask("runs", run)
    assert found["phase"] == "Succeeded", (found, done)
    executed = json.loads(Path(found["executed"]).read_text())
    assert "".join(shown(executed)) == "".join(expected)
    assert expected


def test_secrets_and_variables_of_elyra_reach_their_steps(there: There, runs: dict[str, tuple[str, list[str], Path]]) -> None:
    """In the Workflow, where the cluster puts them in: the value of a Secret is never in it."""
    workflow = there.machine.run("convert", runs["elyra8"][2], "-o", "-", "--target", there.name).out
    assert "secretKeyRef" in workflow
    assert "name: hub" in workflow
    assert "from the cluster" not in workflow

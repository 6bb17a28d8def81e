"""Images of steps, read from real registries before anything is submitted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.cluster.base import Cluster
from jupyter_mlops.oci.names import OCI_CONFIG, OCI_MANIFEST
from jupyter_mlops.oci.open import open_store
from jupyter_mlops.settings import Target
from jupyter_mlops.targets.imagefacts import Facts, Looking
from tests.cluster.conftest import fresh_namespace
from tests.cluster.test_cli_main_job import There
from tests.e2e.machine import Machine
from tests.unit.notebook_building import document
from tests.unit.targets.test_targets_images import LAYER, OWN, layer

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(500)]


@pytest.fixture(scope="module")
def there(cluster: Cluster, registry: str, python_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[There]:
    machine = Machine(tmp_path_factory.mktemp("images"))
    try:
        with fresh_namespace(cluster, "h-images") as namespace:
            yield There(machine, cluster, namespace, registry, python_image)
    finally:
        machine.env.pop("KUBECONFIG", None)
        machine.clean()


def put(address: str, data: bytes) -> str:
    """A small image in a registry, with one layer."""
    store = open_store(address)
    config = store.put_blob("step/image", json.dumps({"config": {}}).encode(), OCI_CONFIG)
    blob = store.put_blob("step/image", data, LAYER)
    config_of, layer_of = ({"mediaType": one.media_type, "digest": one.digest, "size": one.size} for one in (config, blob))
    manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config_of, "layers": [layer_of]}
    store.put_manifest("step/image", manifest, tags=["v1"])
    return f"{address.partition('://')[2]}/step/image:v1"


def write(there: There, name: str, *cells: Any) -> Path:
    path = there.machine.work / name
    path.write_text(json.dumps(document(*cells, metadata={"kernelspec": {"name": "python3", "language": "python"}})))
    return path


def test_the_kits_own_image_is_read_to_its_packages(registry: str, python_image: str, tmp_path: Path) -> None:
    found = Looking(Target("kit", registry=f"http://{registry}/none"), python_image, tmp_path).facts(120)
    assert found.unread == ""
    assert found.python == python_image.rpartition(":")[2]
    assert found.packages is not None
    assert {"numpy", "pandas", "scikit-learn", "cloudpickle", "pyarrow"} <= set(found.packages)
    again = Looking(Target("kit", registry=f"http://{registry}/none"), python_image, tmp_path).facts(20)
    assert again == found


@pytest.mark.parametrize("which", ["registry", "registry_oci11"])
def test_every_registry_is_read_alike(request: pytest.FixtureRequest, which: str, tmp_path: Path) -> None:
    address = f"http://{request.getfixturevalue(which)}/h-images-read"
    assert Looking(Target("kit", registry=address), put(address, OWN), tmp_path).facts(60) == Facts("3.11", {"pip": "25.0"})


def test_what_the_image_lacks_is_said_with_the_workflow(there: There) -> None:
    write(
        there,
        "plots.ipynb",
        ("import matplotlib.pyplot as plt\nimport pandas as pd", ["step:load"]),
        ("plt.plot([1])", ["step:plot"]),
    )
    done = there.machine.run("convert", "plots.ipynb", "-o", "workflow.yaml", "--target", there.name)
    assert done.code == 0, done
    assert "python:3.11 lacks matplotlib " in done.err
    assert "pip install matplotlib==" in done.err


def test_an_image_of_another_python_is_refused_before_a_run_is_made(there: There) -> None:
    image = put(there.registry, layer("usr/bin/python3 -> python3.8", "usr/bin/python3.8"))
    write(there, "old.ipynb", ("x = 1", {"mlops": {"step": "old", "image": image}}))
    refused = there.ask("run", "old.ipynb", code=2)
    assert refused["error"]["code"] == "python-mismatch"
    assert there.ask("runs")["runs"] == []

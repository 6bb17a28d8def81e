"""Parameters of every kind on a real Argo, which replaces braces and takes quotes off where it can: each arrives exactly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_mlops.cluster.base import Cluster
from tests.cluster.conftest import fresh_namespace
from tests.cluster.test_cli_main_job import There
from tests.e2e.machine import Machine
from tests.parameter_values import WRITTEN, expected, notebook

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def there(cluster: Cluster, registry: str, python_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[There]:
    machine = Machine(tmp_path_factory.mktemp("parameters"))
    try:
        with fresh_namespace(cluster, "h-parameters") as namespace, pytest.MonkeyPatch.context() as patch:
            patch.setattr("tests.e2e.machine.PATIENCE", 300.0)
            yield There(machine, cluster, namespace, registry, python_image)
    finally:
        machine.env.pop("KUBECONFIG", None)
        machine.clean()


def test_every_value_arrives_on_argo_as_it_was_written(there: There) -> None:
    (there.machine.work / "nb.ipynb").write_text(notebook(), encoding="utf-8")
    words = [word for name, text in WRITTEN.items() for word in ("-p", f"{name}={text}")]
    ran = there.ask("run", "nb.ipynb", *words)
    assert ran["phase"] == "Succeeded", ran
    cells = json.loads(Path(ran["notebook"]).read_text(encoding="utf-8"))["cells"]
    assert "".join(output.get("text", "") for output in cells[1]["outputs"]) == expected()

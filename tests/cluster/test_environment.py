"""Data and packages on a real cluster: data beside the notebook arrive, and an image that lacks a package is told before a cell runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jupyter_mlops.cluster.base import Cluster
from tests.cluster.conftest import fresh_namespace
from tests.cluster.test_cli_main_job import There
from tests.e2e.machine import Machine
from tests.unit.notebook_building import Spec, document

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(500)]


@pytest.fixture(scope="module")
def there(cluster: Cluster, registry: str, python_image: str, tmp_path_factory: pytest.TempPathFactory):
    machine = Machine(tmp_path_factory.mktemp("environment"))
    try:
        with fresh_namespace(cluster, "h-environment") as namespace, pytest.MonkeyPatch.context() as patch:
            patch.setattr("tests.e2e.machine.PATIENCE", 300.0)
            yield There(machine, cluster, namespace, registry, python_image)
    finally:
        machine.env.pop("KUBECONFIG", None)
        machine.clean()


def write(there: There, name: str, *cells: Spec) -> Path:
    path = there.machine.work / name
    path.write_text(json.dumps(document(*cells, metadata={"kernelspec": {"name": "python3", "language": "python"}})))
    return path


def test_data_and_modules_beside_the_notebook_arrive(there: There):
    work = there.machine.work
    (work / "data").mkdir()
    (work / "data/rows.csv").write_text("a,b\n1,2\n3,4\n")
    (work / "data/note.txt").write_text("hello")
    (work / "reading.py").write_text('def note():\n    return open("data/note.txt").read()\n')
    write(
        there,
        "reads.ipynb",
        ('import reading\nimport pandas as pd\nrows = pd.read_csv("data/rows.csv")', ["step:load"]),
        ("print(rows.b.sum(), reading.note())", ["step:show"]),
    )
    ran = there.ask("run", "reads.ipynb")
    assert ran["phase"] == "Succeeded", ran
    assert "6 hello\n" in there.machine.run("logs", ran["run"], "--target", there.name).out
    environment = there.ask("runs", ran["run"])["environment"]
    assert [one["name"] for one in environment["distributions"]] == ["pandas"]
    assert (environment["local"], environment["left"]) == (["reading"], {})


def test_an_image_without_a_package_is_told_before_the_first_cell(there: There):
    write(
        there,
        "plots.ipynb",
        ("x = 1\nprint('loaded', x)", ["step:load"]),
        ("print('never seen')", ["step:plot"]),
        ("import matplotlib.pyplot as plt\nplt.plot([x])", ["step:plot"]),
    )
    ran = there.ask("run", "plots.ipynb", code=1)
    assert ran["phase"] == "Failed"
    assert [step["phase"] for step in ran["steps"]] == ["Succeeded", "Failed"]
    assert ran["error"]["code"] == "missing-packages"
    assert "lacks packages that the step imports: matplotlib " in ran["error"]["message"]
    assert "pip install matplotlib==" in ran["error"]["fix"]
    log = there.machine.run("logs", ran["run"], "--target", there.name).out
    assert "loaded 1" in log
    assert "never seen" not in log

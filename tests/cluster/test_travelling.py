"""Files, folders, links and modules beside a notebook, on a real cluster, where only what travels is there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jupyter_mlops.cluster.base import Cluster
from tests.cluster.conftest import fresh_namespace
from tests.cluster.test_cli_main_job import There
from tests.e2e.machine import Machine
from tests.travelling import SHOWN, write

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def there(cluster: Cluster, registry: str, python_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[There]:
    machine = Machine(tmp_path_factory.mktemp("travelling"))
    try:
        with fresh_namespace(cluster, "h-travelling") as namespace, pytest.MonkeyPatch.context() as patch:
            patch.setattr("tests.e2e.machine.PATIENCE", 300.0)
            yield There(machine, cluster, namespace, registry, python_image)
    finally:
        machine.env.pop("KUBECONFIG", None)
        machine.clean()


def test_everything_that_is_named_arrives_and_what_is_too_large_is_said_before(there: There) -> None:
    path = write(there.machine.work / "földer", large=65 << 20)
    ran = there.machine.run("run", path.name, "--target", there.name, cwd=path.parent)
    assert ran.code == 0, ran
    assert "too large to travel to a cluster: large file.bin (65 MiB)" in ran.err
    run = ran.out.split()[0]
    assert SHOWN in there.machine.run("logs", run, "--step", "show", "--target", there.name).out
    log = there.machine.run("logs", run, "--step", "large", "--target", there.name).out
    assert "False\n" in log

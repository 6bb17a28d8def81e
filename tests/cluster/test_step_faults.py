"""What goes wrong around a step on a real cluster: logins, a registry that goes away, a run that is stopped, no GPU's memory."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from jupyter_mlops.cluster.base import NODES, SECRETS, WORKFLOWS, Cluster
from jupyter_mlops.errors import MlopsError
from jupyter_mlops.pipeline.pipeline import Options
from jupyter_mlops.settings import Target
from tests.cluster.conftest import wait_for
from tests.cluster.own_registry import PASSWORD, USER, own_registry
from tests.cluster.steps import OnCluster

pytestmark = pytest.mark.cluster


def login(address: str) -> str:
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    return json.dumps({"auths": {address: {"username": USER, "password": PASSWORD, "auth": auth}}})


def said(run: OnCluster, step: str = "s0") -> dict[str, object]:
    """The termination message of a step."""
    found: dict[str, object] = json.loads("{" + run.node(step)["message"].partition(": {")[2])
    return found


def log_of(run: OnCluster, cluster: Cluster) -> str:
    """Lines of the step's container so far; '' while there is none."""
    try:
        [pod] = run.pods()
        return "\n".join(cluster.logs(pod["metadata"]["name"], "main", run.target.namespace))
    except (MlopsError, ValueError):
        return ""


def test_a_registry_that_asks_for_a_password(
    cluster: Cluster, registry: str, python_image: str, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with own_registry(registry, tmp_path, password=True) as locked:
        config = login(f"{locked.host}:{locked.port}")
        (tmp_path / "config.json").write_text(config)
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
        data = {".dockerconfigjson": base64.b64encode(config.encode()).decode()}
        cluster.create(SECRETS, {"metadata": {"name": "pull"}, "type": "kubernetes.io/dockerconfigjson", "data": data}, namespace)
        target = Target(name="t", namespace=namespace, registry=locked.address, image=python_image)
        cells = ("x = 1", "import os\nprint(x, os.path.isfile(os.environ['DOCKER_CONFIG'] + '/config.json'))")
        without = OnCluster(cluster, target, cells, name="locked").start()
        given = Target(name="t", namespace=namespace, registry=locked.address, image=python_image, pull_secret="pull")
        right = OnCluster(cluster, given, cells, name="locked").start()
        assert right.until_done()["status"]["phase"] == "Succeeded"
        assert right.stream(1) == "1 True\n"
        assert PASSWORD not in json.dumps(right.document()["spec"])
        assert without.until_done()["status"]["phase"] == "Failed"
        message = said(without)
        assert (message["code"], message["blame"]) == ("no-bundle", "platform")
        assert "401" in str(message["message"])
        assert without.node("s0")["outputs"]["exitCode"] == "3"


def test_a_registry_that_goes_away_costs_no_work(
    cluster: Cluster, registry: str, python_image: str, namespace: str, tmp_path: Path
) -> None:
    with own_registry(registry, tmp_path) as own:
        target = Target(name="t", namespace=namespace, registry=own.address, image=python_image)
        gate = "import os, time\nx = 41\nprint('working')\nfor _ in range(15): time.sleep(1)\nx += 1"
        run = OnCluster(cluster, target, (gate, "print(x)"), name="away").start()
        wait_for(lambda: "working" in log_of(run, cluster), "the first cell")
        own.stop()
        wait_for(lambda: "waiting for the registry" in log_of(run, cluster), "the step waits for its registry", 120)
        own.start()
        assert run.until_done()["status"]["phase"] == "Succeeded"
        assert run.stream(1) == "42\n"
        assert "waiting for the registry to store what s0 reached" in run.log("s0")


def test_a_run_that_is_stopped_leaves_a_report(cluster: Cluster, registry: str, python_image: str, namespace: str) -> None:
    target = Target(name="t", namespace=namespace, registry=f"http://{registry}", image=python_image)
    run = OnCluster(cluster, target, ("import time\nprint('working')\ntime.sleep(600)", "1"), name="stopped").start()
    wait_for(lambda: "working" in log_of(run, cluster), "the first cell")
    cluster.patch(WORKFLOWS, run.run, {"spec": {"shutdown": "Stop"}}, namespace)
    run.until_done(60)
    report = run.report("s0")
    assert (report["phase"], report["failure"]["code"], report["failure"]["cell"]) == ("failed", "stopped", 0)
    assert "working" in run.log("s0")
    assert run.stream(0) == "working\n"


def test_more_memory_than_asked_for_ends_the_step(cluster: Cluster, registry: str, python_image: str, namespace: str) -> None:
    target = Target(name="t", namespace=namespace, registry=f"http://{registry}", image=python_image)
    greedy = OnCluster(cluster, target, ("x = b'x' * (500 << 20)",), options={0: Options(memory="128Mi")}, name="greedy").start()
    absent = OnCluster(cluster, target, ("import nothere",), options={0: Options(retries=1)}, name="retried").start()
    assert greedy.until_done()["status"]["phase"] == "Failed"
    assert "OOMKilled" in greedy.node("s0")["message"]
    assert absent.until_done()["status"]["phase"] == "Failed"
    assert said(absent, "s0(1)")["error"] == "ModuleNotFoundError"


def test_a_step_with_a_gpu_has_shared_memory(cluster: Cluster, registry: str, python_image: str, namespace: str) -> None:
    gpus = sum(int(node["status"].get("allocatable", {}).get("nvidia.com/gpu", 0)) for node in cluster.list(NODES).items)
    if not gpus:
        pytest.skip("NOT RUN: no node of the cluster offers nvidia.com/gpu")
    target = Target(name="t", namespace=namespace, registry=f"http://{registry}", image=python_image)
    cell = (
        "with open('/dev/shm/batch', 'wb') as f: f.write(b'x' * (80 << 20))\nprint(open('/proc/mounts').read().count('/dev/shm '))"
    )
    run = OnCluster(cluster, target, (cell,), options={0: Options(gpu=1)}, name="gpu").start()
    assert run.until_done()["status"]["phase"] == "Succeeded"
    assert run.stream(0) == "1\n"
